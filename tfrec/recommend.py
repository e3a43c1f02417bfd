"""Asks a trained run what comes after a history.

    # Item ids as in the raw log, the oldest first.
    python -m tfrec.recommend --run_dir=runs/first --history=1193,661,914

Prints the best items, with their titles and log-probabilities. Unknown items
are named and skipped.
"""

import dataclasses

from tfrec import cli, settings
from tfrec.settings import Settings, setting
from tfrec.training import load_run


@dataclasses.dataclass(frozen=True)
class RecommendationConfig(Settings):
    """What to recommend, and to whom."""

    run_dir: str = setting("", "Folder of the run.")
    data_dir: str = setting(
        "", "Where its prepared dataset is now. Empty: where it was."
    )
    history: tuple[str, ...] = setting(
        (), "Item ids, oldest first, with commas between."
    )
    k: int = setting(10, "Number of items.", minimum=1)


def main() -> None:
    """Recommends as the flags say."""
    config = settings.from_flags(RecommendationConfig)
    run = load_run(config.run_dir, config.data_dir)
    best, unknown = run.recommend(config.history, config.k)
    if unknown:
        print(f"Skipped, not in the training data: {', '.join(unknown)}")
    width = max(len(item) for item, _, _ in best)
    for rank, (item, title, score) in enumerate(best, 1):
        print(f"{rank:3}  {score:8.3f}  {item:{width}}  {title}".rstrip())


if __name__ == "__main__":
    settings.define_flags(RecommendationConfig, required=["run_dir", "history"])
    cli.run(main)
