"""Tests of configs/: the command takes every file as it stands there."""

import pytest

from tests.flagfiles import CONFIGS, read_flagfile

FILES = sorted(CONFIGS.glob("**/*.flags"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_the_command_takes_a_configuration(path):
    read_flagfile(path)
    # It begins with the command that uses it.
    place = path.relative_to(CONFIGS.parent)
    assert f"# python -m tfrec.train --flagfile={place}" in path.read_text()
