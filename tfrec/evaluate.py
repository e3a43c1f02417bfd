"""Repeats the measurement of a trained run from its checkpoint.

    python -m tfrec.evaluate --run_dir=runs/first

    # On the split that chose the epoch, instead of the test split.
    python -m tfrec.evaluate --run_dir=runs/first --split=validation

    # Where memory is scarce: of fewer sequences and items at once.
    python -m tfrec.evaluate --run_dir=runs/first --evaluation_batch_size=32 \\
        --evaluation_block_items=8192

    # Beside the best that can be expected, which the synthetic dataset knows.
    python -m tfrec.evaluate --run_dir=runs/quickstart --oracle
"""

import dataclasses

from tfrec import cli, settings
from tfrec.settings import Settings, setting


@dataclasses.dataclass(frozen=True)
class EvaluationConfig(Settings):
    """What to measure."""

    run_dir: str = setting("", "Folder of the run.", required=True)
    data_dir: str = setting(
        "", "Where its prepared dataset is now. Empty: where it was."
    )
    split: str = setting(
        "test", "The split to rank.", choices=("test", "validation")
    )
    evaluation_batch_size: int = setting(
        0, "Sequences in a batch. 0: as in training.", minimum=0
    )
    evaluation_block_items: int = setting(
        0,
        "Items scored at once; fewer take less memory. 0: as in training.",
        minimum=0,
    )
    oracle: bool = setting(
        False,
        "synthetic: the best recall and NDCG that can be expected beside each.",
    )


def main() -> None:
    """Evaluates as the flags say."""
    config = settings.from_flags(EvaluationConfig)

    # Only here, so that help and errors need not wait for TensorFlow.
    from tfrec.data.oracle import Oracle
    from tfrec.training import load_run, report
    from tfrec.training.run import EVALUATION_FLAGS

    changes = {name: getattr(config, name) for name in EVALUATION_FLAGS}
    changes = {name: value for name, value in changes.items() if value}
    run = load_run(config.run_dir, config.data_dir, **changes)
    # First, since there may be none for this dataset.
    oracle = Oracle(run.data) if config.oracle else None
    result = run.evaluate(config.split)
    best = oracle and oracle.evaluate(config.split, run.config.cutoffs)
    print(report(result, best))


def run() -> None:
    """Runs the command."""
    cli.run(main, EvaluationConfig)


if __name__ == "__main__":
    run()
