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


def member(part, path):
    """Returns the settings that a member of a blend has in its flagfile."""
    name = f"{path.parent.name}.flags"
    _, _, model = read_flagfile(results.ROOT / "configs" / part["model"] / name)
    return model.to_dict()


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
        # Those of a blend's members are of their flagfiles.
        if "parts" in expected:
            expected["parts"] = [
                {"model": part["model"], "settings": member(part, path)}
                for part in found["settings"]["model"]["parts"]
            ]
        for name, value in found["settings"][part].items():
            assert expected[name] == value, (part, name)
    for name, value in found["metrics"].items():
        low, high = found["intervals"][name]
        assert low <= value <= high
