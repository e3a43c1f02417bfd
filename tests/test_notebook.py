"""The notebook in docs/ runs, and prints what it shows."""

import contextlib
import io
import json
import warnings
from pathlib import Path

import pytest

from tfrec.errors import InputWarning

NOTEBOOK = Path(__file__).parents[1] / "docs" / "dataframe.ipynb"


@pytest.fixture(scope="module")
def notebook():
    return json.loads(NOTEBOOK.read_text(encoding="utf-8"))


def test_the_notebook_prints_what_it_shows(notebook, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    cells = [c for c in notebook["cells"] if c["cell_type"] == "code"]
    assert len(cells) > 4
    names = {}
    for cell in cells:
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed), warnings.catch_warnings():
            warnings.simplefilter("error", InputWarning)
            exec("".join(cell["source"]), names)
        (shown,) = cell["outputs"] or [{"text": []}]
        assert printed.getvalue() == "".join(shown["text"])
    assert (tmp_path / "data" / "books" / "manifest.json").exists()


def test_the_notebook_is_one_of_version_4(notebook):
    assert (notebook["nbformat"], notebook["nbformat_minor"]) == (4, 5)
    ids = [cell["id"] for cell in notebook["cells"]]
    assert len(set(ids)) == len(ids)
    counts = [c.get("execution_count") for c in notebook["cells"]]
    assert [n for n in counts if n] == list(
        range(1, sum(map(bool, counts)) + 1)
    )
