"""`python -m tfrec.recommend --server`; a run's is in test_train.py."""

import functools

import pytest

from tests import commands
from tests.serving.exports import write_version
from tfrec import recommend as command
from tfrec import settings
from tfrec.errors import InputError
from tfrec.lists.making import Made
from tfrec.recommend import RecommendationConfig, main
from tfrec.serving.config import ServerConfig
from tfrec.serving.server import Server

recommend = functools.partial(commands.run, "tfrec.recommend")


def test_a_server_is_asked_for_acvae_unless_told_otherwise(tmp_path):
    write_version(tmp_path / "acvae", 1)
    config = ServerConfig(export_dir=tmp_path, grpc_port=0, rest_port=0)
    server = Server(config)
    try:
        result = recommend(
            f"--server=localhost:{server.grpc_port}",
            "--history=item 3,item 5",
            "--k=2",
        )
    finally:
        server.stop()
    assert result.stderr == ""
    assert result.stdout.splitlines() == [
        "  1    -0.459  item 6",
        "  2    -1.459  item 7",
    ]


def test_a_run_or_a_server_must_be_given():
    result = recommend("--history=a")
    assert result.returncode == 1
    assert result.stderr == (
        "error: Give one of `--run_dir` and `--server` with `--history`, and "
        "nothing else that answers.\n"
    )


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            {"name": "mine", "run_dir": "runs/no"},
            "`--name` means nothing without `--server`",
        ),
        (
            {"data_dir": "data", "server": "localhost:1"},
            "`--data_dir` means nothing with `--server`",
        ),
    ],
)
def test_a_run_and_a_server_have_settings_of_their_own(given, message):
    with pytest.raises(InputError, match=message):
        RecommendationConfig(history=("a",), **given)


def test_a_name_is_that_of_a_model_of_a_server(monkeypatch):
    config = RecommendationConfig(
        server="localhost:1", name="mine", history=("a",)
    )
    monkeypatch.setattr(settings, "from_flags", lambda _: config)
    with pytest.raises(InputError, match=r"does that serve mine \(`--name`\)"):
        main()


def test_whoever_has_seen_all_items_is_told(capsys):
    command._print([])
    assert "Nothing is left to recommend." in capsys.readouterr().err


@pytest.mark.parametrize(("rows", "lines"), [(6, 1), (4, 2)])
def test_lists_that_are_shorter_are_counted(rows, lines, monkeypatch, capsys):
    made = Made("lists.csv", users=2, rows=rows)
    monkeypatch.setattr("tfrec.lists.making.make_lists", lambda *_, **__: made)
    monkeypatch.setattr("tfrec.lists.sources.open_source", lambda _: (None, {}))
    command._write(RecommendationConfig(run_dir="r", output="lists.csv", k=3))
    text = capsys.readouterr().out.splitlines()
    assert len(text) == lines
    if lines == 2:
        assert text[1].startswith("2 rows fewer than --k=3 for each: ")
