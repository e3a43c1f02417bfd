"""Finding items by a part of their title or id."""

import pytest

from tfrec.explorer.titles import TitleIndex

ITEMS = {
    "1": ("Toy Story (1995)", 50),
    "2": ("The Toy (1982)", 90),
    "3": ("Amélie (2001)", 10),
    "4": ("Star Wars: Episode IV", 80),
    "5": ("Star Trek", 20),
    "50": ("Storytelling", 5),
    "no title": ("", 1),
}


@pytest.fixture(scope="module")
def index():
    titles, counts = zip(*ITEMS.values(), strict=True)
    return TitleIndex(list(ITEMS), titles, counts)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        # The start of a title, then of a word, then within one.
        ("story", ["50", "1"]),
        ("TOY", ["1", "2"]),
        ("oy", ["2", "1"]),
        ("amelie", ["3"]),
        ("AMÉLIE", ["3"]),
        # Every word, in any order.
        ("wars star", ["4"]),
        ("star  ep", ["4"]),
        # That very id before what contains it.
        ("5", ["5", "50", "1"]),
        ("no title", ["no title"]),
        ("nothing like it", []),
        ("1982\n", ["2"]),
        # Nothing typed: the most popular.
        (" ", ["2", "4", "1", "5", "3", "50", "no title"]),
    ],
)
def test_what_a_text_finds(index, text, found):
    ids = list(ITEMS)
    places, more = index.search(text)
    assert [ids[place] for place in places] == found
    assert not more


def test_more_than_the_limit_is_told(index):
    places, more = index.search("s", limit=2)
    assert len(places) == 2
    assert more


def test_300_000_titles_are_searched():
    ids = [f"B{n:07x}" for n in range(300_000)]
    titles = [f"Product {n:x} of shelf {n % 977}" for n in range(300_000)]
    index = TitleIndex(ids, titles, range(300_000))
    for text, first in (
        ("a", 299_994),
        ("product 3f0f of", 0x3F0F),
        ("b0012345", 0x12345),
        # 43f0f is more popular.
        ("3f0f product", 0x43F0F),
        ("not there", None),
        ("shelf zebra", None),
    ):
        places, _ = index.search(text)
        assert places[:1] == ([] if first is None else [first]), text
