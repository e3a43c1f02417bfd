import pytest

from tfrec.data.config import DataConfig
from tfrec.data.sources import get_source
from tfrec.errors import InputError


def config(folder, **settings):
    return DataConfig(
        dataset="sessions",
        protocol="next_click",
        raw_dir=str(folder),
        **settings,
    )


def write(folder, train="1 2 3\n2 1\n", test="3 1\n"):
    (folder / "train_sessions.txt").write_text(train)
    (folder / "test_sessions.txt").write_text(test)


def read(engine, settings):
    """Returns (sequence, item, held out) in the order of position and time."""
    table = get_source("sessions").read(engine, settings).table
    assert (table.timestamp == table.position).all().to_pyarrow().as_py()
    rows = table.order_by("position").to_pyarrow().to_pylist()
    assert len({row["position"] for row in rows}) == len(rows)
    return [(row["sequence"], row["item"], row["held_out"]) for row in rows]


def test_lines_are_sessions_in_time_the_test_file_last(engine, tmp_path):
    write(tmp_path, "7 8\t7  7\n\n 9 \n", "8 a\n")
    assert read(engine, config(tmp_path)) == [
        ("train 1", "7", False),
        ("train 1", "8", False),
        ("train 1", "7", False),
        ("train 1", "7", False),
        ("train 3", "9", False),
        ("test 1", "8", True),
        ("test 1", "a", True),
    ]


def test_a_longer_test_session_keeps_its_order(engine, tmp_path):
    write(tmp_path, "1 2\n", " ".join(str(n) for n in range(50)) + "\n")
    found = read(engine, config(tmp_path))
    assert [item for _, item, _ in found[2:]] == [str(n) for n in range(50)]


@pytest.mark.parametrize("name", ["train", "test"])
def test_a_missing_file_is_named(engine, tmp_path, name):
    write(tmp_path)
    (tmp_path / f"{name}_sessions.txt").unlink()
    pattern = rf"`--raw_dir`.*without {name}_sessions\.txt \(`--{name}_file`\)"
    with pytest.raises(InputError, match=pattern):
        read(engine, config(tmp_path))


def test_the_files_can_have_other_names(engine, tmp_path):
    (tmp_path / "a").write_text("1 2\n")
    (tmp_path / "b").write_text("2 1\n")
    found = read(engine, config(tmp_path, train_file="a", test_file="b"))
    assert [sequence for sequence, _, _ in found[::2]] == ["train 1", "test 1"]


def test_a_test_of_only_unseen_items_is_refused(engine, tmp_path):
    write(tmp_path, test="8 9\n9 7\n")
    with pytest.raises(
        InputError,
        match=r"`--test_file`.*test_sessions.txt, with 3 items, none",
    ):
        read(engine, config(tmp_path))


def test_text_that_is_not_utf8_is_named(engine, tmp_path):
    write(tmp_path)
    (tmp_path / "test_sessions.txt").write_bytes(b"1 2\n1 \xe9\n")
    pattern = r"test_sessions\.txt, line 2.*utf-8"
    with pytest.raises(InputError, match=pattern):
        read(engine, config(tmp_path))
