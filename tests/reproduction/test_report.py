"""The report: what stands in it comes from the runs, and the rest says so."""

import csv
import dataclasses
import json
import shutil
import sys

import numpy as np
import pytest

from benchmarks import studies
from tests.prepared import prepare_sequences
from tests.toy import Toy, entry, toy_data
from tfrec.metrics.ranks import Ranks
from tfrec.metrics.statistics import interval
from tfrec.models import MODELS
from tfrec.reproduction.grid import Grid, Trial
from tfrec.reproduction.measured import Measurements
from tfrec.reproduction.plan import (
    Dataset,
    Drawn,
    Job,
    Plan,
    Point,
    Results,
    Row,
    Statistics,
    Study,
)
from tfrec.reproduction.report import report
from tfrec.training import TrainingConfig, train
from tfrec.training.comparison import read_runs
from tfrec.training.tables import short

EVIL = "<script>alert(1)</script>"
USERS = Dataset(
    "users", "Users & all", ("46K", "604"), {"pop": (0.028,)}, f"Note {EVIL}"
)
CLICKS = Dataset("clicks", "Clicks", ("557,248",))
ROWS = (Row("pop", "POP"), Row("toy", "Toy"), Row("fpmc", "FPMC"))


def toy_job(name):
    return Job(
        f"users/study/{name}", "users", "toy/users.flags", (f"--{name}",)
    )


PARTS = (
    Statistics("table1", "Table 1", "Data.", ("Records", "Users"), (USERS,)),
    Results(
        "table2",
        "Table 2",
        "Scores.",
        ("recall@5",),
        (USERS,),
        ROWS,
        chart="recall@5",
    ),
    Study(
        "figure4",
        "Figure 4",
        f"No number printed. {EVIL}",
        "users",
        (Point(toy_job("a"), "one", 0.5), Point(toy_job("b"), "two", 1.0)),
        "beta",
        ("recall@5",),
        ("corr",),
        ("corr",),
    ),
    Drawn("figure3", "Figure 3", "Lengths.", "lengths", ROWS[:1], "clicks"),
)
PLAN = Plan("PAPER", "somewhere", PARTS, (USERS, CLICKS))
SEEDS = (0, 1)


@pytest.fixture(scope="module")
def grid(tmp_path_factory):
    """Trains pop and toy with two seeds; fpmc and figure4's b are not run."""
    folder = tmp_path_factory.mktemp("grid")
    for model in ("pop", "toy", "fpmc"):
        (folder / model).mkdir()
        (folder / model / "users.flags").write_text(f"--model={model}\n")
    grid = Grid(folder / "runs", folder, command=(sys.executable, "-c", ""))
    users = toy_data(folder / "users")
    sessions = [[1, 2], [2, 1, 3], [1, 2, 3, 1]]
    clicks = prepare_sequences(
        folder / "clicks",
        train=[[1, 2, 3], [2, 1, 1], [3, 2, 1]],
        validation=[([1, 2], [])],
        test=[(session, []) for session in sessions],
        protocol="next_click",
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(MODELS, "toy", entry(Toy))
        for job, data, model, seeds in (
            (ROWS[0].job("users", "ours"), users, "pop", (0,)),
            (ROWS[1].job("users", "ours"), users, "toy", SEEDS),
            (toy_job("a"), users, "toy", SEEDS),
            (ROWS[0].job("clicks", "ours"), clicks, "pop", (0,)),
        ):
            for seed in seeds:
                trial = Trial(job, seed)
                config = TrainingConfig(
                    model=model,
                    run_dir=grid.run_dir(trial),
                    epochs=2,
                    batch_size=6,
                    seed=seed,
                    diagnostic_sequences=16,
                    verbose="none",
                )
                train(data, config)
                # So that it is known as finished.
                (folder / "pop" / "clicks.flags").touch()
                assert grid.run([trial]) == []
    return grid


def job_of(model):
    return next(r for r in ROWS if r.model == model).job("users", "ours")


@pytest.fixture(scope="module")
def written(grid, tmp_path_factory):
    folder = tmp_path_factory.mktemp("report")
    jobs = [a.job for part in PARTS for a in part.jobs(grid.configs)]
    text, web = report(PLAN, PARTS, jobs, grid, SEEDS, folder)
    return folder, text.read_text(), web.read_text()


def cells(text, *first):
    """Returns the rest of the line of a table that begins with some cells."""
    lines = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in text.splitlines()
        if line.startswith("|")
    ]
    (found,) = {tuple(c) for c in lines if tuple(c[: len(first)]) == first}
    return list(found[len(first) :])


def test_a_cell_is_what_the_run_measured(grid, written):
    _, text, _ = written
    folder = grid.run_dir(Trial(job_of("pop"), 0))
    value = json.loads((folder / "metrics.json").read_text())["metrics"]
    (run,) = read_runs([folder])
    low, high = interval(run.totals("recall@5"))
    assert cells(text, "POP", "ours") == [
        f"{short(value['recall@5'])} [{short(low)}, {short(high)}]"
    ]
    assert cells(text, "POP", "the paper") == [".028"]


def test_seeds_are_a_mean_with_a_deviation(grid, written):
    _, text, _ = written
    folders = [grid.run_dir(Trial(job_of("toy"), seed)) for seed in SEEDS]
    values = [
        json.loads((f / "metrics.json").read_text())["metrics"]["recall@5"]
        for f in folders
    ]
    (cell,) = cells(text, "Toy", "ours")
    assert cell.startswith(
        f"{short(np.mean(values))} ± {short(np.std(values, ddof=1))} ["
    )
    found = Measurements(grid, SEEDS).estimate(job_of("toy"), "recall@5")
    assert found.low <= found.mean <= found.high


