"""From a run to a version that is served, if it keeps to its bounds."""

import contextlib
import dataclasses
import shlex
import shutil
from pathlib import Path
from typing import Any

from tfrec.errors import InputError
from tfrec.promotion import bounds
from tfrec.promotion.asking import ask
from tfrec.promotion.card import EXTRA, read_card, write_card
from tfrec.promotion.config import NO_LABEL, PromotionConfig
from tfrec.promotion.incumbent import Promoted, is_version, read_incumbent
from tfrec.serving.config import DestinationConfig
from tfrec.serving.exporting import export, megabytes
from tfrec.serving.indexing import IndexReport, read_report
from tfrec.serving.model_config_file import ModelConfigFile, changing
from tfrec.serving.samples import histories_of_test
from tfrec.serving.servable import Servable
from tfrec.serving.verification import DisagreementError
from tfrec.training import load_run
from tfrec.training.comparison import Measured, check_same_test, read_runs
from tfrec.training.files import writing
from tfrec.training.run import RANKS, Run


@dataclasses.dataclass
class Promotion:
    """What was found, and written.

    Attributes:
        difference: From what it was compared with; None if with nothing.
        index: What its index finds; None if it has none.
        latency: Of its answers.
        size_mb: Of its files without the card, in 10^6 bytes.
        version: The folder of the version.
        labels: The versions by label, if one was moved.
    """

    difference: bounds.Difference | None = None
    index: IndexReport | None = None
    latency: bounds.Latency | None = None
    size_mb: float = 0.0
    version: Path = Path()
    labels: dict[str, int] = dataclasses.field(default_factory=dict)


def promote(
    config: PromotionConfig, destination: DestinationConfig
) -> Promotion:
    """Exports a run that is not worse, answers alike, and fits.

    A candidate that is a version, a canary say, is there already: it gets the
    label, if it is not worse and its card keeps to the bounds.

    Args:
        config: What is judged, and by what.
        destination: Where it goes.

    Raises:
        InputError: If it is refused, or something is not there. Nothing is
            left behind.
    """
    served = ModelConfigFile(
        destination.export_dir, destination.model_config_file
    )
    if is_version(config.candidate):
        return _label(config, destination, served)
    (measured,) = read_runs([config.candidate], config.data_dir)
    promotion = Promotion(_compared(measured, config, served))
    run = load_run(config.candidate, config.data_dir)
    flags = [*config.given_flags(), *destination.given_flags()]
    command = " \\\n    ".join(["tfrec promote", *map(shlex.quote, flags)])

    def judge(servable: Servable, folder: Path) -> None:
        _judge(promotion, config, run, servable, folder)
        found = _described(promotion)
        with writing(folder, "--export_dir"):
            write_card(folder, run, measured, found, command)

    try:
        promotion.version = export(
            run,
            destination.export_dir,
            destination.name,
            destination.k,
            destination.version,
            judge,
            destination.least_recall,
        )
    except DisagreementError as error:
        raise InputError(f"{error} Nothing was exported.") from error
    try:
        _serve(promotion, config.label, destination)
    except BaseException:
        shutil.rmtree(promotion.version)
        with contextlib.suppress(OSError):  # It has other versions.
            promotion.version.parent.rmdir()
        raise
    return promotion


def _label(
    config: PromotionConfig,
    destination: DestinationConfig,
    served: ModelConfigFile,
) -> Promotion:
    """Gives a label to a version that is there, by what its card says."""
    version = Path(config.candidate)
    if config.label == NO_LABEL:
        raise InputError(
            f"`--label` must be given: {version} is exported already."
        )
    if version.resolve().parents[1] != served.export_dir.resolve():
        raise InputError(
            f"`--candidate` must be a run, or a version below `--export_dir` "
            f"({served.export_dir}). Received: {version}."
        )
    for name in ("name", "k", "version", "index", "index_recall"):
        if getattr(destination, name) != getattr(DestinationConfig, name):
            raise InputError(
                f"`--{name}` means nothing with a version as `--candidate`. "
                "Remove it."
            )
    if config.latency_requests != PromotionConfig.latency_requests:
        raise InputError(
            "`--latency_requests` means nothing with a version as "
            "`--candidate`: its card has its latency. Remove it."
        )
    measured = read_incumbent(config.candidate, served)
    if config.data_dir:
        measured = dataclasses.replace(measured, data_dir=Path(config.data_dir))
    card = read_card(version)
    latency = {k: v for k, v in card["latency"].items() if k != "how"}
    promotion = Promotion(
        _compared(measured, config, served),
        read_report(version),
        bounds.Latency(**latency),
        card["size_mb"],
        version.resolve(),
    )
    _refuse(promotion, config)
    _serve(promotion, config.label, destination)
    return promotion


def _compared(
    measured: Measured, config: PromotionConfig, served: ModelConfigFile
) -> bounds.Difference | None:
    """Returns the difference from `--against`; refuses what is worse."""
    if not config.against:
        return None
    incumbent = read_incumbent(config.against, served)
    if _is_of_other_data(incumbent, measured):
        # Its ranks are paired with those of the candidate, so that both must
        # be of the same test.
        incumbent = ask(incumbent, measured.open_data(), config.metric)
    else:
        check_same_test([measured, incumbent])
    found = bounds.compare(measured, incumbent, config.metric, config.seed)
    bounds.refuse_worse(measured.folder, found, config.max_loss)
    return found


def _refuse(promotion: Promotion, config: PromotionConfig) -> None:
    bounds.refuse_large(promotion.size_mb, config.max_size_mb)
    bounds.refuse_slow(promotion.latency, config.max_latency_ms)


def _is_of_other_data(incumbent: Measured, measured: Measured) -> bool:
    """Returns whether it is a version whose run was tested on other data."""
    return isinstance(incumbent, Promoted) and (
        incumbent.numbers["data_checksum"] != measured.numbers["data_checksum"]
    )


def _judge(
    promotion: Promotion,
    config: PromotionConfig,
    run: Run,
    servable: Servable,
    folder: Path,
) -> None:
    """Measures a SavedModel, and keeps the ranks of its run with it."""
    with writing(folder, "--export_dir"):
        shutil.copyfile(run.folder / RANKS, folder / EXTRA / RANKS)
    promotion.size_mb = megabytes(folder)
    promotion.index = read_report(folder)
    histories = [
        run.data.vocabulary.lookup(asked.items)
        for asked in histories_of_test(run.data, config.latency_requests)
    ]
    promotion.latency = bounds.measure_latency(servable, histories)
    _refuse(promotion, config)


def _described(promotion: Promotion) -> dict[str, Any]:
    difference = promotion.difference
    return {
        "comparison": difference
        and {
            **dataclasses.asdict(difference),
            "how": "the other by its lists on this test"
            if difference.asked
            else "by the ranks that both keep of the same test",
        },
        "latency": {
            **dataclasses.asdict(promotion.latency),
            "how": "requests to serving_default, one by one, of one history "
            "of the test each, in the process that exported, on CPUs",
        },
        "index": promotion.index and dataclasses.asdict(promotion.index),
        "size_mb": promotion.size_mb,
        "verified": "every signature answers as the run does",
    }


def _serve(
    promotion: Promotion, label: str, destination: DestinationConfig
) -> None:
    name, version = promotion.version.parent.name, int(promotion.version.name)
    # Read again: what is served may have changed while this was judged.
    with changing(
        destination.export_dir, destination.model_config_file
    ) as served:
        served.add(name)
        if label != NO_LABEL:
            promotion.labels = served.label(name, label, version)
