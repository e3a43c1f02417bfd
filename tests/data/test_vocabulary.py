import hashlib

import pytest

from tfrec.data.vocabulary import Vocabulary
from tfrec.errors import InputError


def test_line_n_is_the_item_with_index_n(tmp_path):
    (tmp_path / "items.txt").write_text("b\na\nz y\n")
    vocabulary = Vocabulary.load(tmp_path)
    assert vocabulary.size == 3
    assert list(vocabulary.index(["b", "a", "z y"])) == [1, 2, 3]
    assert vocabulary.lookup([3, 1]) == ["z y", "b"]


def test_unknown_items_have_index_0_and_padding_no_name():
    vocabulary = Vocabulary(["a"])
    assert list(vocabulary.index(["x", "a", ""])) == [0, 1, 0]
    assert vocabulary.lookup([0]) == [""]


@pytest.mark.parametrize("index", [-1, 2])
def test_lookup_refuses_an_index_outside_the_vocabulary(index):
    with pytest.raises(IndexError, match=r"0\.\.1"):
        Vocabulary(["a"]).lookup([index])


def test_checksum_is_that_of_the_file(tmp_path):
    path = tmp_path / "items.txt"
    path.write_bytes("b\ncafé\n".encode())
    expected = hashlib.sha256(path.read_bytes()).hexdigest()
    assert Vocabulary.load(tmp_path).checksum == expected
    assert Vocabulary(["café", "b"]).checksum != expected


def test_only_a_newline_ends_an_id(tmp_path):
    (tmp_path / "items.txt").write_bytes("a\u2028b\nc\x0bd\n".encode())
    assert Vocabulary.load(tmp_path).items == ["a\u2028b", "c\x0bd"]


@pytest.mark.parametrize("text", ["a\nb", "a\n\nb\n", "a\nb\na\n"])
def test_a_damaged_file_is_named(tmp_path, text):
    (tmp_path / "items.txt").write_text(text)
    with pytest.raises(InputError, match=r"items\.txt is damaged"):
        Vocabulary.load(tmp_path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match=r"items\.txt cannot be read"):
        Vocabulary.load(tmp_path)
