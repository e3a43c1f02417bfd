"""How many inputs Hypothesis draws for a property that a test states.

    TFREC_TIMES=100 python -m pytest -k property

draws a hundred times as many, and others in each run. Without it they are few
and always the same, so that the gate is quick and repeats.
"""

import os

import hypothesis

TIMES = "TFREC_TIMES"


def examples(count: int) -> hypothesis.settings:
    """Returns the settings of a property that draws so many inputs."""
    times = int(os.environ.get(TIMES, "1"))
    return hypothesis.settings(
        max_examples=times * count,
        derandomize=times == 1,
        # Nothing that one run finds changes the next, or stays on the disk.
        database=None,
        # A test must not depend on the time that it takes.
        deadline=None,
        suppress_health_check=[hypothesis.HealthCheck.too_slow],
    )
