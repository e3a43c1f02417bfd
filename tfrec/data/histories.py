"""All that each user did, up to the newest event: what lists are made from."""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from tfrec.batches import UNKNOWN_USER
from tfrec.data.prepared import PreparedDataset
from tfrec.data.windows import read_shards

# Records whose ids are read at once.
_AT_ONCE = 4096
_WHO = {
    "id": tf.io.FixedLenFeature([], tf.string),
    "user": tf.io.FixedLenFeature([], tf.int64, UNKNOWN_USER),
}
_ALL = _WHO | {
    name: tf.io.RaggedFeature(tf.int64, row_splits_dtype=tf.int64)
    for name in ("items", "targets")
}


class History(NamedTuple):
    """What a user, or with next_click a session, did.

    Attributes:
        name: The id in the raw log.
        user: Its index; 0 if training did not know it.
        items: Indices of the items in the vocabulary, int64 `[length]`, the
            oldest first. Items that only the test has are left out.
    """

    name: str
    user: int
    items: np.ndarray


class Histories:
    """Everybody of a prepared dataset, each once, with the whole sequence.

    The splits divide a user's sequence, so no split alone has all of it. A
    record of the test has what came before it and, as its targets, the rest.
    Who has none has a record of the training, whose targets are what was kept
    for the validation. A session of next_click is in one split, whole. Only a
    sequence of one item, which gives no pair of history and target, may be in
    none.

    The ids are read once for this; the sequences are streamed. Kept are one
    byte for each record and the ids of those whom training did not know.

    Args:
        data: A prepared dataset.
        names: Ids of those who are wanted; everybody by default.

    Attributes:
        missing: The `names` that nobody has, in their order.
    """

    def __init__(
        self, data: PreparedDataset, names: Sequence[str] | None = None
    ):
        self._data = data
        splits = data.protocol.splits
        if data.protocol.has_users:
            # The validation has nobody whom these have not.
            splits = [s for s in ("test", "train", "late") if s in splits]
        self._splits = [s for s in splits if self._records(s)]
        wanted = None if names is None else set(names)
        self._chosen, found = self._choose(wanted)
        self._size = int(self._chosen.sum())
        self.missing = [name for name in names or () if name not in found]

    def __len__(self) -> int:
        return self._size

    def blocks(
        self, size: int, wanted: Callable[[int], bool] | None = None
    ) -> Iterator[tuple[int, list[History]]]:
        """Yields those who are wanted, so many at a time, in a fixed order.

        Args:
            size: Number of histories in a block; the last may have fewer.
            wanted: Says by its number, from 0, whether a block is read; all
                are by default.

        Yields:
            The number of a block, and its histories.
        """
        count = -(-self._size // size)
        kept = [wanted is None or wanted(number) for number in range(count)]
        if not any(kept):
            return
        for number, columns in self._blocks(size, tf.constant(kept)):
            yield int(number), self._histories(columns)

    # AutoGraph writes files, which stay when the process is killed.
    @tf.autograph.experimental.do_not_convert
    def _blocks(self, size: int, kept: tf.Tensor) -> tf.data.Dataset:
        """Reads the blocks that are kept, each with its number."""
        chosen = tf.constant(self._chosen)
        return (
            self._serialized(self._splits)
            .enumerate()
            .filter(lambda place, _: chosen[place])
            .map(lambda _, record: record)
            .batch(size)
            .enumerate()
            .filter(lambda number, _: kept[number])
            .map(
                lambda number, block: (
                    number,
                    tf.io.parse_example(block, _ALL),
                )
            )
            .prefetch(1)
        )

    def _histories(self, columns: dict[str, tf.Tensor]) -> list[History]:
        rows = tf.concat([columns["items"], columns["targets"]], 1)
        known = rows <= self._data.num_items
        rows = tf.ragged.boolean_mask(rows, known)
        values = rows.values.numpy()
        splits = rows.row_splits.numpy()
        names = columns["id"].numpy()
        return [
            History(name.decode(), int(user), values[start:stop])
            for name, user, start, stop in zip(
                names,
                columns["user"].numpy(),
                splits[:-1],
                splits[1:],
                strict=True,
            )
        ]

    def _choose(self, wanted: set[str] | None) -> tuple[np.ndarray, set[str]]:
        """Says which record is read of each one who is wanted.

        Returns:
            bool `[records]`, the splits one after the other; and which of
            those who are wanted were found.
        """
        total = sum(map(self._records, self._splits))
        chosen = np.ones(total, bool)
        has_users = self._data.protocol.has_users
        seen = np.zeros(self._data.num_users + 1, bool)
        # Those whom training did not know, who have no index.
        strangers: set[bytes] = set()
        found: set[str] = set()
        place = 0
        for split in self._splits:
            for batch in self._serialized([split]).batch(_AT_ONCE):
                columns = tf.io.parse_example(batch, _WHO)
                names, users = columns["id"].numpy(), columns["user"].numpy()
                part = chosen[place : place + len(names)]
                place += len(names)
                if has_users:
                    part &= ~seen[users]
                    seen[users] = True
                    seen[UNKNOWN_USER] = False
                    for row in np.flatnonzero(users == UNKNOWN_USER):
                        part[row] = names[row] not in strangers
                        strangers.add(names[row])
                if wanted is not None:
                    texts = [name.decode() for name in names]
                    part &= [text in wanted for text in texts]
                    found.update(wanted.intersection(texts))
        return chosen, found

    def _serialized(self, splits: Sequence[str]) -> tf.data.Dataset:
        """Streams the records, one split after the other."""
        records = tf.data.Dataset.from_tensor_slices(tf.constant([], tf.string))
        for split in splits:
            shards = self._data.manifest.splits[split]["shards"]
            files = [str(self._data.data_dir / each["file"]) for each in shards]
            records = records.concatenate(read_shards(tf.constant(files)))
        return records

    def _records(self, split: str) -> int:
        return self._data.manifest.splits.get(split, {}).get("records", 0)
