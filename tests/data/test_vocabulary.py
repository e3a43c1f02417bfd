import hashlib
import tempfile
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.properties import examples
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


# Only a newline ends an id; others of Unicode's line ends may be in it.
@examples(30)
@example(["a\u2028b", "c\x0bd"], 1)
@given(
    st.lists(
        st.text(
            st.characters(codec="utf-8", exclude_characters="\n"), min_size=1
        ),
        unique=True,
    ),
    st.integers(0, 9),
)
def test_property_what_is_written_is_read_again(items, cut):
    with tempfile.TemporaryDirectory() as folder:
        for part in (items[:cut], items[cut:]):
            Vocabulary.write(folder, part)
        loaded = Vocabulary.load(folder)
        content = Path(folder, "items.txt").read_bytes()
    assert loaded.items == items
    indices = loaded.index(items)
    assert indices.tolist() == list(range(1, len(items) + 1))
    assert loaded.lookup(indices) == items
    assert loaded.checksum == hashlib.sha256(content).hexdigest()


@pytest.mark.parametrize("text", ["a\nb", "a\n\nb\n", "a\nb\na\n"])
def test_a_damaged_file_is_named(tmp_path, text):
    (tmp_path / "items.txt").write_text(text)
    with pytest.raises(InputError, match=r"items\.txt is damaged"):
        Vocabulary.load(tmp_path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match=r"items\.txt cannot be read"):
        Vocabulary.load(tmp_path)
