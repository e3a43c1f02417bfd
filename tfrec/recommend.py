"""Asks a trained run, or a server, what comes after a history.

    # Item ids as in the raw log, the oldest first.
    python -m tfrec.recommend --run_dir=runs/first --history=1193,661,914

    # The same of an export that is served.
    python -m tfrec.recommend --server=localhost:8500 --history=1193,661,914

    # Of one under another name.
    python -m tfrec.recommend --server=localhost:8500 --name=home-page \\
        --history=1193,661,914

Prints the best items, with their log-probabilities, and with their titles
where they are from a run. Unknown items are skipped; a run names them.
"""

import dataclasses

from tfrec import cli, settings
from tfrec.errors import InputError
from tfrec.settings import Settings, setting
from tfrec.training import TrainingConfig


@dataclasses.dataclass(frozen=True)
class RecommendationConfig(Settings):
    """What to recommend, and to whom."""

    run_dir: str = setting("", "Folder of the run.")
    data_dir: str = setting(
        "", "Where its prepared dataset is now. Empty: where it was."
    )
    server: str = setting(
        "", "Instead of a run: host:port of the gRPC port of a server."
    )
    name: str = setting(
        "", "With --server: the model's name there. Empty: acvae."
    )
    history: tuple[str, ...] = setting(
        (), "Item ids, oldest first, with commas between.", required=True
    )
    user: str = setting(
        "", "Id of who asks, for a model that needs it. Empty: nobody known."
    )
    k: int = setting(
        10,
        "Number of items. A server gives at most as many as were exported.",
        minimum=1,
    )

    def unused(self) -> dict[str, str]:
        """See base class."""
        if self.server:
            return {"data_dir": "with `--server`"}
        return {"name": "without `--server`"}


def main() -> None:
    """Recommends as the flags say."""
    config = settings.from_flags(RecommendationConfig)
    if bool(config.run_dir) == bool(config.server):
        raise InputError("Give one of `--run_dir` and `--server`.")

    # Only here, so that help and errors need not wait for TensorFlow.
    if config.server:
        from tfrec.serving import client

        name = config.name or TrainingConfig.model
        answer = client.recommend(
            config.server, name, config.history, config.user
        )
        best = [(item, "", score) for item, score in answer[: config.k]]
    else:
        from tfrec.training import load_run

        run = load_run(config.run_dir, config.data_dir)
        best, unknown = run.recommend(config.history, config.k, config.user)
        if unknown:
            print(f"Skipped, not in the training data: {', '.join(unknown)}")
    width = max((len(item) for item, _, _ in best), default=0)
    for rank, (item, title, score) in enumerate(best, 1):
        print(f"{rank:3}  {score:8.3f}  {item:{width}}  {title}".rstrip())


def run() -> None:
    """Runs the command."""
    cli.run(main, RecommendationConfig)


if __name__ == "__main__":
    run()
