"""What the likelihoods' result files hold, and the tables made of them."""

import json
from pathlib import Path

import pytest

from benchmarks import kept_likelihoods as kept
from benchmarks import results
from tfrec.errors import InputError


def run_dir(folder, row, seed, ndcg):
    """Makes as much of a run's folder as is read."""
    made = folder / "study" / row / f"seed_{seed}"
    made.mkdir(parents=True)
    numbers = {
        "seed": seed,
        "validation": {"ndcg@10": ndcg},
        "wall_seconds": 60.0,
    }
    settings = {
        "data": {"dataset": "csv", "raw_dir": "/home/of/someone"},
        "training": {"epochs": 2},
        "model": {"flows": 8},
    }
    (made / "metrics.json").write_text(json.dumps(numbers))
    (made / "config.json").write_text(json.dumps(settings))
    return made


def measured(apart, **nats):
    """Returns what the measurement found."""
    return {
        "split": "validation",
        "window": 1,
        "draws": 2,
        "draws_seed": 0,
        "nats": nats,
        "first": "plain",
        "apart": {"mean": apart, "margin": 0.125},
    }


def test_a_run_is_kept_and_shown(tmp_path, monkeypatch):
    monkeypatch.setattr(kept, "FOLDER", tmp_path / "kept")
    monkeypatch.setattr(kept, "PAGE", tmp_path / "page.md")
    kept.PAGE.write_text("<!-- likelihood: study -->\n<!-- end -->\n")
    bounds = {"drawn": 7.2, "bound": 7.25, "kl": 1.0, "weighted": 7.1}
    for row, seed, what in (
        ("flows", 0, measured(-0.75, score=7.5, **bounds)),
        ("plain", 0, measured(0.0, score=8.0)),
        ("plain", 1, measured(0.0, score=8.5)),
    ):
        path = kept.keep(run_dir(tmp_path, row, seed, 0.1), what)
        assert path == tmp_path / "kept" / "study" / row / f"seed_{seed}.json"
        content = json.loads(path.read_text())
        assert content["likelihood"] == what
        assert content["settings"]["model"] == {"flows": 8}
        # Where someone's files are is no result.
        assert "raw_dir" not in content["settings"]["data"]
    kept.write_tables()
    rows = [
        [cell.strip() for cell in line.strip("| ").split("|")]
        for line in kept.PAGE.read_text().splitlines()[3:5]
    ]
    assert rows == [
        [
            "`plain`",
            "8.250 ± .354",
            *5 * [""],
            ".1000 ± .0000",
            "0, 1",
            "1 min",
        ],
        [
            *("`flows`", "7.500", "7.200", "7.250", "1.000", "7.100"),
            *("-0.75 ± 0.12", ".1000", "0", "1 min"),
        ],
    ]


def test_the_tables_are_those_of_the_files():
    text = kept.PAGE.read_text(encoding="utf-8")
    assert kept.with_tables(text) == text
    studies = [path.name for path in kept.FOLDER.iterdir()]
    assert studies
    for study in studies:
        assert f"<!-- likelihood: {study} -->" in text
    assert kept.FOLDER.is_relative_to(results.RESULTS)


def test_what_was_not_measured_alike_is_no_table(tmp_path, monkeypatch):
    monkeypatch.setattr(kept, "FOLDER", tmp_path)
    for seed, first in ((0, "plain"), (1, "other")):
        what = {**measured(0.0, score=1.0), "first": first}
        kept.keep(run_dir(tmp_path / "runs", "plain", seed, 0.1), what)
    with pytest.raises(InputError, match="measured with the same split"):
        kept.table("study")


def test_a_folder_of_another_name_is_refused():
    with pytest.raises(InputError, match="<study>/<row>/seed_<seed>"):
        kept.place(Path("runs/cvae"))
