"""What the explorer knows of items: ids, titles, popularity, more columns."""

import dataclasses
import functools
from typing import Any

import numpy as np

from tfrec.data import PreparedDataset
from tfrec.explorer.titles import TitleIndex
from tfrec.models.base.items import count_interactions

# Values of a column that get a colour of their own on the map.
_COLOURS = 8


@dataclasses.dataclass(frozen=True)
class Catalogue:
    """The items of a prepared dataset.

    Attributes:
        ids: Id of each item, as in the raw log.
        titles: Title of each, "" if it has none.
        counts: float64 `[items]`, interactions in training and validation.
        columns: More that is known of each item, by name, "" where it is not.
    """

    ids: list[str]
    titles: list[str]
    counts: np.ndarray
    columns: dict[str, list[str]] = dataclasses.field(default_factory=dict)

    @classmethod
    def of(
        cls, data: PreparedDataset, counts: np.ndarray | None = None
    ) -> "Catalogue":
        """Makes the catalogue of a dataset.

        Args:
            data: The dataset.
            counts: What `counted` returned, if it is known.
        """
        ids = data.vocabulary.items
        return cls(
            ids,
            [data.titles.get(item, "") for item in ids],
            count_interactions(data) if counts is None else counts,
            {
                name: [values.get(item, "") for item in ids]
                for name, values in data.columns.items()
            },
        )

    @functools.cached_property
    def _index(self) -> TitleIndex:
        return TitleIndex(self.ids, self.titles, self.counts)

    @functools.cached_property
    def _places(self) -> dict[str, int]:
        return {item: place for place, item in enumerate(self.ids)}

    def search(self, text: str, limit: int) -> dict[str, Any]:
        """Returns the items that a text finds; see `TitleIndex.search`."""
        places, more = self._index.search(text, limit)
        return {
            "items": [self.describe(place) for place in places],
            "more": more,
        }

    def describe(self, place: int) -> dict[str, Any]:
        """Returns what is shown of an item; its place is its index less 1."""
        return {
            "id": self.ids[place],
            "title": self.titles[place],
            "count": int(self.counts[place]),
        }

    def named(self, item: str) -> dict[str, Any]:
        """Returns the same of an id, which may be unknown."""
        place = self._places.get(item)
        if place is None:
            return {"id": item, "title": "", "count": 0, "unknown": True}
        return self.describe(place)

    def groups(self, name: str, places: np.ndarray) -> dict[str, Any]:
        """Returns the values of a column for the map.

        Args:
            name: Of the column.
            places: Of the items.

        Returns:
            `values`, the most frequent first, and for each item the `group`:
            the number of its value, -1 for one that is rare or not known.
        """
        column = [self.columns[name][place] for place in places]
        values, counts = np.unique([v for v in column if v], return_counts=True)
        most = np.argsort(-counts, kind="stable")[:_COLOURS]
        values = [str(value) for value in values[most]]
        numbers = {value: number for number, value in enumerate(values)}
        return {
            "values": values,
            "group": [numbers.get(value, -1) for value in column],
        }
