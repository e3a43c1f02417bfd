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
"""

from tfrec import cli, data, settings


def main() -> None:
    """Prepares what the flags say and prints its card."""
    config = settings.from_flags(data.DataConfig)
    print(data.card(data.prepare(config)))


def run() -> None:
    """Runs the command."""
    cli.run(main, data.DataConfig)


if __name__ == "__main__":
    run()
