"""What a process holds is read at the end of each epoch."""

import sys

import pytest

from benchmarks.memory_curve import curve

TRAINING = """
import time
held = []
for epoch in range(3):
    held.append(b"x" * 50_000_000)
    print(f"Epoch {epoch + 1}/3 - 1s", flush=True)
    time.sleep(0.5)
"""


def test_a_curve_shows_what_a_process_keeps():
    held = curve([sys.executable, "-c", TRAINING])
    assert len(held) == 3
    assert held[1] - held[0] > 0.04
    assert held[2] - held[1] > 0.04


def test_a_training_that_fails_has_no_curve():
    with pytest.raises(SystemExit, match="failed"):
        curve([sys.executable, "-c", "raise ValueError"])
