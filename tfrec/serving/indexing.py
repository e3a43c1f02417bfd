"""Indexes of runs: made, and probed so far that they find what is asked."""

import dataclasses
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from tfrec.batches import Query
from tfrec.errors import InputError
from tfrec.models.base.items import EXCLUDED, as_histories, exclude
from tfrec.models.base.products import Products
from tfrec.serving.finite import check_finite
from tfrec.serving.item_index import ItemIndex
from tfrec.serving.partitions import Partitions, partition
from tfrec.serving.samples import Asked, held_out_histories
from tfrec.serving.servable import rows_at_once
from tfrec.serving.top_items import top_items
from tfrec.training import Run
from tfrec.training.files import read_json, write_json

_FILE = "assets.extra/index.json"
# Half of them shape the partitions, the others choose how many are probed.
_HISTORIES = 4000
# Partitions for each root of the number of items; fewer mean more items to
# score, more mean more centres.
_PER_ROOT = 4
# Items in a partition at least, on average.
_LEAST_ITEMS = 4


@dataclasses.dataclass(frozen=True)
class IndexReport:
    """What an index finds, and what that takes.

    Attributes:
        partitions: Number of partitions of the items.
        probes: How many of them a search scores.
        k: Number of items that it looks for.
        recall: Share of the k best items that are in these partitions.
        least_recall: What was asked for.
        share: Share of all items that are scored.
        histories: Number of histories over which both were measured.
    """

    partitions: int
    probes: int
    k: int
    recall: float
    least_recall: float
    share: float
    histories: int

    def __str__(self):
        return (
            f"Index: {self.partitions:,} partitions, {self.probes:,} probed. "
            f"Recall@{self.k} of the exact list is {self.recall:.4f} (asked "
            f"for: {self.least_recall:g}), and {self.share:.2%} of the items "
            f"are scored, over {self.histories:,} histories."
        )

    def write(self, folder: Path) -> None:
        """Writes it beside a SavedModel, where servers do not look."""
        write_json(folder / _FILE, dataclasses.asdict(self), "--export_dir")


def read_report(version: Path) -> IndexReport | None:
    """Returns what the index of a version finds; None if it has none."""
    path = version / _FILE
    return IndexReport(**read_json(path)) if path.exists() else None


@dataclasses.dataclass(frozen=True)
class Indexed:
    """An index, and the histories by which it was chosen.

    Attributes:
        index: Finds items.
        report: What it finds.
        asked: The histories.
        best: float32 `[n, k]`, the scores of the exact lists.
    """

    index: ItemIndex
    report: IndexReport
    asked: Sequence[Asked]
    best: np.ndarray


def check_products(run: Run) -> Products:
    """Returns the products of a run's model.

    Raises:
        InputError: If its scores are none.
    """
    products = run.model.products()
    if products is None:
        raise InputError(
            "`--index=partitioned` needs a model whose scores are products of "
            "one state with a vector for each item: none that counts or is "
            "solved for, no `--memory`, and no `--posterior_samples` above 1. "
            f"Received: {run.config.model} ({run.folder})."
        )
    return products


def make_index(run: Run, k: int, least_recall: float) -> Indexed:
    """Makes an index that finds so much of the exact lists.

    Both are asked with histories of the run's test, up to 2,000, or, without a
    test, with what its users did. Others, as many, say what states look like.

    Args:
        run: A trained run.
        k: Number of items of a list.
        least_recall: Share of the items of the exact lists to find.

    Raises:
        InputError: If the model's scores are no products, or not finite.
    """
    products = check_products(run)
    asked = held_out_histories(run.data, _HISTORIES)
    states = _states(run, products, asked)
    # One history alone does for both.
    later = slice(1, None, 2) if asked[1:] else slice(None)
    asked = asked[later]
    left_out = [each.items for each in asked]
    if not run.data.protocol.exclude_history:
        left_out = [[] for _ in asked]
    vectors = products.vectors().numpy()
    check_finite(vectors, states)
    index, report, best = index_of(
        vectors,
        states[::2],
        states[later],
        left_out,
        k,
        least_recall,
    )
    return Indexed(index, report, asked, best)


