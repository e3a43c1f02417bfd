"""Files of candidates, and limits of groups."""

import numpy as np
import pytest

from tests.prepared import prepare_sequences
from tfrec.errors import InputError
from tfrec.lists.candidates import Candidates, read_candidates, read_ids
from tfrec.lists.config import SourceConfig


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return prepare_sequences(tmp_path_factory.mktemp("data"), [[1, 2, 3, 4, 5]])


def write(folder, name, *lines):
    path = folder / name
    path.write_text("".join(f"{line}\n" for line in lines))
    return str(path)


def test_what_is_allowed_and_not_denied_may_be_listed(data, tmp_path):
    allow = write(tmp_path, "a", "item 5", "", "item 2\r", "item 3", "item 2")
    deny = write(tmp_path, "d", "item 3", "item 1")

    def columns(**given):
        return read_candidates(SourceConfig(**given), data).columns

    assert columns() is None
    np.testing.assert_array_equal(columns(allow=allow), [1, 2, 4])
    np.testing.assert_array_equal(columns(deny=deny), [1, 3, 4])
    np.testing.assert_array_equal(columns(allow=allow, deny=deny), [1, 4])


def test_an_unknown_item_is_an_error_with_its_line(data, tmp_path):
    path = write(tmp_path, "deny.txt", "item 1", "", "item 9", "item", "x")
    with pytest.raises(
        InputError,
        match=r"deny.txt, line 3: 'item 9' is not in \S+data\d+, and 2 more\.",
    ):
        read_candidates(SourceConfig(deny=path), data)


def test_files_without_ids_and_denials_of_everything(data, tmp_path):
    empty = write(tmp_path, "empty", "", "")
    with pytest.raises(InputError, match=r"`--users` must have .* is empty"):
        read_ids(empty, "--users")
    with pytest.raises(InputError, match=r"`--users` .* no such|No such"):
        read_ids(tmp_path / "no", "--users")
    every = write(tmp_path, "all", *data.vocabulary.items)
    with pytest.raises(InputError, match="`--deny` must leave an item"):
        read_candidates(SourceConfig(deny=every), data)


def test_groups_come_from_columns_with_several_values(data, tmp_path):
    path = write(
        tmp_path,
        "groups.tsv",
        "#item\tgenre\tseller",
        "item 1\ta|b\tx",
        "item 2\tb\ty",
        "item 3\ta\tx",
        "item 4\t\tx",
        "no such item\tz\tz",
    )
    config = SourceConfig(per_group=("genre:1", "seller:2"), groups=path)
    candidates = read_candidates(config, data)
    # b is full, then x has two; item 5 is in no group.
    everything = np.arange(5)
    assert candidates.pick(everything, 5) == [0, 3, 4]
    assert candidates.pick(everything[1:], 5) == [0, 1, 2, 3]
    assert candidates.pick(everything, 2) == [0, 3]
    assert Candidates().pick(everything, 2) == [0, 1]


def test_files_of_windows_say_the_same(data, tmp_path):
    text = "\ufeff#item\tgenre\tseller\r\nitem 1\ta\r\nitem 3\ta\tx\r\n"
    (tmp_path / "g.tsv").write_bytes(text.encode())
    config = SourceConfig(
        per_group=("genre:1", "seller:1"), groups=tmp_path / "g.tsv"
    )
    assert read_candidates(config, data).pick(np.arange(5), 5) == [0, 1, 3, 4]
    (tmp_path / "ids").write_bytes("\ufeffitem 1\r\nitem 3\r\n".encode())
    assert read_ids(tmp_path / "ids", "--allow") == {"item 1": 1, "item 3": 2}


def test_titles_are_a_column_of_the_dataset(data):
    config = SourceConfig(per_group=("column 2:1",))
    groups = read_candidates(config, data).groups
    assert [len(each) for each in groups] == [1] * 5
    with pytest.raises(InputError, match=r"`--per_group` must name.*: genre\."):
        read_candidates(SourceConfig(per_group=("genre:1",)), data)


@pytest.mark.parametrize("text", ["genre", "genre:0", ":2", "genre:x"])
def test_what_is_no_limit_is_refused(text):
    with pytest.raises(InputError, match="`--per_group` must be a column and"):
        SourceConfig(per_group=(text,))


def test_a_column_has_one_limit():
    with pytest.raises(InputError, match=r"a column once\. Received: a twice"):
        SourceConfig(per_group=("a:1", "b:2", "a:3"))
