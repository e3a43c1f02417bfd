"""The commands train, evaluate and recommend, as a user runs them."""

import contextlib
import json
import time

import numpy as np
import pytest
import tensorflow as tf

from tests.commands import Command, run
from tfrec.errors import InputError
from tfrec.training import report
from tfrec.training.checkpoints import newest_checkpoint, read_progress

# Five steps in an epoch, of ACVAE with all its parts.
FLAGS = """
--dataset=synthetic
--synthetic_users=40
--synthetic_items=120
--synthetic_length=12
--epochs=2
--batch_size=8
--seed=3
--deterministic
--checkpoint_minutes=0
--embedding_dim=8
--gru_units=8
--convolution_filters=8
--latent_dim=4
--decoder_units=8
--critic_units=8
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("commands")


@pytest.fixture(scope="module")
def flags(folder):
    (folder / "tiny.flags").write_text(FLAGS)
    return f"--flagfile={folder / 'tiny.flags'}", f"--data_dir={folder / 'd'}"


@pytest.fixture(scope="module")
def whole(folder, flags):
    """The folder and the output of a run that nobody interrupted."""
    whole = folder / "whole"
    code, output, errors = run("tfrec.train", *flags, f"--run_dir={whole}")
    assert code == 0, errors
    return whole, output


def numbers(folder):
    return json.loads((folder / "metrics.json").read_text())


def test_train_prints_what_it_measured(whole):
    folder, output = whole
    saved = numbers(folder)
    assert "Epoch 2/2" in output
    assert output.endswith(f"\n{report(saved)}\n")
    assert list(saved["metrics"])[:3] == ["recall@5", "ndcg@5", "mrr@5"]
    assert saved["epochs"] == 2
    assert saved["seed"] == 3


def test_a_killed_run_ends_bit_for_bit_like_one_that_was_not(
    folder, flags, whole
):
    torn = folder / "torn"
    command = Command("tfrec.train", *flags, f"--run_dir={torn}")
    # Each step writes a checkpoint, so that the kill may well hit one.
    while command.running():
        # The files may be replaced while they are read.
        with contextlib.suppress(InputError):
            newest = newest_checkpoint(torn / "checkpoints")
            if newest and read_progress(newest).step >= 2:
                break
        time.sleep(0.01)
    command.kill()
    command.result()
    step = read_progress(newest_checkpoint(torn / "checkpoints")).step
    assert 2 <= step < 10
    assert not (torn / "metrics.json").exists()

    code, output, errors = run("tfrec.train", *flags, f"--run_dir={torn}")
    assert code == 0, errors
    assert "Resuming" in output
    one, two = (
        tf.train.load_checkpoint(newest_checkpoint(run / "checkpoints"))
        for run in (whole[0], torn)
    )
    names = [
        name
        for name in one.get_variable_to_shape_map()
        if name.startswith(("model", "optimizers"))
    ]
    assert len(names) > 70
    for name in names:
        np.testing.assert_array_equal(
            one.get_tensor(name), two.get_tensor(name), name
        )
    first, second = numbers(whole[0]), numbers(torn)
    assert first["metrics"] == second["metrics"]
    assert first["validation"] == second["validation"]


def test_evaluate_repeats_the_numbers(whole):
    folder, output = whole
    code, repeated, errors = run(
        "tfrec.evaluate", f"--run_dir={folder}", "--evaluation_block_items=5"
    )
    assert code == 0, errors
    protocol = "test: holdout 0.2, history excluded, 40 users\n"
    assert repeated.startswith(protocol)
    assert output.endswith(f"\n{repeated}")
    code, best, errors = run(
        "tfrec.evaluate", f"--run_dir={folder}", "--oracle"
    )
    assert code == 0, errors
    protocol, header, *rows = best.splitlines()
    assert protocol == repeated.splitlines()[0]
    cutoffs = repeated.splitlines()[1].split()
    assert header.split() == [c for at in cutoffs for c in (at, f"best{at}")]
    # What it knows: recall and NDCG.
    assert [len(row.split()) for row in rows] == [7, 7, 4]
    for row, alone in zip(rows, repeated.splitlines()[2:], strict=True):
        name, *values = row.split()
        # What is known of the best stands in every other column.
        own = values[::2] if len(values) == 6 else values
        assert [name, *own] == alone.split()


def test_recommend_names_items_and_skips_unknown_ones(whole, folder):
    items = (folder / "d" / "items.txt").read_text().split()
    code, output, errors = run(
        "tfrec.recommend",
        f"--run_dir={whole[0]}",
        f"--history={items[0]},no-such,{items[1]}",
        "--k=3",
    )
    assert code == 0, errors
    note, *best = output.splitlines()
    assert note == "Skipped, not in the training data: 'no-such'"
    assert [line.split()[0] for line in best] == ["1", "2", "3"]
    assert all(line.split()[2] in items for line in best)


def test_a_mistake_is_one_line(folder):
    for flags, message in (
        (["--modle=pop"], "Unknown flag `--modle`. Did you mean 'model'"),
        (["--model=acvea"], "Received: acvea. Did you mean 'acvae'"),
        (["--model=pop", "--dropout=0.1"], "means nothing with --model=pop"),
    ):
        code, _, errors = run("tfrec.train", *flags)
        assert code == 1
        assert message in errors
        assert len(errors.splitlines()) == 1
