"""The tables of the documentation are those of the result files."""

import json
import re

import pytest

from benchmarks import kept_likelihoods, results, studies, validation
from benchmarks.peers import kept, models
from tests.flagfiles import read_flagfile

FILES = sorted(
    path
    for path in results.RESULTS.rglob("*.json")
    if path.parent != kept.FOLDER
    and not path.is_relative_to(kept_likelihoods.FOLDER)
)
READ = kept.read()


def test_there_are_results():
    assert FILES


def test_the_tables_are_those_of_the_files():
    text = results.PAGE.read_text(encoding="utf-8")
    # Of every file there is a row of some table; others are tested below.
    rows = {
        (row["config"], row["seed"])
        for dataset in results.TABLES
        for found in results.read(dataset).values()
        for row in found
    }
    files = results.RESULTS.glob("*/*/seed_*.json")
    kept = [json.loads(path.read_text()) for path in files]
    assert rows == {(each["config"], each["seed"]) for each in kept}
    for dataset in results.TABLES:
        assert f"<!-- results: {dataset} -->" in text
    assert results.with_tables(text) == text


def test_the_studies_are_those_of_the_files():
    texts = [page.read_text(encoding="utf-8") for page in studies.PAGES]
    for text in texts:
        assert studies.with_tables(text) == text
    shown = re.findall(r"<!-- study: (\w+)/(\S+) -->", "".join(texts))
    jobs = [
        job
        for paper, study in shown
        for job in studies.jobs(studies.studies(paper)[study])
    ]
    kept = {path.parent for path in studies.FOLDER.rglob("*.json")}
    assert kept
    assert kept <= {studies.FOLDER / job.name for job in jobs}


def test_the_validation_runs_are_those_of_the_files():
    text = results.PAGE.read_text(encoding="utf-8")
    assert validation.with_tables(text) == text
    shown = re.findall(r"<!-- validation: (\S+) -->", text)
    held = {
        path
        for dataset in shown
        for variant in results.VARIANTS
        for path in validation.FOLDER.glob(f"*/{dataset}{variant}/*/*.json")
    }
    assert held and held == set(validation.FOLDER.rglob("*.json"))
    for path in held:
        # Whoever chooses by it has not read the test.
        assert "metrics" not in json.loads(path.read_text())


def test_the_comparison_with_recbole_is_that_of_its_files():
    text = results.PAGE.read_text(encoding="utf-8")
    for name in ("scores", "differences"):
        assert f"<!-- peers: {name} -->" in text
    assert kept.with_tables(text) == text
    assert len(READ) == len(list(kept.FOLDER.glob("*.json")))
    for cell, answer in READ.items():
        asked = answer["asked"]["settings"]
        # At the defaults of the command.
        if cell.library == "tfrec":
            own = models.flags(cell.model, 200, 10, mean_length=1.0)
            # It follows from the data.
            own.pop("batch_size", None)
        else:
            own = models.peer_settings(cell.model, 200, 10)
        # As JSON has it: lists for tuples.
        assert json.loads(json.dumps(own)).items() <= asked.items(), cell


def test_a_cell_is_kept(tmp_path, monkeypatch):
    monkeypatch.setattr(kept, "FOLDER", tmp_path / "peers")
    monkeypatch.setattr(results, "PAGE", tmp_path / "page.md")
    cell, answer = next(iter(READ.items()))
    page = "<!-- peers: scores -->\n<!-- end -->\n"
    results.PAGE.write_text(page)
    kept.keep({cell: answer})
    assert kept.read() == {cell: answer}
    assert f"| {cell.model} | {cell.library} |" in results.PAGE.read_text()


def members(part, path):
    """Gives the settings that a member of a blend may have, of its files."""
    folder = results.ROOT / "configs" / part["model"]
    for variant in results.VARIANTS:
        flags = folder / f"{path.parent.name}{variant}.flags"
        if flags.exists():
            yield read_flagfile(flags)[2].to_dict()


def agree(found, expected, what):
    """Asserts that settings are as expected, but for those that came later."""
    for name, value in found.items():
        if name not in results.LEFT_OUT:
            assert expected[name] == value, (what, name)


@pytest.mark.parametrize(
    "path", FILES, ids=lambda path: "/".join(path.parts[-3:])
)
def test_a_result_is_of_its_configuration_as_it_is_now(path):
    found = json.loads(path.read_text())
    data, training, model = read_flagfile(
        results.ROOT / found["config"],
        *found.get("changes", ()),
        f"--seed={found['seed']}",
    )
    for part, settings in (
        ("data", data),
        ("training", training),
        ("model", model),
    ):
        found_there = found["settings"][part]
        # A blend's members have the settings of their flagfiles.
        for each in found_there.pop("parts", ()):
            assert any(
                each["settings"].items() <= of_file.items()
                for of_file in members(each, path)
            ), each["model"]
        agree(found_there, settings.to_dict(), part)
    for name, value in found.get("metrics", {}).items():
        low, high = found["intervals"][name]
        assert low <= value <= high
