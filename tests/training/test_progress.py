import re
from types import SimpleNamespace

import pytest

from tfrec.training import TrainingConfig, load_run, train
from tfrec.training import progress as module
from tfrec.training.checkpoints import Progress
from tfrec.training.progress import (
    Bar,
    EpochBar,
    TimeLeft,
    numbers,
    say,
    shown,
)


class Clock:
    """A time that tests let pass."""

    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    """The clock of everything that is shown."""
    clock = Clock()
    monkeypatch.setattr(module.time, "monotonic", clock)
    return clock


def pass_steps(left, clock, progress, steps, seconds):
    for _ in range(steps):
        clock.now += seconds
        progress.step += 1
        left.step()


def validate(left, clock, seconds):
    left.begin_validation()
    clock.now += seconds
    left.end_validation()


@pytest.mark.parametrize(
    ("verbose", "expected"),
    [("bar", "bar"), ("line", "line"), ("none", "none"), ("auto", "line")],
)
def test_progress_is_a_line_where_there_is_no_terminal(verbose, expected):
    assert shown(TrainingConfig(verbose=verbose)) == expected


def test_the_time_left_is_that_of_steps_and_validations(clock):
    progress = Progress()
    config = TrainingConfig(epochs=5, validate_every=2)
    left = TimeLeft(config, 10, progress)
    assert (left.seconds(), str(left)) == (None, "")
    # Tracing the first step took long, which says nothing of the others.
    pass_steps(left, clock, progress, 1, 60)
    assert left.seconds() is None
    pass_steps(left, clock, progress, 9, 2)
    assert left.seconds() == pytest.approx(40 * 2)
    pass_steps(left, clock, progress, 10, 2)
    validate(left, clock, 7)
    # After epoch 2: those of epochs 4 and 5 are to come.
    assert left.seconds() == pytest.approx(30 * 2 + 2 * 7)
    assert str(left) == "about 1 min left"
    pass_steps(left, clock, progress, 20, 2)
    validate(left, clock, 8)
    assert left.seconds() == pytest.approx(10 * 2 + 8)


def test_what_happens_between_steps_takes_time_too(clock):
    progress = Progress()
    left = TimeLeft(TrainingConfig(epochs=3), 11, progress)
    pass_steps(left, clock, progress, 11, 1)
    # A checkpoint.
    clock.now += 10
    assert left.seconds() == pytest.approx(22 * 2)


def test_a_resumed_run_counts_only_what_is_left(clock):
    progress = Progress(step=25, wall_seconds=1e6)
    config = TrainingConfig(epochs=3, fit_on="all")
    left = TimeLeft(config, 10, progress)
    pass_steps(left, clock, progress, 3, 4)
    assert left.seconds() == pytest.approx(2 * 4)


def test_a_run_that_may_lose_its_patience_takes_no_longer_than_that(clock):
    progress = Progress()
    left = TimeLeft(TrainingConfig(epochs=2, patience=1), 2, progress)
    pass_steps(left, clock, progress, 2, 5)
    assert str(left) == "at most 10 s left"


def run_epoch(config, clock, stop, best=None):
    """Runs an epoch of two steps through a bar."""
    progress = Progress()
    bar = EpochBar(config, 2, progress)
    bar.set_model(SimpleNamespace(stop_training=stop))
    bar.on_epoch_begin(0)
    for batch in range(2):
        clock.now += 3
        progress.step += 1
        bar.on_train_batch_end(batch, {"loss": 2.5, "term": 1.0})
    bar.on_test_begin()
    clock.now += 1
    bar.on_test_end({"ndcg@10": 0.5})
    progress.best_epoch = best
    bar.on_epoch_end(0, {"loss": 1.5, "term": 2.5, "val_ndcg@10": 1 / 4096})
    bar.on_train_end()


def test_a_line_has_the_loss_one_metric_and_the_time_left(clock, capsys):
    run_epoch(TrainingConfig(epochs=3, verbose="line"), clock, stop=False)
    assert capsys.readouterr().out == (
        "Epoch 1/3 - 7s - loss: 1.5000 - val_ndcg@10: 2.4414e-04 - "
        "about 14 s left\n"
    )


def test_after_the_last_epoch_no_time_is_left(clock, capsys):
    run_epoch(TrainingConfig(epochs=3, verbose="line"), clock, stop=True)
    assert capsys.readouterr().out == (
        "Epoch 1/3 - 7s - loss: 1.5000 - val_ndcg@10: 2.4414e-04\n"
    )


def test_one_bar_grows_through_the_run_below_the_rows_of_epochs(clock, capsys):
    run_epoch(TrainingConfig(epochs=3, verbose="bar"), clock, stop=False)
    output = capsys.readouterr().out
    first = output.split("\r")[1]
    assert first.startswith("Epoch 1/3 [")
    assert "] 0/6" in first
    row = (
        "Epoch 1/3 - 7s - loss: 1.5000 - val_ndcg@10: 2.4414e-04 - "
        "about 14 s left\n"
    )
    assert f"\r{row}" in output
    # The bar goes on, and is removed at the end.
    assert "] 2/6" in output.partition(row)[2]
    assert output.split("\r")[-2].strip() == ""


def test_the_row_of_the_best_epoch_is_green(clock, capsys, monkeypatch):
    paint = lambda text, style, stream: f"<{style}>{text}"  # noqa: E731
    monkeypatch.setattr(module, "painted", paint)
    config = TrainingConfig(epochs=3, verbose="line")
    run_epoch(config, clock, stop=False, best=1)
    assert capsys.readouterr().out.startswith("<green>Epoch 1/3 - 7s")
    run_epoch(config, clock, stop=False, best=0)
    assert capsys.readouterr().out.startswith("Epoch 1/3 - 7s")


def test_a_bar_shows_steps_numbers_and_the_time_left(capsys, monkeypatch):
    monkeypatch.setattr(module.tqdm, "monitor_interval", 0)
    config = TrainingConfig(verbose="bar")
    bar = Bar(config, "Epoch 1/3", 4)
    bar._bar.mininterval = 0
    logs = {"loss": 2.5, "term": 1.0}
    bar.update(2, *numbers(config, logs), "about 9 s left")
    shown = capsys.readouterr().out.split("\r")[-1]
    assert re.search(
        r"Epoch 1/3 \[=+ +\] 2/4, loss: 2\.5000 - about 9 s left", shown
    )
    bar.close()


def test_what_is_said_beside_a_bar_stands_above_it(capsys):
    config = TrainingConfig(verbose="bar")
    bar = Bar(config, "Epoch 1/3", 4)
    say(config, "The posterior has collapsed.")
    assert "\rThe posterior has collapsed.\n" in re.sub(
        r"\r +\r", r"\r", capsys.readouterr().out
    )
    bar.close()


@pytest.mark.parametrize("verbose", ["line", "none", "bar"])
def test_a_run_says_how_long_it_will_take(data, settings, capsys, verbose):
    config = settings(verbose=verbose, epochs=3)
    train(data, config)
    load_run(config.run_dir).evaluate()
    output = capsys.readouterr().out
    lines = re.findall(r"Epoch \d/3 - \d+s - loss: .*", output)
    if verbose == "none":
        assert output == ""
        return
    assert [line[:9] for line in lines] == [f"Epoch {n}/3" for n in (1, 2, 3)]
    assert all(
        re.search(r" - val_ndcg@10: [\d.]+ - about \d+ s left$", line)
        for line in lines[:2]
    )
    assert "left" not in lines[2]
    assert ("Evaluating [" in output) == (verbose == "bar")
