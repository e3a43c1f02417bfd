"""The report of a run."""

import csv
import dataclasses
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from tests.toy import Toy, entry, toy_data
from tfrec.data import PreparedDataset
from tfrec.errors import InputError
from tfrec.metrics.ranking import NDCG
from tfrec.metrics.ranks import Ranks
from tfrec.models import MODELS
from tfrec.reporting.accuracy import (
    by_length,
    by_popularity,
    by_time,
    rank_histogram,
)
from tfrec.reporting.comparison import comparison, names_of
from tfrec.reporting.curves import read_epochs
from tfrec.reporting.page import report
from tfrec.reporting.parts import Examples
from tfrec.training import Run, TrainingConfig, load_run, train
from tfrec.training.comparison import compare, read_runs

SCRIPT = "<script>alert(1)</script>"


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Runs of a toy with a latent and of counts, over a title to escape."""
    folder = tmp_path_factory.mktemp("report")
    data = toy_data(folder / "data")
    titles = folder / "data" / "titles.tsv"
    titles.write_text(titles.read_text().replace("Title", SCRIPT))
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(MODELS, "toy", entry(Toy))
        for model, epochs in (("toy", 2), ("markov", 1)):
            config = TrainingConfig(
                model=model,
                run_dir=folder / model,
                epochs=epochs,
                batch_size=6,
                diagnostic_sequences=8,
                verbose="none",
            )
            train(data, config)
        yield folder


@pytest.fixture(scope="module")
def tested(folders):
    return Examples.of(PreparedDataset.open(folders / "data"))


@pytest.fixture(scope="module")
def ranks(folders):
    return Ranks.load(folders / "markov" / "ranks.npz")


def headings(text):
    return re.findall("<h2>(.*?)</h2>", text)


def test_a_report_needs_nothing_beside_itself(folders):
    text = report(folders / "toy")
    assert headings(text) == [
        "How to train it again",
        "The data",
        "Learning curves",
        "Terms of the objective",
        "The latents while training",
        "Ranks of the targets",
        "By length of the history",
        "By popularity of the item",
        "By time since the last event",
        "What is recommended",
        "Calibration",
        "Some users",
        "Latents",
    ]
    assert "<script" not in text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text
    assert not re.search(r"(src|href|url)\s*[=(]", text)
    assert text.count("Best:") == text.count("Worst:") == 3
    assert text.count("At random:") == 4
    assert "tfrec train \\\n    --model=toy \\\n" in text


def test_a_run_of_counts_has_no_curve_and_no_latent(folders):
    text = report(folders / "markov")
    assert "One epoch teaches all: there is no curve to draw." in text
    assert "markov has no latent." in text
    assert "Learning curves" not in headings(text)


def test_a_run_without_ranks_is_ranked_again(folders, tmp_path):
    shutil.copytree(folders / "markov", tmp_path / "run")
    for name in ("ranks.npz", "metrics.json"):
        (tmp_path / "run" / name).unlink()
    text = report(tmp_path / "run")
    assert "This run has no numbers of a test yet." in text
    assert "Where the targets are ranked" in text


def test_a_test_that_was_left_unread_stays_so(folders, tmp_path, monkeypatch):
    run = tmp_path / "run"
    shutil.copytree(folders / "markov", run)
    config = load_run(folders / "markov").config
    (run / "metrics.json").unlink()
    config = dataclasses.replace(config, run_dir=run, test=False)
    train(PreparedDataset.open(folders / "data"), config)
    monkeypatch.setattr(Run, "rank", None)
    text = report(run)
    assert "the test split was not read (--notest)" in text
    assert "The test split was not read (--notest)." in text
    assert "Where the targets are ranked" not in text


def test_damaged_files_are_named(folders, tmp_path):
    shutil.copytree(folders / "toy", tmp_path / "run")
    path = tmp_path / "run" / "epochs.csv"
    rows = list(csv.reader(path.read_text().splitlines()))
    rows[1][2] = "much"
    path.write_text("\n".join(map(",".join, rows)))
    message = rf"epochs\.csv, line 2: `{rows[0][2]}` must be a number"
    with pytest.raises(InputError, match=message):
        read_epochs(path)
    (tmp_path / "run" / "ranks.npz").write_bytes(b"no")
    path.unlink()
    with pytest.raises(InputError, match=r"ranks\.npz cannot be read"):
        report(tmp_path / "run")


def table_of(part):
    """Returns the numbers of the only chart of a part."""
    (text,) = [p for p in part if p.startswith("<figure")]
    return rows_of(text)


def rows_of(figure):
    """Returns the numbers below a chart: rows of cells."""
    rows = re.findall("<tr>(.*?)</tr>", figure)
    return [re.findall("<t[dh]>(.*?)</t[dh]>", row) for row in rows][1:]


def test_accuracy_is_that_of_the_ranks_by_group(tested, ranks):
    found = ranks.targets <= 10
    by_group = {}
    for row, targets in enumerate(tested.targets):
        for place, item in enumerate(targets):
            if item:
                group = tested.popularity[item - 1]
                by_group.setdefault(group, []).append(found[row, place])
    names = tested.popularity_groups()
    expected = {names[g]: np.mean(hits) for g, hits in by_group.items()}
    shown = {
        name: float(cell.split()[0])
        for name, cell in table_of(by_popularity(tested, {"run": ranks}))
    }
    assert shown == pytest.approx(expected, rel=1e-4)
    groups = [row[0] for row in table_of(by_length(tested, {"run": ranks}))]
    counts = [int(re.search(r"([\d,]+) examples", g)[1]) for g in groups]
    assert sum(counts) == len(tested.lengths) == 23


def test_accuracy_by_time_is_that_of_the_gaps(tested, ranks):
    examples = len(tested.lengths)
    gaps = np.full(examples, 3.0, np.float32)
    gaps[:4], gaps[4:9] = 59.9, 40 * 86_400.0
    timed = dataclasses.replace(tested, gaps=gaps)
    rows = table_of(by_time(timed, {"run": ranks}, [NDCG(10)]))
    assert [row[0] for row in rows] == [
        "under 10 s, 14 examples",
        "10 s to 1 min, 4 examples",
        "30 days to 1 year, 5 examples",
    ]
    values = ranks.values(NDCG(10))
    found = [float(row[1].split()[0]) for row in rows]
    expected = [values[9:].mean(), values[:4].mean(), values[4:9].mean()]
    assert found == pytest.approx(expected, abs=1e-4)
    (text,) = [p for p in by_time(tested, {"run": ranks}) if "Not known" in p]
    assert "--timestamps_per_second" in text


def test_runs_are_compared_in_the_parts_of_the_report(folders, tested):
    runs = read_runs([folders / "toy", folders / "markov"])
    table = compare(runs, ["ndcg@5", "ndcg@10"], "ndcg@10")
    text = comparison(runs, table, ["ndcg@5", "ndcg@10"], "ndcg@10")
    assert headings(text) == [
        "Accuracy",
        "Ranks of the targets",
        "By length of the history",
        "By popularity of the item",
        "By time since the last event",
        "Coverage and novelty",
        "What is recommended",
    ]
    assert not re.search(r"(src|href|url)\s*[=(]", text)
    assert table.fragment() in text
    figures = re.findall("<figure.*?</figure>", text, re.DOTALL)
    tables = {
        re.search("<title>(.*?)</title>", each)[1]: rows_of(each)
        for each in figures
    }
    for run in runs:
        for cutoff in ("5", "10"):
            row = dict(tables[f"Accuracy of the first {cutoff}"])[
                run.folder.name
            ]
            mean = run.totals(f"ndcg@{cutoff}").mean
            assert float(row.split()[0]) == pytest.approx(mean, abs=1e-4)
        covered = dict(tables["Coverage of the first 10"])[run.folder.name]
        shown = np.mean(run.ranks.shown > 0)
        assert float(covered) == pytest.approx(shown, abs=1e-4)
    (head, *_) = re.findall("<tr><th></th>(.*?)</tr>", figures[3])
    assert sorted(re.findall("<th>(.*?)</th>", head)) == ["markov", "toy"]


def test_runs_have_short_names_that_differ():
    folders = [Path("runs/a/seed_0"), Path("runs/b/seed_0"), Path("c")]
    assert names_of(folders) == ["a/seed_0", "b/seed_0", "c"]
    assert names_of(folders[1:]) == ["seed_0", "c"]
    assert names_of([Path("a/c"), Path("c"), Path("c")]) == ["a/c", "c", "c"]


def test_ranks_of_another_test_are_refused(tested, ranks):
    fewer = dataclasses.replace(ranks, records=ranks.records[1:])
    with pytest.raises(InputError, match=r"x has 22 examples, and .* has 23"):
        tested.check(fewer, Path("x"))


def test_popularity_groups_share_the_interactions(tested):
    sums = np.bincount(tested.popularity, tested.counts)
    assert sums.sum() == tested.counts.sum()
    # As even as whole items allow.
    assert np.ptp(sums) <= 2 * tested.counts.max()
    order = np.argsort(-tested.counts, kind="stable")
    assert (np.diff(tested.popularity[order]) >= 0).all()


def test_ranks_and_chance_are_shares(tested, ranks):
    rows = table_of(rank_histogram(tested, {"run": ranks}))
    ranked = ranks.targets[ranks.targets > 0] <= 12
    assert sum(float(row[1]) for row in rows) == pytest.approx(
        ranked.mean(), abs=1e-3
    )
    assert sum(float(row[2]) for row in rows) == pytest.approx(1, abs=1e-3)


def test_the_command_writes_into_the_folder_of_the_run(
    folders, monkeypatch, capsys
):
    from tfrec import report as command

    config = command.ReportConfig(run_dir=str(folders / "markov"))
    monkeypatch.setattr(command.settings, "from_flags", lambda _: config)
    command.main()
    path = Path(folders / "markov" / "report.html")
    assert capsys.readouterr().out == f"Written: {path}\n"
    assert path.read_text().startswith("<!DOCTYPE html>")
