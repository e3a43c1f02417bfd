"""Colours only where they have a place."""

import io

import pytest

from tfrec import cli
from tfrec.terminal import painted


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")


def test_a_terminal_has_colours():
    assert painted("good", "green", Terminal()) == "\x1b[32mgood\x1b[0m"


@pytest.mark.parametrize(
    ("name", "value"), [("NO_COLOR", "1"), ("TERM", "dumb")]
)
def test_a_person_may_want_none(monkeypatch, name, value):
    monkeypatch.setenv(name, value)
    assert painted("good", "green", Terminal()) == "good"


def test_an_empty_no_color_says_nothing(monkeypatch):
    monkeypatch.setenv("NO_COLOR", "")
    assert painted("good", "bold", Terminal()) == "\x1b[1mgood\x1b[0m"


def test_a_file_has_none():
    assert painted("good", "green", io.StringIO()) == "good"


def test_an_error_is_red_on_a_terminal(monkeypatch, capsys):
    monkeypatch.setattr("sys.stderr", Terminal())
    assert cli.fail("no") == 1
    assert cli.sys.stderr.getvalue() == "\x1b[31merror:\x1b[0m no\n"