def test_what_was_not_run_says_so(written):
    _, text, _ = written
    assert cells(text, "FPMC", "ours") == ["not run"]
    assert cells(text, "two", "1") == ["not run", "not run", "--b"]
    assert "as published: POP, Toy, FPMC." in text
    assert "ours, tuned: POP, Toy, FPMC." in text


def test_a_study_has_its_curve(grid, written):
    _, text, web = written
    job = toy_job("a")
    epochs, means = Measurements(grid, SEEDS).by_epoch(job, "corr")
    assert epochs == [1, 2]
    columns = []
    for seed in SEEDS:
        path = grid.run_dir(Trial(job, seed)) / "epochs.csv"
        rows = csv.DictReader(path.read_text().splitlines())
        columns.append([float(row["corr"]) for row in rows])
    assert means == pytest.approx(np.mean(columns, 0).tolist())
    assert cells(text, "one", "0.5")[1:] == [f"{means[-1]:.5g}", "--a"]
    assert "Figure 4: corr by epoch" in web


def test_result_files_of_a_study_make_its_table(grid, tmp_path, monkeypatch):
    monkeypatch.setattr(studies, "PLANS", {"paper": PLAN})
    monkeypatch.setattr(studies, "FOLDER", tmp_path)
    paths = list(studies.add("paper", grid))
    drawn, *paths = sorted(paths)
    assert paths == [
        tmp_path / f"users/study/a/seed_{seed}.json" for seed in SEEDS
    ]
    assert drawn == tmp_path / "clicks/pop/ours/seed_0.json"
    groups = json.loads(drawn.read_text())["lengths"]
    assert sum(targets for _, targets, *_ in groups["clicks of the session"])
    kept = json.loads(paths[0].read_text())
    assert "lengths" not in kept
    assert (kept["config"], kept["changes"]) == (
        "configs/toy/users.flags",
        ["--a"],
    )
    metric, corr, seeds, _ = cells(
        studies.table("paper/figure4/users"), "one", "0.5"
    )
    found = Measurements(grid, SEEDS).estimate(toy_job("a"), "recall@5")
    assert metric.startswith(f"{short(found.mean)} ± ")
    last = Measurements(grid, SEEDS).last(toy_job("a"), "corr")
    assert float(corr) == pytest.approx(last, rel=1e-3)
    assert seeds == "0, 1"


def test_seeds_that_stop_apart_have_each_their_last_value(grid, tmp_path):
    shutil.copytree(grid.folder, tmp_path / "runs")
    other = dataclasses.replace(grid, folder=tmp_path / "runs")
    job = toy_job("a")
    for seed, text in zip(SEEDS, ("1,.1\n2,.2\n", "1,.3\n"), strict=True):
        path = other.run_dir(Trial(job, seed)) / "epochs.csv"
        path.write_text(f"epoch,corr\n{text}")
    found = Measurements(other, SEEDS)
    assert found.last(job, "corr") == pytest.approx(0.25)
    epochs, means = found.by_epoch(job, "corr")
    assert (epochs, means) == ([1], [pytest.approx(0.2)])
    assert found.last(job, "loss") is None
    assert found.last(toy_job("b"), "corr") is None


def test_statistics_are_those_of_the_prepared_data(written):
    _, text, _ = written
    assert cells(text, "Users & all, the paper") == ["46K", "604"]
    assert cells(text, "Users & all, ours: raw")[1] == "23"


def test_figure_3_counts_the_clicks_of_sessions(written):
    _, text, _ = written
    # Sessions of 2, 3 and 4 clicks have 1, 2 and 3 targets.
    assert "| clicks of the session | targets | POP recall@20 |" in text
    sessions, before = text.split("By clicks before the target")
    sessions = sessions.split("By clicks of the session")[1]
    for clicks in (2, 3, 4):
        assert cells(sessions, str(clicks))[0] == str(clicks - 1)
        assert cells(before.split("## Runs")[0], str(clicks - 1))[0] == str(
            5 - clicks
        )


def test_no_text_becomes_markup(written):
    _, _, web = written
    assert "<script" not in web
    assert "Users &amp; all" in web
    assert "&lt;script&gt;" in web


def test_a_page_needs_no_other_file_and_markdown_has_its_pictures(written):
    folder, text, web = written
    assert "<img" not in web and "src=" not in web
    pictures = sorted(p.name for p in (folder / "pictures").iterdir())
    assert len(pictures) == web.count("<svg ")
    for name in pictures:
        assert f"](pictures/{name})" in text


def test_a_shortened_report_is_no_result(grid, tmp_path):
    short_grid = Grid(grid.folder, grid.configs, {}, ("epochs=1",))
    for path in report(PLAN, PARTS[:2], [], short_grid, SEEDS, tmp_path):
        text = path.read_text()
        assert (
            "Shortened, not a result: every run of ours had --epochs=1" in text
        )
        # Of runs that were not shortened, nothing.
        assert "±" not in text.replace("± their", "")


def test_a_run_that_has_changed_is_not_reported(grid):
    path = grid.configs / "toy" / "users.flags"
    before = path.read_text()
    try:
        path.write_text("--model=toy\n--epochs=5\n")
        assert Measurements(grid, SEEDS).runs(job_of("toy")) == []
    finally:
        path.write_text(before)
    assert len(Measurements(grid, SEEDS).runs(job_of("toy"))) == 2


def test_ranks_of_two_seeds_are_of_the_same_users(grid):
    """What a mean over seeds, user by user, takes for granted."""
    one, other = (
        Ranks.load(grid.run_dir(Trial(job_of("toy"), s)) / "ranks.npz")
        for s in SEEDS
    )
    assert (one.records == other.records).all()
