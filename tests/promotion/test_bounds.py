"""Tests of the bounds: what they measure, and when they refuse."""

import pytest

from tfrec.errors import InputError
from tfrec.promotion import bounds


def test_a_size_that_is_exceeded_is_told_with_both_numbers():
    bounds.refuse_large(2.0, None)
    bounds.refuse_large(2.0, 2.0)
    with pytest.raises(InputError, match=r"2\.01 MB, and `--max_size_mb` is 2"):
        bounds.refuse_large(2.01, 2.0)


@pytest.mark.parametrize(
    ("low", "high", "max_loss", "worse"),
    [
        (-0.02, 0.01, None, False),
        (-0.02, -0.001, None, True),
        (-0.02, 0.01, 0.02, False),
        (-0.02, 0.01, 0.019, True),
        # A loss that is shown, and is allowed.
        (-0.02, -0.001, 0.02, False),
    ],
)
def test_worse_is_a_matter_of_the_interval(low, high, max_loss, worse):
    middle = (low + high) / 2
    found = bounds.Difference("x", "mrr@5", 0.5 + middle, 0.5, low, high, 9)
    if not worse:
        bounds.refuse_worse("run", found, max_loss)
        return
    bound = "upper end must be at least 0"
    if max_loss is not None:
        bound = r"lower end must be at least -0\.0190 \(`--max_loss`\)"
    with pytest.raises(InputError, match=f"^run is worse.*{bound}"):
        bounds.refuse_worse("run", found, max_loss)


def test_slow_answers_are_told_with_both_numbers():
    found = bounds.Latency(1.0, 7.5, 300)
    bounds.refuse_slow(found, None)
    bounds.refuse_slow(found, 7.5)
    with pytest.raises(InputError, match=r"up to 7\.5 ms, .*_ms` is 7\.4\."):
        bounds.refuse_slow(found, 7.4)
    assert str(found) == "1.00 ms, 99% below 7.50 ms"
