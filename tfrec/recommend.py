"""Recommends: after a history, to a user of the dataset, or to everybody.

    # Item ids as in the raw log, the oldest first.
    python -m tfrec.recommend --run_dir=runs/first --history=1193,661,914

    # The same of an export that is served.
    python -m tfrec.recommend --server=localhost:8500 --history=1193,661,914

    # To one user, after all that they did, up to the newest event.
    python -m tfrec.recommend --run_dir=runs/first --sequence=42

    # To everybody: .parquet, .csv or .jsonl with user, item, rank and score.
    python -m tfrec.recommend --run_dir=runs/first --output=lists.parquet

    # The same of an export, with newer data, in four processes.
    python -m tfrec.recommend --export_dir=export/models \\
        --data_dir=data/today --output=lists.parquet --shard=0/4

Prints the best items, with their log-probabilities, and with their titles
where they are known. Unknown items of a history are skipped; a run names them.
With --output, the same command goes on where it was interrupted.
"""

import dataclasses
import sys

from tfrec import cli, settings
from tfrec.errors import InputError
from tfrec.imports import lean_imports
from tfrec.lists.config import ListsConfig
from tfrec.outputs import check_replaceable
from tfrec.settings import setting
from tfrec.training import TrainingConfig

# What is asked, and what may answer it.
_ASKED = {
    "history": ("run_dir", "server"),
    "sequence": ("run_dir", "export_dir"),
    "output": ("run_dir", "export_dir"),
}


@dataclasses.dataclass(frozen=True)
class RecommendationConfig(ListsConfig):
    """What to recommend, and to whom."""

    history: tuple[str, ...] = setting(
        (),
        "Item ids, oldest first, with commas between; one that has a comma in "
        "double quotes, as in a CSV file.",
    )
    user: str = setting(
        "",
        "With --history: id of who asks, for a model that needs it. Empty: "
        "nobody known.",
    )
    sequence: str = setting(
        "",
        "Id of a user, or with next_click of a session, of the dataset: what "
        "comes after all of it.",
    )
    server: str = setting(
        "",
        "Instead of a run, for --history: host:port of the gRPC port of a "
        "server.",
    )

    def unused(self) -> dict[str, str]:
        """See base class."""
        found = super().unused()
        if self.server:
            found["data_dir"] = "with `--server`"
        elif not self.export_dir:
            found["name"] = "without `--server` or `--export_dir`"
        if self.history:
            for name in ("allow", "deny", "per_group"):
                found[name] = "with `--history`"
        else:
            found["user"] = "without `--history`"
        return found

    def check_choice(self) -> None:
        """Raises `InputError` unless one thing is asked, of one that answers.

        Not when it is built, so that flags that mean nothing are told first.
        """
        asked = [name for name in _ASKED if getattr(self, name)]
        if len(asked) != 1:
            raise InputError(
                "Give one of `--history` (item ids, oldest first), "
                "`--sequence` (a user) and `--output` (a file, for everybody)."
            )
        names = _ASKED[asked[0]]
        others = {"run_dir", "export_dir", "server"}.difference(names)
        given = [name for name in names if getattr(self, name)]
        if len(given) != 1 or any(getattr(self, name) for name in others):
            raise InputError(
                f"Give one of {' and '.join(f'`--{name}`' for name in names)}"
                f" with `--{asked[0]}`, and nothing else that answers."
            )


def main() -> None:
    """Recommends as the flags say."""
    config = settings.from_flags(RecommendationConfig)
    config.check_choice()

    # Below only, so that help and errors need not wait for TensorFlow.
    if config.output:
        _write(config)
    elif config.sequence:
        from tfrec.lists.one import recommend_to

        _print(recommend_to(config.sequence, config))
    elif config.server:
        with lean_imports():
            from tfrec.serving import client

        name = config.name or TrainingConfig.model
        answer = client.recommend(
            config.server, name, config.history, config.user
        )
        _print([(item, "", score) for item, score in answer[: config.k]])
    else:
        from tfrec.training import load_run

        run = load_run(config.run_dir, config.data_dir)
        best, unknown = run.recommend(config.history, config.k, config.user)
        if unknown:
            shown = ", ".join(map(repr, unknown))
            print(f"Skipped, not in the training data: {shown}")
        _print(best)


def _write(config: RecommendationConfig) -> None:
    from tfrec.lists.making import make_lists
    from tfrec.lists.sources import open_source

    check_replaceable(config.path)
    source, options = open_source(config), {}
    if config.engine == "pyspark":
        from tfrec.lists.spark import make_on_spark

        options["run"] = make_on_spark
    made = make_lists(source, config, **options)
    print(f"Lists for {made.users:,} users, {made.rows:,} rows, in {made.path}")
    lacking = made.users * config.k - made.rows
    if lacking:
        print(
            f"{lacking:,} rows fewer than --k={config.k} for each: for some "
            "users no more items were left to recommend."
        )


def _print(best: list[tuple[str, str, float]]) -> None:
    """Prints items, their titles and their scores."""
    if not best:
        print("Nothing is left to recommend.", file=sys.stderr)
    width = max((len(item) for item, _, _ in best), default=0)
    for rank, (item, title, score) in enumerate(best, 1):
        print(f"{rank:3}  {score:8.3f}  {item:{width}}  {title}".rstrip())


def run() -> None:
    """Runs the command."""
    cli.run(main, RecommendationConfig)


if __name__ == "__main__":
    run()
