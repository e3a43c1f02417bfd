"""The tables of the documentation are those of the result files."""

import json

import pytest

from benchmarks import results
from tests.flagfiles import read_flagfile

FILES = sorted(results.RESULTS.rglob("*.json"))


def test_there_are_results():
    assert FILES


def test_the_tables_are_those_of_the_files():
    text = results.PAGE.read_text(encoding="utf-8")
    assert {path.parent.name for path in FILES} == set(results.TABLES)
    for dataset in results.TABLES:
        assert f"<!-- results: {dataset} -->" in text
    assert results.with_tables(text) == text


@pytest.mark.parametrize(
    "path", FILES, ids=lambda path: "/".join(path.parts[-3:])
)
def test_a_result_is_of_its_configuration_as_it_is_now(path):
    found = json.loads(path.read_text())
    data, training, model = read_flagfile(
        results.ROOT / found["config"], f"--seed={found['seed']}"
    )
    for part, settings in (
        ("data", data),
        ("training", training),
        ("model", model),
    ):
        expected = settings.to_dict()
        for name, value in found["settings"][part].items():
            assert expected[name] == value, (part, name)
    for name, value in found["metrics"].items():
        low, high = found["intervals"][name]
        assert low <= value <= high
