"""Compares trained runs: intervals, tests, and what else they recommend.

    # Runs of one dataset under one protocol, the best first.
    python -m tfrec.compare runs/acvae runs/pop runs/rules

    # As a page with pictures: by group of users and items, coverage, novelty.
    python -m tfrec.compare runs/* --format=html --output=comparison.html

    # How much of each score comes from the order of the histories.
    python -m tfrec.compare runs/acvae runs/rules --shuffle_histories

Intervals are of 95%, by a bootstrap over users (with next_click over
sessions). p says how probable so large a difference from the best run is
between two models that are equally good on average: a paired t-test over the
same users, corrected for all pairs of runs (Holm): which is the best is not
known before.
"""

import dataclasses
from pathlib import Path

from tfrec import cli, settings
from tfrec.errors import InputError
from tfrec.outputs import check_output
from tfrec.settings import Settings, setting
from tfrec.table_text import FORMATS
from tfrec.training.config import metric_names


@dataclasses.dataclass(frozen=True)
class ComparisonConfig(Settings):
    """What to compare, and how to show it."""

    run_dirs: tuple[str, ...] = setting(
        (), "Folders of the runs, with or without this flag.", required=True
    )
    data_dir: str = setting(
        "", "Where their prepared dataset is now. Empty: where it was."
    )
    cutoffs: tuple[int, ...] = setting(
        (10,), "The k of recall@k, ndcg@k and mrr@k.", minimum=1
    )
    metric: str = setting(
        "", "The metric that orders and is tested. Empty: NDCG at the first k."
    )
    shuffle_histories: bool = setting(
        False,
        "Rank again with each history in random order, and show what is left.",
    )
    seed: int = setting(
        0, "Seed of the bootstrap and of the random orders.", minimum=0
    )
    format: str = setting(
        "text",
        "How to write the table; html: a page that draws it, too.",
        choices=(*FORMATS, "html"),
    )
    output: str = setting("", "File to write. Empty: to the terminal.")


def main() -> None:
    """Compares as the flags say."""
    config = settings.from_flags(ComparisonConfig)
    metric = config.metric or f"ndcg@{config.cutoffs[0]}"
    names = metric_names(config.cutoffs)
    if metric not in names:
        raise InputError(
            f"`--metric` must be one of {', '.join(names)}. Received: {metric}."
        )
    if config.output:
        check_output(config.output)

    # Only here, so that help and errors need not wait for TensorFlow.
    from tfrec.training.comparison import compare, read_runs

    runs = read_runs(config.run_dirs, config.data_dir)
    table = compare(runs, names, metric, config.seed, config.shuffle_histories)
    if config.format == "html":
        from tfrec.reporting.comparison import comparison

        text = comparison(runs, table, names, metric, config.seed).rstrip()
    else:
        text = table.render(config.format)
    if not config.output:
        print(text)
        return
    from tfrec.training.files import write_text

    write_text(Path(config.output), text + "\n", "--output")
    print(f"Written: {config.output}")


def run() -> None:
    """Runs the command."""
    cli.run(main, ComparisonConfig, positional="run_dirs")


if __name__ == "__main__":
    run()
