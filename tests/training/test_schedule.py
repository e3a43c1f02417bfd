import pytest

from tfrec.training import TrainingConfig
from tfrec.training.schedule import make_schedule


def test_a_constant_rate_needs_no_schedule():
    assert make_schedule(TrainingConfig(), 10) is None


def test_cosine_rises_to_the_peak_and_falls_to_zero():
    config = TrainingConfig(
        learning_rate_schedule="cosine", warmup_epochs=0.5, epochs=3
    )
    rate = make_schedule(config, steps_per_epoch=20)(0.1)
    rates = [float(rate(step)) for step in range(61)]
    assert rates[0] == 0
    assert rates[5] == pytest.approx(0.05)
    assert rates[10] == pytest.approx(0.1)
    assert rates[35] == pytest.approx(0.05)
    assert rates[60] == pytest.approx(0, abs=1e-8)
    assert rates[:11] == sorted(rates[:11])
    assert rates[10:] == sorted(rates[10:], reverse=True)


def test_cosine_without_warm_up_starts_at_the_peak():
    config = TrainingConfig(learning_rate_schedule="cosine", epochs=3)
    rate = make_schedule(config, steps_per_epoch=20)(0.1)
    assert float(rate(0)) == pytest.approx(0.1)
    assert float(rate(60)) == pytest.approx(0, abs=1e-8)


def test_a_warm_up_that_rounds_to_all_steps_leaves_one():
    config = TrainingConfig(
        learning_rate_schedule="cosine", warmup_epochs=0.95, epochs=1
    )
    rate = make_schedule(config, steps_per_epoch=8)(0.1)
    assert float(rate(7)) == pytest.approx(0.1)
    assert float(rate(8)) == pytest.approx(0, abs=1e-8)


def test_an_optimizer_that_steps_every_second_time_gets_as_far():
    config = TrainingConfig(
        learning_rate_schedule="cosine", warmup_epochs=1, epochs=3
    )
    schedule = make_schedule(config, steps_per_epoch=20)
    whole, half = schedule(0.1), schedule(0.1, every=2)
    for step in range(0, 61, 6):
        assert float(half(step // 2)) == pytest.approx(float(whole(step)))
