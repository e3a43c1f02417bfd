"""Finding items by a part of their title or id, while somebody types."""

import bisect
import unicodedata
from collections.abc import Sequence

# Most hits that are put in order. The text is read from the most popular item
# on, so what is left out is less popular than all of them.
_MOST_HITS = 500


def folded(text: str) -> str:
    """Returns a text without case and accents: "amelie" of "Amélie"."""
    if text.isascii():
        return text.lower()
    parts = unicodedata.normalize("NFKD", text.casefold())
    return "".join(c for c in parts if not unicodedata.combining(c))


class TitleIndex:
    """All titles as one text: a search is one scan of it, in C.

    300,000 titles are some 10 MB, and a scan takes a few milliseconds
    (docs/explorer.md), so there is no index to build, store or keep.

    Args:
        ids: Id of each item.
        titles: Title of each, "" if it has none.
        counts: How popular each one is.
    """

    def __init__(
        self,
        ids: Sequence[str],
        titles: Sequence[str],
        counts: Sequence[float],
    ):
        self._places = {item: place for place, item in enumerate(ids)}
        self._order = sorted(range(len(ids)), key=lambda i: -counts[i])
        # Titles first, so that one that begins with the text begins its line.
        lines = [f"{folded(titles[i])}\t{folded(ids[i])}" for i in self._order]
        lines = [line.replace("\n", " ") for line in lines]
        self._text = "\n" + "\n".join(lines) + "\n"
        self._starts = [0] * len(lines)
        end = 0
        for number, line in enumerate(lines):
            self._starts[number] = end
            end += len(line) + 1

    def search(self, text: str, limit: int = 20) -> tuple[list[int], bool]:
        """Finds the items whose title or id has every word of a text.

        Args:
            text: As typed; case and accents do not count.
            limit: Most items to return.

        Returns:
            Places of the items: first the one with that very id, then those
            that begin with the text, those of which a word does, and the
            rest, the more popular before the less. And whether there are more.
        """
        # The rarest first: the others are looked for in its lines alone.
        words = sorted(folded(text).split(), key=self._text.count)
        if not words:
            return self._order[:limit], len(self._order) > limit
        whole = " ".join(folded(text).split())
        hits = []
        for number, line in self._lines(words):
            if len(hits) == _MOST_HITS:
                break
            # Of equal ones the more popular first: sorting keeps the order.
            place = f"\t{line}".replace("\t", " ").find(f" {whole}")
            hits.append((0 if place == 0 else 1 if place > 0 else 2, number))
        found = [self._order[number] for _, number in sorted(hits)]
        exact = self._places.get(text.strip())
        if exact is not None:
            found = [exact, *(place for place in found if place != exact)]
        return found[:limit], len(found) > limit

    def _lines(self, words: Sequence[str]):
        """Yields the lines that have all words, and their numbers."""
        rarest, *others = words
        text, position = self._text, 0
        while (position := text.find(rarest, position)) >= 0:
            # A line's start is the line end before it.
            number = bisect.bisect_right(self._starts, position) - 1
            start = self._starts[number] + 1
            end = text.index("\n", start)
            line = text[start:end]
            if all(word in line for word in others):
                yield number, line
            position = end
