"""`tfrec serve` as a process of its own, and what it holds; for tests too."""

import contextlib
import dataclasses
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

# Seconds in which it answers what is in progress at its end.
_GRACE = 20


@dataclasses.dataclass
class ServerProcess:
    """A server that was started.

    Attributes:
        process: The process.
        grpc_address: host:port for gRPC.
        rest_address: host:port for REST.
        log: The lines that it wrote to its standard error, so far.
    """

    process: subprocess.Popen
    grpc_address: str
    rest_address: str
    log: list[str]


@contextlib.contextmanager
def server_process(folder: Path, *flags: str) -> Iterator[ServerProcess]:
    """Starts a server on free ports, and ends it.

    Args:
        folder: Of the models.
        *flags: More of `tfrec serve`.

    Raises:
        RuntimeError: If it does not start; with what it said.
    """
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "tfrec.serve",
            f"--export_dir={folder}",
            "--grpc_port=0",
            "--rest_port=0",
            "--poll_seconds=0.1",
            *flags,
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "TF_NUM_INTEROP_THREADS": "2"},
    )
    # What it logs must not fill the pipe.
    log: list[str] = []
    threading.Thread(
        target=lambda: log.extend(process.stderr), daemon=True
    ).start()
    addresses = {}
    for line in process.stdout:
        kind, _, address = line.strip().partition(" at ")
        addresses[kind] = address.removeprefix("http://")
        if kind == "REST":
            break
    else:
        process.wait()
        raise RuntimeError("The server did not start:\n" + "".join(log))
    try:
        yield ServerProcess(process, addresses["gRPC"], addresses["REST"], log)
    finally:
        process.terminate()
        try:
            process.wait(_GRACE)
        finally:
            process.kill()


@dataclasses.dataclass(frozen=True)
class Usage:
    """What a process holds.

    Attributes:
        resident: Bytes of its memory that are in use.
        threads: Its threads.
        descriptors: Its open files and connections.
    """

    resident: int
    threads: int
    descriptors: int


def usage(pid: int) -> Usage:
    """Returns what a process holds now, on Linux."""
    folder = Path("/proc", str(pid))
    pages = int(folder.joinpath("statm").read_text().split()[1])
    return Usage(
        pages * os.sysconf("SC_PAGE_SIZE"),
        len(os.listdir(folder / "task")),
        len(os.listdir(folder / "fd")),
    )
