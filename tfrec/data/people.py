"""The people of an evaluation split, one by one: for looking at them."""

import functools
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from tfrec.batches import UNKNOWN_USER
from tfrec.data.prepared import EVALUATION_SPLITS, PreparedDataset
from tfrec.data.windows import read_shards
from tfrec.errors import InputError

# Records that are parsed at once.
_AT_ONCE = 4096
_ID = {"id": tf.io.FixedLenFeature([], tf.string)}


class Person(NamedTuple):
    """A user, or with next_click a session, and what came next.

    Attributes:
        name: The id in the raw log.
        user: Its index; 0 if training did not know it.
        history: Item indices, oldest first.
        targets: What came after it; those above the vocabulary's are items
            that training never saw.
        skipped: How many items of the history training never saw; models skip
            them.
    """

    name: str
    user: int
    history: list[int]
    targets: list[int]
    skipped: int = 0


class People:
    """Reads the people of the test; where there is none, of the validation.

    Args:
        data: A prepared dataset.

    Attributes:
        split: The name of the split; "" if the dataset has neither.
    """

    def __init__(self, data: PreparedDataset):
        self._data = data
        self.split = next(
            (
                split
                for split in reversed(EVALUATION_SPLITS)
                if self._records(split)
            ),
            "",
        )

    def __len__(self) -> int:
        return self._records(self.split)

    def named(self, name: str) -> Person:
        """Returns the person with an id.

        Raises:
            InputError: If there is none, with ids that there are.
        """
        place = self._places.get(name)
        if place is None:
            some = ", ".join(list(self._places)[:3])
            raise InputError(
                f"{self._data.data_dir} has no {self.split} user or session "
                f"'{name}'. There are {len(self):,}, such as {some}."
                if self.split
                else f"{self._data.data_dir} has neither test nor validation."
            )
        return self.at(place)

    def anyone(self, seed: int | None = None) -> Person:
        """Returns a person at random.

        Args:
            seed: The same one gives the same person. None: any.

        Raises:
            InputError: If there is nobody.
        """
        if not len(self):
            return self.named("")
        return self.at(int(np.random.default_rng(seed).integers(len(self))))

    def at(self, place: int) -> Person:
        """Returns the person of a record, counted from 0."""
        (serialized,) = self._serialized().skip(place).take(1)
        feature = tf.train.Example.FromString(
            serialized.numpy()
        ).features.feature
        items, targets, user = (
            list(feature[name].int64_list.value)
            for name in ("items", "targets", "user")
        )
        if not targets:  # A session, of which every click is predicted.
            items, targets = items[:-1], items[-1:]
        known = [item for item in items if item <= self._data.num_items]
        return Person(
            feature["id"].bytes_list.value[0].decode(),
            user[0] if user else UNKNOWN_USER,
            known,
            targets,
            len(items) - len(known),
        )

    @functools.cached_property
    def _places(self) -> dict[str, int]:
        """The record of each id, read on first use."""
        names = (
            name
            for batch in self._serialized().batch(_AT_ONCE)
            for name in tf.io.parse_example(batch, _ID)["id"].numpy()
        )
        return {name.decode(): place for place, name in enumerate(names)}

    def _serialized(self) -> tf.data.Dataset:
        if not self.split:
            return tf.data.Dataset.from_tensor_slices(
                tf.constant([], tf.string)
            )
        shards = self._data.manifest.splits[self.split]["shards"]
        files = [str(self._data.data_dir / each["file"]) for each in shards]
        return read_shards(tf.constant(files))

    def _records(self, split: str) -> int:
        return self._data.manifest.splits.get(split, {}).get("records", 0)
