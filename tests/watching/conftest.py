"""What the tests of the watch share: a run that counts, in no time."""

import pytest

from tests.serving.runs import make_run
from tests.toy import toy_data


@pytest.fixture(scope="package")
def run(tmp_path_factory):
    """A run of `markov` on 60 users and 12 items; not to be changed."""
    return make_run("markov", toy_data(tmp_path_factory.mktemp("data"), 60))
