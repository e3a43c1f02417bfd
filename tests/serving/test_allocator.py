"""Tests of how the server takes memory."""

import json
import os
import platform
import subprocess
import sys

import pytest

# Threads that hold memory of the C library at the same time, in a process of
# its own: arenas stay. Counted are those that its own report lists.
_COUNT = """
import ctypes, json, tempfile, threading
from tfrec.serving.allocator import use_few_arenas
use_few_arenas()
libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p
together = threading.Barrier(12)
def take():
    together.wait()
    libc.malloc(1000)
    together.wait()
threads = [threading.Thread(target=take) for _ in range(12)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
libc.fdopen.restype = ctypes.c_void_p
with tempfile.TemporaryFile() as report:
    stream = ctypes.c_void_p(libc.fdopen(report.fileno(), b"w"))
    libc.malloc_info(0, stream)
    libc.fflush(stream)
    report.seek(0)
    print(json.dumps(report.read().count(b"<heap ")))
"""


def arenas(**environment: str) -> int:
    """Returns how many arenas twelve threads have."""
    kept = {k: v for k, v in os.environ.items() if k != "MALLOC_ARENA_MAX"}
    found = subprocess.run(
        [sys.executable, "-c", _COUNT],
        env={**kept, **environment},
        capture_output=True,
        check=True,
        text=True,
    )
    return json.loads(found.stdout)


@pytest.mark.skipif(
    platform.libc_ver()[0] != "glibc", reason="another C library"
)
def test_threads_share_two_arenas_unless_the_environment_says_more():
    assert arenas() <= 2
    assert arenas(MALLOC_ARENA_MAX="6") > 2