def index_of(
    vectors: np.ndarray,
    states: np.ndarray,
    asked: np.ndarray,
    left_out: Sequence[Sequence[int]],
    k: int,
    least_recall: float,
) -> tuple[ItemIndex, IndexReport, np.ndarray]:
    """Makes an index of vectors, see `make_index`.

    Args:
        vectors: float32 `[num_items, dim]`.
        states: float32 `[m, dim]`, what states look like.
        asked: float32 `[n, dim]`, states that are asked.
        left_out: Items that are not looked for, for each of these.
        k: Number of items of a list.
        least_recall: Share of the items of the exact lists to find.

    Returns:
        The index, what it finds, and the scores of the exact lists.
    """
    count = min(
        round(_PER_ROOT * math.sqrt(len(vectors))), len(vectors) // _LEAST_ITEMS
    )
    partitions = partition(vectors, states, max(1, count))
    columns, best = exact_lists(vectors, asked, left_out, k)
    probes, recall, share = choose_probes(
        partitions, asked, np.where(best > EXCLUDED, columns, -1), least_recall
    )
    report = IndexReport(
        len(partitions.sizes),
        probes,
        k,
        recall,
        least_recall,
        share,
        len(asked),
    )
    return ItemIndex(vectors, partitions, probes), report, best


def _states(run: Run, products: Products, asked: Sequence[Asked]) -> np.ndarray:
    """Returns the state after each history, `[n, dim]`."""
    states = tf.function(
        products.states, reduce_retracing=True, autograph=False
    )
    # What no model reads need not be padded.
    longest = run.model.config.max_length
    made = []
    for start in range(0, len(asked), 256):
        block = asked[start : start + 256]
        history = as_histories(
            [each.items[-longest:] for each in block], run.data.num_items
        )
        user = tf.constant([each.user for each in block], tf.int32)
        made.append(states(Query.of(history, user)).numpy())
    return np.concatenate(made)


def exact_lists(
    vectors: np.ndarray,
    states: np.ndarray,
    left_out: Sequence[Sequence[int]],
    k: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Finds the k best of all items, see `top_items`.

    Args:
        vectors: float32 `[num_items, dim]`.
        states: float32 `[n, dim]`.
        left_out: Items that are not listed, for each state.
        k: Number of items.

    Returns:
        Their columns, int32 `[n, k]`, and scores, float32 `[n, k]`.
    """
    num_items, table = len(vectors), tf.constant(vectors)
    columns, best = [], []
    rows = rows_at_once(num_items)
    for start in range(0, len(states), rows):
        block = slice(start, start + rows)
        scores = tf.matmul(states[block], table, transpose_b=True)
        scores = exclude(scores, as_histories(left_out[block], num_items))
        values, found = top_items(scores, k)
        columns.append(found.numpy())
        best.append(values.numpy())
    return np.concatenate(columns), np.concatenate(best)


def choose_probes(
    partitions: Partitions,
    states: np.ndarray,
    columns: np.ndarray,
    least_recall: float,
) -> tuple[int, float, float]:
    """Chooses how many partitions are probed.

    An item is found if fewer centres than that have a larger product with the
    state than the centre of its partition.

    Args:
        partitions: Of the items.
        states: float32 `[n, dim]`.
        columns: int `[n, k]`, the items to find; -1 for none.
        least_recall: Share of them to find.

    Returns:
        The number, the share of the items that it finds, and the share of all
        items that are then scored.
    """
    near = states @ partitions.centres.T
    owners = partitions.owners[columns]
    own = np.take_along_axis(near, owners, 1)
    nearer = np.stack(
        [
            (row > each[:, None]).sum(1)
            for row, each in zip(near, own, strict=True)
        ]
    )
    nearer = np.sort(nearer[columns >= 0])
    # Where no history has an item to find, any number finds them all.
    place = max(0, math.ceil(least_recall * len(nearer)) - 1)
    probes = int(nearer[place]) + 1 if len(nearer) else 1
    recall = float((nearer < probes).mean()) if len(nearer) else 1.0
    nearest = np.argpartition(-near, probes - 1, 1)[:, :probes]
    scored = partitions.sizes[nearest].sum(1).mean()
    return probes, recall, float(scored / len(partitions.order))


def found_recall(received: np.ndarray, best: np.ndarray) -> float:
    """Returns which share of the exact lists was found, by scores.

    Of equal items either may stand at the end of a list.

    Args:
        received: float32 `[n, k]`, the scores of the items that were found.
        best: float32 `[n, k]`, those of the exact lists.
    """
    last = best[:, -1:]
    near = np.where(last > EXCLUDED, 1e-5 * np.maximum(1.0, np.abs(last)), 0.0)
    found = (received >= last - near) & (received > EXCLUDED)
    return float(found.sum() / max(1, (best > EXCLUDED).sum()))


def inputs_of(run: Run, asked: Sequence[Asked]) -> dict[str, Any]:
    """Returns histories as a signature that recommends takes them."""
    length = max(len(each.items) for each in asked)
    history = np.full([len(asked), length], "", object)
    for row, each in zip(history, asked, strict=True):
        row[: len(each.items)] = run.data.vocabulary.lookup(each.items)
    if not run.model.knows_users:
        return {"history": history}
    users = ["", *run.data.users.items]
    names = [users[each.user] for each in asked]
    return {"history": history, "user": np.array(names, object)}
