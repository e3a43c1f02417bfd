"""Writes what there is to know of a trained run as one web page.

    python -m tfrec.report --run_dir=runs/first --output=report.html

The page has the data, the settings and the command of the run, its learning
curves and the terms of its objective, where it ranks the targets, for which
users and items it is right, what it recommends, whether its probabilities are
frequencies, some users with titles, and what its latents carry. It holds all
it needs: send it as it is. Every picture has its numbers below.
"""

import dataclasses
from pathlib import Path

from tfrec import cli, settings
from tfrec.outputs import check_output
from tfrec.settings import Settings, setting


@dataclasses.dataclass(frozen=True)
class ReportConfig(Settings):
    """What to report, and where to."""

    run_dir: str = setting("", "Folder of the run.", required=True)
    data_dir: str = setting(
        "", "Where its prepared dataset is now. Empty: where it was."
    )
    output: str = setting(
        "", "File to write. Empty: report.html in the folder of the run."
    )
    seed: int = setting(0, "Seed of the users taken at random.", minimum=0)


def main() -> None:
    """Reports as the flags say."""
    config = settings.from_flags(ReportConfig)
    path = Path(config.output or Path(config.run_dir) / "report.html")
    if config.output:
        check_output(path)

    # Only here, so that help and errors need not wait for TensorFlow.
    from tfrec.reporting.page import report
    from tfrec.training.files import write_text

    text = report(config.run_dir, config.data_dir, config.seed)
    write_text(path, text, "--output")
    print(f"Written: {path}")


def run() -> None:
    """Runs the command."""
    cli.run(main, ReportConfig)


if __name__ == "__main__":
    run()
