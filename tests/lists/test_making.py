"""Lists in a file: the same bytes whatever happens on the way."""

import csv
import dataclasses
import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tfrec.errors import InputError
from tfrec.lists import making
from tfrec.lists.config import ListsConfig
from tfrec.lists.making import Work, make_lists
from tfrec.lists.runs import RunSource
from tfrec.training.files import locked


class Killed(BaseException):
    """What no code catches, as a kill."""


@pytest.fixture(scope="module")
def source(run):
    return RunSource(run, 3)


def make(source, path, **given):
    return make_lists(source, ListsConfig(output=path, k=3, **given))


def rows_of(expected, users=None):
    return [
        {"user": user, "item": item, "rank": rank, "score": score}
        for user, items in expected.items()
        if users is None or user in users
        for rank, (item, score) in enumerate(items[:3], 1)
    ]


def test_every_format_has_all_rows_in_order(source, expected, tmp_path):
    wanted = rows_of(expected)
    for name in ("x.parquet", "x.csv", "x.jsonl"):
        made = make(source, tmp_path / "new" / name)
        assert made == (tmp_path / "new" / name, 23, len(wanted))
    assert pq.read_table(tmp_path / "new/x.parquet").to_pylist() == wanted
    with open(tmp_path / "new/x.csv", newline="") as file:
        found = [
            {**row, "rank": int(row["rank"]), "score": float(row["score"])}
            for row in csv.DictReader(file)
        ]
    assert found == wanted
    lines = (tmp_path / "new/x.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines] == wanted
    # Nothing else is left.
    assert len(list((tmp_path / "new").iterdir())) == 3


def test_a_link_is_written_through(source, expected, tmp_path):
    (tmp_path / "disk").mkdir()
    (tmp_path / "x.csv").symlink_to(tmp_path / "disk" / "lists.csv")
    make(source, tmp_path / "x.csv")
    assert (tmp_path / "x.csv").is_symlink()
    text = (tmp_path / "disk" / "lists.csv").read_text()
    assert len(text.splitlines()) == 1 + len(rows_of(expected))
    assert len(list(tmp_path.rglob("*"))) == 3


@pytest.mark.parametrize("after", [False, True])
def test_a_kill_at_any_rename_changes_nothing(
    after, source, tmp_path, monkeypatch
):
    whole, path = tmp_path / "whole.csv", tmp_path / "x.csv"
    make(source, whole)
    wanted = whole.read_bytes()
    replace, left = Path.replace, 0

    def kill(self, target):
        nonlocal left
        left -= 1
        if left < 0 and not after:
            raise Killed
        found = replace(self, target)
        if left < 0:
            raise Killed
        return found

    monkeypatch.setattr(Path, "replace", kill)
    for renames in range(12):
        left = renames
        try:
            make(source, path)
        except Killed:
            # Whole, or not there.
            assert not path.exists() or path.read_bytes() == wanted
            continue
        break
    assert path.read_bytes() == wanted
    assert sorted(tmp_path.iterdir()) == [whole, path]


def test_parts_that_are_there_are_not_made_again(
    source, tmp_path, capsys, monkeypatch
):
    path, asked = tmp_path / "x.jsonl", []

    def two(work, numbers):
        yield from work.make(numbers[:2])
        raise Killed

    with pytest.raises(Killed):
        make_lists(source, ListsConfig(output=path, k=3), two)
    best = source.best

    def count(histories):
        asked.append(len(histories))
        return best(histories)

    monkeypatch.setattr(source, "best", count)
    make(source, path)
    # In parts of three.
    assert sum(asked) == 23 - 6
    assert "6 of 23 users were done before." in capsys.readouterr().out


def test_parts_of_other_settings_are_not_used(source, tmp_path, capsys):
    path, some = tmp_path / "x.csv", tmp_path / "users"
    some.write_text("u3\n")

    def one(work, numbers):
        yield next(work.make(numbers))
        raise Killed

    with pytest.raises(Killed):
        make_lists(source, ListsConfig(output=path, k=3), one)
    make(source, path, users=str(some))
    assert "which were made with other settings" in capsys.readouterr().out
    assert len(path.read_text().splitlines()) == 4


def test_parts_of_another_ranking_of_the_same_files_are_not_used(
    run, tmp_path, monkeypatch
):
    def plan(run):
        source = RunSource(run, 3)
        work = Work(source, ListsConfig(output=tmp_path / "x.csv", k=3))
        return work.parts._plan

    before = plan(run)
    assert plan(run) == before
    other = dataclasses.replace(run.config, fit_on="all")
    assert plan(dataclasses.replace(run, config=other)) != before
    ranked = dataclasses.replace(run.data.protocol.config, rank_history=True)
    monkeypatch.setattr(run.data.protocol, "config", ranked)
    assert plan(run) != before


def test_shards_are_all_of_it_and_each_has_a_file(source, expected, tmp_path):
    rows = []
    for share in range(3):
        made = make(source, tmp_path / "x.parquet", shard=f"{share}/3")
        assert made.path.name == f"x-0000{share}-of-00003.parquet"
        rows += pq.read_table(made.path).to_pylist()
    assert len({row["user"] for row in rows}) == 23
    order = {user: place for place, user in enumerate(expected)}
    rows.sort(key=lambda row: (order[row["user"]], row["rank"]))
    assert rows == rows_of(expected)
    with pytest.raises(InputError, match="`--shard=40/50` has no users"):
        make(source, tmp_path / "x.parquet", shard="40/50")


def test_some_users_alone(source, expected, tmp_path):
    users = tmp_path / "users.txt"
    users.write_text("u7\nu2\n")
    make(source, tmp_path / "x.parquet", users=str(users))
    found = pq.read_table(tmp_path / "x.parquet").to_pylist()
    assert found == rows_of(expected, {"u2", "u7"})
    users.write_text("u7\nwho\n")
    with pytest.raises(InputError, match=r"users.txt, line 2: 'who' is not in"):
        make(source, tmp_path / "x.parquet", users=str(users))


def test_two_do_not_write_the_same_lists(source, tmp_path):
    with (
        locked(tmp_path / "x.csv.parts"),
        pytest.raises(InputError, match=r"is writing .*another `--output`"),
    ):
        make(source, tmp_path / "x.csv")


def test_the_time_left_is_told(source, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(making, "_SECONDS_BETWEEN_LINES", 0)
    make(source, tmp_path / "x.csv")
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 8
    assert lines[0].startswith("3 of 23 users - about ")
    assert lines[-1] == "23 of 23 users - about 0 s left"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"output": "x.txt"}, r"`--output` must end in .parquet, .csv or "),
        ({"shard": "4/4", "output": "x.csv"}, r"`--shard` must be i/n .*'4/4'"),
        ({"shard": "a", "output": "x.csv"}, r"`--shard` must be i/n with i"),
        ({"users": "x"}, "`--users` means nothing without `--output`"),
        (
            {"per_group": ("a:1",), "export_dir": "x"},
            "`--per_group` means nothing with `--export_dir`, which",
        ),
        ({"groups": "x"}, "`--groups` means nothing without `--per_group`"),
        (
            {"engine_url": "x", "output": "x.csv"},
            "`--engine_url` means nothing without `--engine=pyspark`",
        ),
    ],
)
def test_settings_that_mean_nothing_are_refused(given, message):
    with pytest.raises(InputError, match=message):
        ListsConfig(**given)


def test_a_part_has_a_bound_of_rows(source, tmp_path):
    small = Work(source, ListsConfig(output="x.csv", k=400_000))
    assert [small.users_of(number) for number in small.numbers] == [2] * 11 + [
        1
    ]
