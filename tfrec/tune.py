"""Searches a model's settings: random trials, judged on the validation split.

    # Twenty settings of SASRec; the test split is not looked at.
    python -m tfrec.tune --model=sasrec --dataset=ml-latest-small \\
        --epochs=20 --trials=20 --study_dir=runs/tune_sasrec

    # Train with the best, and test once.
    python -m tfrec.train --flagfile=runs/tune_sasrec/best.flags \\
        --run_dir=runs/sasrec

    # Ten settings: those of a file, and nine others around them.
    python -m tfrec.tune --flagfile=configs/caser/ml_latest.flags \\
        --fit_on=train --search=all --trials=10 --study_dir=runs/tune_caser

Takes the flags of `tfrec train`. A setting of the model that is given is kept;
the others are drawn from the space that the model declares, which is printed.
With --search those that it names are drawn too, after a first trial with the
settings as they are given.
Trial i has the same settings whenever and however often it is run. The same
command again resumes a search that was interrupted, in the middle of a trial
too. A trial is stopped whose best value so far is below the median of what
those that ran to their end had at the same epoch, once there are five.
"""

import dataclasses
from pathlib import Path

from absl import flags

from tfrec import cli, settings
from tfrec.data import DataConfig
from tfrec.errors import InputError
from tfrec.models import MODELS
from tfrec.models.configs.space import Space
from tfrec.settings import Settings, setting
from tfrec.train import read_settings
from tfrec.training import TrainingConfig


@dataclasses.dataclass(frozen=True)
class TuningConfig(Settings):
    """How to search."""

    study_dir: str = setting(
        "",
        "Folder of the search: its trials, study.db and best.flags.",
        required=True,
    )
    trials: int = setting(
        20, "Settings to try. Raise it to search on.", minimum=1
    )
    search: str = setting(
        "",
        "Settings of the model's space to draw, joined by commas, or all. "
        "Trial 0 has the settings that are given, so the best is no worse. "
        "Empty: draw those that are not given, in trial 0 too.",
    )
    prune: bool = setting(
        True,
        "Stop a trial whose best validation metric so far is below the median "
        "of finished trials at the same epoch, once there are five.",
    )
    prune_after: int = setting(3, "Epochs that every trial has.", minimum=1)

    def unused(self) -> dict[str, str]:
        """See base class."""
        return {} if self.prune else {"prune_after": "with --noprune"}


def main() -> None:
    """Searches as the flags say."""
    tuning = settings.from_flags(TuningConfig)
    data_config, config, model_config = read_settings()
    if config.run_dir:
        raise InputError(
            "`--run_dir` means nothing here: each trial has a folder in "
            "`--study_dir`. Remove it."
        )
    if not config.test:
        raise InputError(
            "`--notest` means nothing here: no trial reads the test split. "
            "Remove it."
        )
    if config.fit_on != "train":
        raise InputError(
            "`--fit_on` must be train: trials are judged on the validation "
            f"split. Received: {config.fit_on}."
        )
    space = _space(config.model, model_config, tuning.search)

    # Only here, so that help and errors need not wait for TensorFlow.
    from tfrec.data import prepare
    from tfrec.training.tuning import tune

    print(
        tune(
            prepare(data_config),
            config,
            model_config,
            space,
            Path(tuning.study_dir),
            tuning.trials,
            tuning.prune_after if tuning.prune else 0,
            given_first=bool(tuning.search),
        )
    )


def _space(model: str, given: Settings, search: str) -> Space:
    """Returns the part of a model's space that is drawn.

    What means nothing beside the given settings is not.

    Raises:
        InputError: If `search` names what the model does not declare or what
            means nothing, or nothing is left to draw.
    """
    unused = given.unused()
    declared = {k: v for k, v in given.space.items() if k not in unused}
    names = list(declared)
    if search not in ("", "all"):
        chosen = search.split(",")
        for name in chosen:
            if name in unused:
                raise InputError(
                    f"--search: {name!r} means nothing {unused[name]}."
                )
            if name not in declared:
                raise InputError(
                    f"--search: {name!r} is not in the space of --model={model}"
                    f": {', '.join(declared) or 'it declares none'}."
                )
        # Always in one order, in which values are drawn.
        names = [name for name in declared if name in chosen]
    space = {
        name: declared[name]
        for name in names
        if search or flags.FLAGS[name].value is None
    }
    if not space:
        raise InputError(
            f"--model={model} has no setting left to search: "
            f"{', '.join(declared) or 'it declares none'}."
        )
    return space


def run() -> None:
    """Runs the command."""
    cli.run(main, TuningConfig, DataConfig, TrainingConfig, models=MODELS)


if __name__ == "__main__":
    run()
