"""Tests of comparing runs."""

import dataclasses
import json
import shutil

import numpy as np
import pytest

from tests.models import contract
from tests.prepared import prepare_sequences
from tests.toy import toy_data
from tfrec import compare as command
from tfrec.errors import InputError
from tfrec.metrics.ranks import Ranks
from tfrec.metrics.statistics import difference
from tfrec.training import TrainingConfig, load_run, train
from tfrec.training.comparison import (
    beside_best,
    best_first,
    compare,
    read_runs,
)

METRICS = ("recall@10", "ndcg@10")


def finish(data, folder, model, **changes):
    config = TrainingConfig(
        **{"model": model, "run_dir": folder, "verbose": "none", **changes}
    )
    train(data, config)
    return folder


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Walks from item to item, so that order counts."""
    return contract.prepare(tmp_path_factory.mktemp("walks"))


@pytest.fixture(scope="module")
def folders(data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    return [
        finish(data, folder / "pop", "pop"),
        # In other batches, and of another order within them.
        finish(data, folder / "markov", "markov", evaluation_batch_size=7),
    ]


@pytest.fixture(scope="module")
def table(folders):
    return compare(read_runs(folders), METRICS, "ndcg@10", shuffle=True)


def column(table, name):
    return [row[table.head.index(name)] for row in table.rows]


def test_the_best_run_comes_first(table, folders):
    numbers = [
        json.loads((folder / "metrics.json").read_text())["metrics"]["ndcg@10"]
        for folder in folders
    ]
    assert numbers[1] > numbers[0] + 0.1
    assert column(table, "run") == [str(folder) for folder in folders[::-1]]
    shown = [float(cell.split()[0]) for cell in column(table, "NDCG@10")]
    assert shown == pytest.approx(numbers[::-1], abs=1e-4)
    best, p = column(table, "p")
    assert best == "best"
    assert float(p) < 0.01


def test_p_counts_all_pairs_because_the_best_was_not_named(folders, tmp_path):
    third = tmp_path / "third"
    shutil.copytree(folders[0], third)
    runs = best_first(read_runs([*folders, third]), "ndcg@10")
    first, second, other = (run.totals("ndcg@10") for run in runs)
    raw = [difference(first, second), difference(first, other)]
    # The third pair are copies, whose p is 1.
    assert beside_best(runs, "ndcg@10") == pytest.approx([3 * p for p in raw])


def test_an_interval_surrounds_its_mean(table):
    for cell in column(table, "NDCG@10"):
        mean, low, high = (float(part.strip("[],")) for part in cell.split(" "))
        assert low < mean < high


def test_order_is_what_a_shuffled_history_loses(table):
    whole = column(table, "NDCG@10")
    shuffled = column(table, "NDCG@10 shuffled")
    # Pop does not read the history.
    assert shuffled[1] == whole[1]
    assert float(shuffled[0].split()[0]) < float(whole[0].split()[0]) - 0.05


def test_lists_are_judged_beyond_accuracy(table, folders, data):
    run = load_run(folders[0])
    ranks = Ranks.load(folders[0] / "ranks.npz")
    counts = np.zeros(data.num_items, int)
    users = 0
    for batch in data.evaluation("test"):
        for history in batch.history.numpy():
            known = history[history > 0]
            k = min(10, data.num_items - len(set(known)))
            items, _ = run.model.recommend([known], k)
            left = items[0]
            counts[np.array(left) - 1] += 1
            users += 1
    np.testing.assert_array_equal(ranks.shown, counts)
    assert len(ranks.targets) == users == data.examples("test")
    assert column(table, "coverage@10")[1] == f"{np.mean(counts > 0):.1%}"


def test_ranks_do_not_depend_on_the_batches(folders):
    one, other = (
        load_run(folders[1], evaluation_batch_size=size).rank()
        for size in (3, 256)
    )
    np.testing.assert_array_equal(one.targets, other.targets)
    np.testing.assert_array_equal(one.records, other.records)
    np.testing.assert_array_equal(one.records, np.arange(len(one.records)))


def test_clicks_of_a_session_belong_together_and_keep_their_order(tmp_path):
    rng = np.random.default_rng(0)
    sessions = [rng.integers(1, 9, n).tolist() for n in rng.integers(2, 6, 30)]
    pairs = [(session, []) for session in sessions]
    data = prepare_sequences(
        tmp_path / "data", sessions, pairs, pairs, protocol="next_click"
    )
    finish(data, tmp_path / "run", "markov", evaluation_batch_size=4)
    ranks = load_run(tmp_path / "run").rank()
    lengths = [len(session) - 1 for session in sessions]
    found = np.bincount(ranks.records).tolist()
    # Shards are interleaved.
    assert sorted(found) == sorted(lengths)
    whole = load_run(tmp_path / "run", evaluation_batch_size=256).rank()
    np.testing.assert_array_equal(ranks.targets, whole.targets)


def test_runs_of_other_data_are_refused(folders, tmp_path):
    other = finish(toy_data(tmp_path / "d", seed=1), tmp_path / "run", "pop")
    with pytest.raises(InputError, match="pop has protocol holdout"):
        read_runs([*folders, other])


def test_a_run_named_twice_is_refused(folders):
    # It would count twice where many comparisons are corrected for.
    again = folders[0] / ".." / folders[0].name
    with pytest.raises(InputError, match="is named twice"):
        read_runs([*folders, again])


def test_a_run_that_is_not_finished_is_named(folders, tmp_path):
    shutil.copytree(folders[0], tmp_path / "run")
    (tmp_path / "run" / "ranks.npz").unlink()
    with pytest.raises(InputError, match=r"run has no ranks\.npz, so it is"):
        read_runs([tmp_path / "run"])


def test_the_command_writes_a_file(folders, tmp_path, monkeypatch, capsys):
    config = command.ComparisonConfig(
        run_dirs=[str(folder) for folder in folders],
        cutoffs=(5, 10),
        format="csv",
        output=str(tmp_path / "table.csv"),
    )
    monkeypatch.setattr(command.settings, "from_flags", lambda _: config)
    command.main()
    assert capsys.readouterr().out == f"Written: {tmp_path}/table.csv\n"
    text = (tmp_path / "table.csv").read_text()
    assert text.startswith("run,model,Recall@5,NDCG@5,MRR@5,Recall@10,")
    assert len(text.splitlines()) == 3

    web = dataclasses.replace(config, format="html")
    monkeypatch.setattr(command.settings, "from_flags", lambda _: web)
    command.main()
    text = (tmp_path / "table.csv").read_text()
    assert text.startswith("<!DOCTYPE html>")
    assert text.count("<svg") == 8

    for output, message in (
        (tmp_path / "no" / "x", "`--output` must be a file in a folder that"),
        (tmp_path, "`--output` must be a file. Received: .*, a folder"),
    ):
        wrong = dataclasses.replace(config, output=str(output))
        monkeypatch.setattr(
            command.settings, "from_flags", lambda _, found=wrong: found
        )
        with pytest.raises(InputError, match=message):
            command.main()
