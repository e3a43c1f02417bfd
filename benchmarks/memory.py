"""Peak memory of preparing and training, as an operator would see it.

    python -m benchmarks.memory

Runs the commands `tfrec.prepare` and `tfrec.train` on a log of the shape of
ML-1M (575,000 interactions, 3,533 items), each in a process of its own: an
epoch of ACVAE with the default settings, its validation and the test. Prints
the largest resident memory of each.

    prepare  0.92 GB
    train    1.65 GB
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.generated import write_log


def peak_gigabytes(module: str, *flags: str) -> float:
    """Runs a command to its end and returns its largest resident memory."""
    process = subprocess.Popen(
        [sys.executable, "-m", module, *flags], stdout=subprocess.DEVNULL
    )
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{module} failed.")
    # In KiB on Linux.
    return usage.ru_maxrss * 1024 / 1e9


def main() -> None:
    """Measures and prints."""
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder, "log.txt")
        write_log(log)
        data = [
            "--dataset=sequences",
            f"--raw_dir={log}",
            f"--data_dir={folder}/prepared",
        ]
        prepare = peak_gigabytes("tfrec.prepare", *data)
        print(f"prepare  {prepare:.2f} GB", flush=True)
        train = peak_gigabytes(
            "tfrec.train", *data, f"--run_dir={folder}/run", "--epochs=1"
        )
        print(f"train    {train:.2f} GB")


if __name__ == "__main__":
    main()
