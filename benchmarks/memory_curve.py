"""What a training process holds, epoch by epoch.

    python -m benchmarks.memory_curve
    python -m benchmarks.memory_curve --train="--model=vaser --batch_size=64"
    python -m benchmarks.memory_curve \\
        --train="--flagfile=configs/acvae/ml_latest.flags --raw_dir=ml-latest"

Without a `--raw_dir` or `--data_dir`, data of the shape of ML-1M are made.

Runs `tfrec.train` as a process of its own and prints its resident memory after
epochs of a growing number, and by how much it grew from the second one to the
last. Exits with 1 if that is more than --most_growth. With `--fit_on=train`,
the default, every epoch ends with a validation, so that evaluation counts too.
"""

from tfrec import cli, settings

# isort: split
import dataclasses
import re
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.generated import write_log
from tfrec.errors import InputError
from tfrec.settings import Settings, setting


@dataclasses.dataclass(frozen=True)
class MemoryCurveConfig(Settings):
    """What is trained."""

    train: str = setting(
        "", "Flags of `tfrec.train`, in one string: the model, the data."
    )
    epochs: int = setting(100, "Epochs.", minimum=3)
    most_growth: float = setting(
        0.05, "Share by which memory may grow after the second epoch.", above=0
    )


def curve(command: list[str]) -> list[float]:
    """Runs a training and returns the gigabytes held after each epoch."""
    held = []
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, bufsize=1
    ) as process:
        status = Path("/proc", str(process.pid), "status")
        for line in process.stdout:
            resident = re.search(r"VmRSS:\s+(\d+) kB", status.read_text())
            # A process that has ended holds nothing.
            if line.startswith("Epoch ") and resident:
                held.append(int(resident[1]) * 1024 / 1e9)
                if _is_shown(len(held)):
                    print(f"{len(held):6} {held[-1]:8.3f}", flush=True)
    if process.returncode:
        raise SystemExit("tfrec.train failed.")
    return held


def _is_shown(epoch: int) -> bool:
    """Returns whether an epoch has a line: 1, 2, 3, 5, 10, then every tenth."""
    return epoch in (1, 2, 3, 5) or epoch % 10 == 0


def main() -> None:
    """Measures and prints."""
    config = settings.from_flags(MemoryCurveConfig)
    with tempfile.TemporaryDirectory() as folder:
        flags = shlex.split(config.train)
        if not any(f.startswith(("--raw_dir", "--data_dir")) for f in flags):
            log = Path(folder, "log.txt")
            write_log(log)
            flags += ["--dataset=sequences", f"--raw_dir={log}"]
            flags += [f"--data_dir={folder}/prepared"]
        print(f" epoch       GB  tfrec.train {config.train}", flush=True)
        held = curve(
            [
                sys.executable,
                "-m",
                "tfrec.train",
                *flags,
                f"--run_dir={folder}/run",
                f"--epochs={config.epochs}",
                "--notest",
            ]
        )
    if len(held) < 3:
        raise InputError(
            "`--train` must train for three epochs or more, and say each. "
            f"Received: {config.train}, with {len(held)} of them."
        )
    growth = held[-1] / held[1] - 1
    print(f"\nfrom the second epoch to the last: {growth:+.1%}")
    sys.exit(growth > config.most_growth)


if __name__ == "__main__":
    cli.run(main, MemoryCurveConfig)
