"""Compares what a server is asked with what its model was trained on.

    # What `tfrec serve --log_requests=logs/requests` logged.
    python -m tfrec.watch --log=logs/requests --run_dir=runs/first

    # As a page; the version that answered is asked, not its run.
    python -m tfrec.watch logs/ --export_dir=export/models \\
        --data_dir=data/first --output=drift.html

    # In a cron job: exit status 2 if something moved much.
    python -m tfrec.watch --log=logs/requests --run_dir=runs/first \\
        --fail_above=0.25 --fail_unknown=0.1 --format=json --output=drift.json

Reads TFRecords of PredictionLog, as TensorFlow Serving and tfrec.serve write
them, one at a time. Tells how many items and users the model does not know;
how the lengths of histories, the popularity of their items, the first scores
and the popularity of what is recommended moved against the test (PSI,
Kolmogorov-Smirnov), beside what chance alone would do; how much of the
catalogue is recommended; and what to do.
"""

import sys

from tfrec import cli, settings
from tfrec.outputs import check_output
from tfrec.watching.config import WatchConfig

# What moved too much, not what went wrong.
_FAILED = 2


def main() -> None:
    """Watches as the flags say."""
    config = settings.from_flags(WatchConfig)
    config.check_choice()
    if config.output:
        check_output(config.output)

    # Only here, so that help and errors need not wait for TensorFlow.
    from pathlib import Path

    from tfrec.watching.report import RENDERERS
    from tfrec.watching.watching import watch

    watched = watch(config)
    text = RENDERERS[config.form](watched).rstrip()
    if config.output:
        from tfrec.training.files import write_text

        write_text(Path(config.output), text + "\n", "--output")
        print(f"Written: {config.output}")
    else:
        print(text)
    if failures := watched.failures(config):
        print(f"Too much: {'; '.join(failures)}.", file=sys.stderr)
        sys.stdout.flush()
        sys.exit(_FAILED)


def run() -> None:
    """Runs the command."""
    cli.run(main, WatchConfig, positional="log")


if __name__ == "__main__":
    run()
