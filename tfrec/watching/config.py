"""Settings of the watch: which log, against what, and what is too much."""

import dataclasses
from pathlib import Path

from tfrec.errors import InputError
from tfrec.settings import Settings, setting

FORMATS = ("text", "json", "html")


@dataclasses.dataclass(frozen=True)
class WatchConfig(Settings):
    """What is read, what it is compared with, and how it is shown."""

    log: tuple[str, ...] = setting(
        (),
        "Logged requests, with or without this flag: files, folders, patterns "
        "such as logs/*20261126*, or what --log_requests of the server names.",
        required=True,
    )
    run_dir: str = setting("", "Folder of the run that was exported.")
    export_dir: str = setting(
        "",
        "Instead of a run: folder of all exported models, of which the version "
        "in the log answers.",
    )
    data_dir: str = setting(
        "",
        "Where the prepared dataset of the training is now. Empty: where it "
        "was; with --export_dir as the card of `tfrec promote` says.",
    )
    name: str = setting(
        "", "Name of the model in the server. Empty: the only one in the log."
    )
    version: int = setting(
        0, "Version that is watched. 0: the newest in the log.", minimum=0
    )
    histories: int = setting(
        20_000,
        "Most histories of the test that the model is asked, at random.",
        minimum=1,
    )
    min_rows: int = setting(
        200,
        "Fewest rows of requests for a verdict, and for a failure.",
        minimum=1,
    )
    fail_above: float | None = setting(
        None,
        "Exit with status 2 if a PSI exceeds this, and what chance explains; "
        "0.25 is the usual bound. Empty: never.",
        minimum=0,
    )
    fail_unknown: float | None = setting(
        None,
        "Exit with status 2 if the share of unknown items, or that of "
        "histories without a known one, is above this, with all of its "
        "interval. Empty: never.",
        minimum=0,
        maximum=1,
    )
    seed: int = setting(0, "Seed of what is taken at random.", minimum=0)
    format: str = setting(
        "auto",
        "How to write it; auto: by the ending of --output (.html, .json), or "
        "as text.",
        choices=("auto", *FORMATS),
    )
    output: str = setting("", "File to write. Empty: to the terminal.")

    @property
    def form(self) -> str:
        """How it is written, one of `FORMATS`."""
        if self.format != "auto":
            return self.format
        ending = Path(self.output).suffix[1:]
        return ending if ending in FORMATS else "text"

    def check_choice(self) -> None:
        """Raises `InputError` unless there is one thing to compare with."""
        if bool(self.run_dir) == bool(self.export_dir):
            raise InputError(
                "Give one of `--run_dir` (the run that was exported) and "
                "`--export_dir` (the models that are served)."
            )
