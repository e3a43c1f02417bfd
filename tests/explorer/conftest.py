"""One explorer of two runs for all tests: its page, and what it asks."""

import dataclasses
import json
import urllib.error
import urllib.parse
import urllib.request

import numpy as np
import pytest

from tests.prepared import prepare_sequences
from tests.serving.runs import make_run
from tfrec.data import PreparedDataset
from tfrec.data.people import People
from tfrec.explorer.catalogue import Catalogue
from tfrec.explorer.engines import RunEngine
from tfrec.explorer.server import ExplorerServer

SCRIPT = "<script>document.title='run'</script> & <b>bold</b>"


@pytest.fixture(scope="package")
def data(tmp_path_factory):
    """Walks among 12 items; one has a title that would be a script."""
    rng = np.random.default_rng(0)
    # From an item to the next or the one after it.
    starts = rng.integers(0, 12, 30)
    steps = rng.integers(1, 3, [30, 6]).cumsum(1)
    rows = ((starts[:, None] + steps) % 12 + 1).tolist()
    folder = tmp_path_factory.mktemp("data")
    pairs = [(row[:-1], row[-1:]) for row in rows]
    prepare_sequences(
        folder, [row[:-1] for row in rows], pairs, pairs, num_items=12
    )
    titles = {f"item {n}": f"Title {n}" for n in range(1, 13)}
    titles["item 3"] = SCRIPT
    titles["item 4"] = "Amélie the Fourth"
    kinds = ["odd", "even"]
    lines = [
        f"{item}\t{title}\t{kinds[n % 2]}\n"
        for n, (item, title) in enumerate(titles.items())
    ]
    (folder / "titles.tsv").write_text(
        "#item\ttitle\tkind\n" + "".join(lines), encoding="utf-8"
    )
    return PreparedDataset.open(folder)


@pytest.fixture(scope="package")
def runs(data, tmp_path_factory):
    """A run with a latent, and one of counts."""
    folder = tmp_path_factory.mktemp("runs")
    made = [make_run(name, data) for name in ("acvae", "markov")]
    for run in made:
        (folder / run.config.model).mkdir()
    return [
        dataclasses.replace(run, folder=folder / run.config.model)
        for run in made
    ]


@pytest.fixture(scope="package")
def parts(runs, data):
    """What an explorer is made of."""
    engines = [RunEngine(run, run.folder.name) for run in runs]
    return engines, Catalogue.of(data), People(data)


@pytest.fixture(scope="package")
def explorer(parts):
    """An explorer that listens."""
    server = ExplorerServer(*parts, "127.0.0.1", 0)
    yield server
    server.stop()


@pytest.fixture(scope="package")
def ask(explorer):
    """Asks it; returns the status and the parsed answer."""
    return lambda path, **query: get(explorer.url, path, **query)


def get(url, path, headers=(), **query):
    """Makes a request as the page does."""
    text = urllib.parse.urlencode(query, doseq=True)
    request = urllib.request.Request(
        f"{url}api/{path}?{text}", headers=dict(headers)
    )
    try:
        with urllib.request.urlopen(request, timeout=60) as response:
            return response.status, json.load(response)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)
