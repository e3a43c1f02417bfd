"""What the tests of lists share: a run that counts, in no time."""

import tempfile

import numpy as np
import pytest

from tests.serving.runs import make_run
from tests.toy import toy_data
from tfrec.data.histories import Histories


@pytest.fixture(scope="module", autouse=True)
def no_temporary_files(tmp_path_factory):
    """A kill would leave them, such as those of AutoGraph."""
    before, folder = tempfile.tempdir, tmp_path_factory.mktemp("temporary")
    tempfile.tempdir = str(folder)
    yield
    tempfile.tempdir = before
    assert list(folder.iterdir()) == []


@pytest.fixture(scope="package")
def run(tmp_path_factory):
    """A run of `markov` on 23 users and 12 items; not to be changed."""
    return make_run("markov", toy_data(tmp_path_factory.mktemp("data")))


@pytest.fixture(scope="package")
def expected(run):
    """Each user's items that are not in the history, the best first."""
    lists = {}
    for _, block in Histories(run.data).blocks(99):
        for history in block:
            (scores,) = run.model.predict(history.items[None], verbose=0)
            order = np.argsort(-scores, kind="stable") + 1
            left = [i for i in order if i not in history.items]
            lists[history.name] = [
                (f"item {i}", pytest.approx(scores[i - 1])) for i in left
            ]
    return lists
