"""Prepares a raw log of interactions for training, as TFRecords.

Filters the log, orders it, splits it for training, validation and test, and
prints what is left after each step. Runs out of core: the log may be larger
than memory.

    # MovieLens: downloaded if it is not in --raw_dir.
    python -m tfrec.prepare --dataset=ml-1m --raw_dir=ml-1m --data_dir=data/ml

    # Any CSV or Parquet file with named columns.
    python -m tfrec.prepare --dataset=csv --raw_dir=clicks.csv \\
        --sequence_column=user --item_column=product --timestamp_column=time

    # One sequence in each line: "id item item item".
    python -m tfrec.prepare --dataset=sequences --raw_dir=sequences.txt

    # A day later: to what was prepared with --keep_log, add its file.
    python -m tfrec.prepare --append=data/monday --raw_dir=tuesday.csv \\
        --data_dir=data/tuesday
"""

import dataclasses

from tfrec import cli, settings
from tfrec.data import DataConfig
from tfrec.imports import lean_imports
from tfrec.settings import Settings, setting


@dataclasses.dataclass(frozen=True)
class AppendConfig(Settings):
    """What is prepared already."""

    append: str = setting(
        "",
        "Folder of a dataset that was prepared with --keep_log. Its log and "
        "the files of --raw_dir are prepared as one log in --data_dir, with "
        "the settings of that dataset. Its own raw files are not read.",
    )


def main() -> None:
    """Prepares what the flags say and prints its card."""
    earlier = settings.given_values(AppendConfig)
    given = settings.given_values(DataConfig)
    config = None if earlier else settings.from_flags(DataConfig)

    # Only here, so that help and errors need not wait for TensorFlow.
    with lean_imports():
        from tfrec.data import append, card, prepare

    if earlier:
        prepared = append(earlier["append"], **given)
    else:
        prepared = prepare(config)
    print(card(prepared))


def run() -> None:
    """Runs the command."""
    cli.run(main, DataConfig, AppendConfig)


if __name__ == "__main__":
    run()
