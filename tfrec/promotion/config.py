"""Settings of a promotion: what is judged, against what, within what."""

import dataclasses

from tfrec.errors import InputError
from tfrec.settings import Settings, setting
from tfrec.training.config import metric_names

NO_LABEL = "none"


@dataclasses.dataclass(frozen=True)
class PromotionConfig(Settings):
    """What may be exported, and what it must keep to."""

    candidate: str = setting(
        "",
        "Folder of the run that is to be served; or of a version that was "
        "promoted, a canary say, which gets the --label.",
        required=True,
    )
    against: str = setting(
        "",
        "What it must not be worse than: a version that was promoted, the "
        "folder of such a model (the version that is served: stable, or the "
        "newest), or a run. Empty: nothing, as for a first deployment.",
    )
    data_dir: str = setting(
        "",
        "Where the candidate's prepared dataset is now. Empty: where it was.",
    )
    metric: str = setting("ndcg@10", "The metric that is compared.")
    max_loss: float | None = setting(
        None,
        "Most of the metric that may be lost: refuses unless the whole "
        "interval of the difference is above this loss. Not given: refuses if "
        "the whole interval is below 0.",
        minimum=0,
        maximum=1,
    )
    max_latency_ms: float | None = setting(
        None,
        "Longest time of an answer, in milliseconds, that 99% of the requests "
        "may take. Not given: it is measured and printed.",
        above=0,
    )
    latency_requests: int = setting(
        300, "Number of requests by which the time is measured.", minimum=1
    )
    max_size_mb: float | None = setting(
        None,
        "Largest size of the exported files, in millions of bytes. Not given: "
        "it is printed.",
        above=0,
    )
    label: str = setting(
        NO_LABEL,
        "Label that clients ask for, which goes to this version in "
        "--model_config_file.",
        choices=(NO_LABEL, "canary", "stable"),
    )
    seed: int = setting(0, "Seed of the bootstrap.", minimum=0)

    def __post_init__(self):
        super().__post_init__()
        _, _, cutoff = self.metric.partition("@")
        known = metric_names([int(cutoff)]) if cutoff.isdecimal() else ()
        if self.metric not in known:
            raise InputError(
                "`--metric` must be recall@k, ndcg@k or mrr@k. Received: "
                f"{self.metric}."
            )

    def unused(self) -> dict[str, str]:
        """See `Settings`."""
        if self.against:
            return {}
        return dict.fromkeys(("max_loss", "seed"), "without --against")
