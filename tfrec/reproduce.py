"""Shows again what a paper shows: a grid of runs, and a report beside it.

    # What there is to train, with the commands. Starts nothing.
    python -m tfrec.reproduce --of=acvae --list

    # Table 2 on ML-latest; the same command again goes on where it stopped.
    python -m tfrec.reproduce --of=acvae --only=table2:ml_latest \\
        --raw_dirs=ml_latest=~/ml-latest-small --seeds=0,1,2

    # Is everything in place? One epoch each, in a folder of its own.
    python -m tfrec.reproduce --of=vaser --only=table2:yoochoose_1_64 \\
        --raw_dirs=yoochoose_1_64=yoochoose1_64 --shorten=epochs=1

Each run has a folder below `--output_dir`, with its log. A run that is finished
is not repeated, unless its flagfile has changed; one that fails does not stop
the others. The end is report.md and report.html: the paper's figure, ours as
published, ours, ours tuned, with intervals. What was not run says "not run".
"""

import dataclasses
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from tfrec import cli, settings
from tfrec.errors import InputError, nearest_names
from tfrec.reproduction import acvae, vaser
from tfrec.reproduction.grid import Failure, Grid, Trial
from tfrec.reproduction.plan import Job, Plan
from tfrec.reproduction.selection import select
from tfrec.settings import Settings, setting

_PLANS = {"acvae": acvae.PLAN, "vaser": vaser.PLAN}
# Without a test there is nothing to report.
_OF_THE_GRID = ("seed", "run_dir", "raw_dir", "flagfile", "test", "notest", "")


@dataclasses.dataclass(frozen=True)
class ReproductionConfig(Settings):
    """What to show again, from what."""

    of: str = setting("", "The paper.", choices=tuple(_PLANS), required=True)
    only: tuple[str, ...] = setting(
        (),
        "Names of tables, figures, datasets, models and variants (published, "
        "ours, tuned), joined by colons: table2,figure4:ml_latest,"
        "table2:sasrec. Empty: everything.",
    )
    raw_dirs: tuple[str, ...] = setting(
        (),
        "Folder of the raw files of each dataset: ml_latest=FOLDER,"
        "ml_1m=FOLDER. Runs of a dataset without one are left out.",
    )
    output_dir: str = setting(
        "", "Folder of the runs and the report. Empty: runs/reproduce_<paper>."
    )
    seeds: tuple[int, ...] = setting(
        (0,),
        "Seeds of each run; what no seed changes has the first.",
        minimum=0,
    )
    configs: str = setting("configs", "Folder of the flagfiles.")
    shorten: tuple[str, ...] = setting(
        (),
        "Flags that every run gets, for a trial: epochs=1. Such runs and their "
        "report, which says so, are in a folder of their own, `short`.",
    )
    list: bool = setting(
        False, "List the runs and their commands, and start nothing."
    )
    report_only: bool = setting(
        False, "Write the report of what is finished, and start nothing."
    )

    def __post_init__(self):
        super().__post_init__()
        if len(set(self.seeds)) < len(self.seeds):
            raise InputError(
                "`--seeds` must be different numbers. Received: "
                f"{', '.join(map(str, self.seeds))}."
            )

    def unused(self) -> dict[str, str]:
        """See base class."""
        return {"report_only": "with --list"} if self.list else {}


def main() -> None:
    """Trains and reports as the flags say."""
    config = settings.from_flags(ReproductionConfig)
    plan = _PLANS[config.of]
    configs = Path(config.configs)
    if not configs.is_dir():
        raise InputError(
            "`--configs` must name the folder of flagfiles, `configs` of the "
            f"repository. Received: {config.configs}, which is no folder."
        )
    parts, jobs = select(plan, config.only, configs)
    folder = Path(config.output_dir or f"runs/reproduce_{config.of}")
    if config.shorten:
        folder /= "short"
    grid = Grid(
        folder / "runs",
        configs,
        _raw_dirs(config.raw_dirs, plan),
        _changes(config.shorten),
    )
    for job in jobs:
        if not (configs / job.flagfile).exists():
            raise InputError(
                "`--configs` must be a folder with the flagfiles of "
                f"{plan.paper}. Received: {configs}, without {job.flagfile}."
            )
    trials = [Trial(job, s) for job in jobs for s in job.seeds(config.seeds)]
    if config.list:
        _list(grid, trials)
        return
    failures = []
    if not config.report_only:
        failures = _train(grid, trials, plan, jobs)

    # Only here, so that help, errors and lists need not wait for TensorFlow.
    from tfrec.reproduction.report import report

    for path in report(plan, parts, jobs, grid, config.seeds, folder):
        print(f"Written: {path}")
    if failures:
        for failure in failures:
            print(f"{failure}\n", file=sys.stderr)
        raise InputError(
            f"{len(failures)} of {len(trials)} runs failed. The same command "
            "tries them again."
        )


def _raw_dirs(pairs: Sequence[str], plan: Plan) -> dict[str, str]:
    """Returns folders by dataset.

    Raises:
        InputError: If a dataset is not of the plan, or a folder is not there.
    """
    names = [dataset.name for dataset in plan.datasets]
    found = {}
    for pair in pairs:
        name, _, folder = pair.partition("=")
        path = Path(folder).expanduser()
        if not folder or name not in names:
            raise InputError(
                "`--raw_dirs` must be a comma-separated list of DATASET=FOLDER "
                f"with {', '.join(names)}. Received: {pair!r}."
                f"{nearest_names(name, names)}"
            )
        if not path.exists():
            raise InputError(
                f"`--raw_dirs` must name folders that are there. Received: "
                f"{pair}."
            )
        found[name] = str(path)
    return found


def _changes(pairs: Sequence[str]) -> tuple[str, ...]:
    """Returns flags without dashes, which may stand there or not."""
    changes = tuple(pair.lstrip("-") for pair in pairs)
    for change in changes:
        name = change.partition("=")[0]
        if name in _OF_THE_GRID:
            raise InputError(
                "`--shorten` must be a comma-separated list of NAME=VALUE, "
                "flags of `tfrec train` but those that the grid sets itself. "
                f"Received: {change!r}."
            )
    return changes


def _list(grid: Grid, trials: Sequence[Trial]) -> None:
    lines = []
    for trial in trials:
        state = "finished" if grid.finished(trial) else "not run"
        lines += [f"{trial.title}: {state}"]
        lines += [f"  {shlex.join(grid.command_of(trial))}"]
    finished = sum(map(grid.finished, trials))
    cli.show(
        "\n".join([*lines, f"{len(trials)} runs, {finished} of them finished."])
    )


def _train(
    grid: Grid, trials: Sequence[Trial], plan: Plan, jobs: Sequence[Job]
) -> list[Failure]:
    """Trains what there is data for, and says what there is none for."""
    ready = [trial for trial in trials if trial.job.dataset in grid.raw_dirs]
    if jobs and not ready:
        raise InputError(
            "`--raw_dirs` must name the folder of a dataset of these runs: "
            f"{', '.join(sorted({job.dataset for job in jobs}))}. "
            "--report_only reports what is finished; --list shows the runs."
        )
    for dataset in plan.datasets:
        without = [
            trial
            for trial in trials
            if trial.job.dataset == dataset.name and trial not in ready
        ]
        if without:
            print(
                f"{dataset.name}: no folder in `--raw_dirs`, so that its "
                f"{len(without)} runs are left out."
            )
    return grid.run(ready)


def run() -> None:
    """Runs the command."""
    cli.run(main, ReproductionConfig)


if __name__ == "__main__":
    run()
