"""What training looked like: the test histories, and the answers to them."""

import dataclasses
import warnings
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from tfrec.data import PreparedDataset
from tfrec.data.histories import Histories, History
from tfrec.data.prepared import EVALUATION_SPLITS
from tfrec.errors import InputError, InputWarning
from tfrec.lists.source import Listed, Source
from tfrec.training.config import TrainingConfig
from tfrec.training.progress import Bar
from tfrec.watching.served import Answer, Served

# Histories that are asked at once.
_AT_ONCE = 1024
# As near as an export must be to its run.
_NEAR = 1e-3
# More than versions of one model differ by.
_SHIFTED = 0.1
# Of a dataset without a test.
WHOLE = "training"


class Pool(NamedTuple):
    """Histories of the dataset that stand for requests.

    Attributes:
        name: What they are: "test", "validation", or `WHOLE`.
        lengths: int64 `[n]`, of all of them.
        items: int64 `[num_items]`, how often each item stands in them.
        chosen: Those that are asked.
    """

    name: str
    lengths: np.ndarray
    items: np.ndarray
    chosen: list[History]


def read_pool(data: PreparedDataset, most: int, seed: int = 0) -> Pool:
    """Reads the histories of the test, or of what there is in its place.

    Args:
        data: The dataset. Without a test its validation is taken; without
            both, the whole sequence of everybody, on which it was trained.
        most: Most histories to choose, at random.
        seed: Of the choice.
    """
    splits = data.manifest.splits
    there = [s for s in ("test", "validation") if splits[s]["records"]]
    name = there[0] if there else WHOLE
    rng = np.random.default_rng(seed)
    if name in EVALUATION_SPLITS:
        histories, count = _of_split(data, name), data.examples(name)
    else:
        everybody = Histories(data)
        blocks = everybody.blocks(_AT_ONCE)
        histories = (history for _, block in blocks for history in block)
        count = len(everybody)
    picked = np.zeros(count, bool)
    picked[rng.permutation(count)[:most]] = True
    lengths, chosen = np.zeros(count, np.int64), []
    items = np.zeros(data.num_items, np.int64)
    for place, history in enumerate(histories):
        lengths[place] = len(history.items)
        np.add.at(items, history.items - 1, 1)
        if picked[place] and len(history.items):
            chosen.append(history)
    return Pool(name, lengths[lengths > 0], items, chosen)


def _of_split(data: PreparedDataset, split: str) -> Iterator[History]:
    users = data.users.items if data.num_users else []
    with warnings.catch_warnings():
        # Of targets, which are none of this.
        warnings.simplefilter("ignore", InputWarning)
        batches = data.evaluation(split)
    for batch in batches:
        for row, user in zip(
            batch.history.numpy(), batch.user.numpy().tolist(), strict=True
        ):
            name = users[user - 1] if user else ""
            yield History(name, user, row[row > 0])


@dataclasses.dataclass(frozen=True)
class Asking:
    """A model that answers histories as its server does.

    Attributes:
        source: The run, or the export.
        data: What it was trained on.
        with_users: Whether it is told who asks.
    """

    source: Source
    data: PreparedDataset
    with_users: bool

    def answers(self, histories: list[History]) -> list[Answer]:
        """Asks the model, in the order of the histories."""
        found: list[Answer] = []
        bar = Bar(TrainingConfig(), "Asking the model", len(histories))
        for start in range(0, len(histories), _AT_ONCE):
            block = histories[start : start + _AT_ONCE]
            if not self.with_users:
                block = [History("", 0, each.items) for each in block]
            found += map(self._answer, self.source.best(block))
            bar.update(len(found))
        bar.close()
        return found

    def _answer(self, listed: Listed) -> Answer:
        items = self.data.vocabulary.index(listed.items)
        return Answer(items, tuple(listed.scores[:2]))

    def again(
        self, served: Served, signature: str
    ) -> list[tuple[Answer, Answer]]:
        """Asks again what was asked.

        Returns:
            The answers of now and of then, of each history.
        """
        asked = served.asked[signature].kept
        again = self.answers([history for history, _ in asked])
        return [
            (now, then) for now, (_, then) in zip(again, asked, strict=True)
        ]


def agreement(pairs: Sequence[tuple[Answer, Answer]]) -> tuple[int, int]:
    """Counts how many answers are the same.

    Args:
        pairs: What `Asking.again` returned.

    Returns:
        How many begin with the same item, or the same score, and of how many.
    """
    same = sum(
        bool(len(now.items))
        and (
            now.items[0] == then.items[0]
            or abs(now.scores[0] - then.scores[0]) < _NEAR
        )
        for now, then in pairs
    )
    return int(same), len(pairs)


def refuse_logits(
    pairs: Sequence[tuple[Answer, Answer]], version: int, of: str
) -> None:
    """Raises `InputError` if the scores differ by a number for each history.

    That is so where the version has an index, whose scores are logits, and
    what was asked again gives log-probabilities.

    Args:
        pairs: What `Asking.again` returned.
        version: Which answered.
        of: What was asked again.
    """
    apart = np.array(
        [
            np.subtract(now.scores, then.scores)
            for now, then in pairs
            if len(now.scores) == len(then.scores) == 2
            and now.items[:2].tolist() == then.items[:2].tolist()
        ]
    ).reshape(-1, 2)
    shifted = np.abs(apart[:, 0] - apart[:, 1]) < _NEAR
    shifted &= np.abs(apart[:, 0]) > _SHIFTED
    if len(apart) and shifted.mean() > 0.5:
        raise InputError(
            f"The scores of version {version} are logits, those of {of} "
            "log-probabilities: it was exported with `--index=partitioned`. "
            "Give `--export_dir` in place of `--run_dir`, so that the version "
            "itself is asked."
        )


def refuse_another_model(same: int, asked: int, version: int, of: str) -> None:
    """Raises `InputError` if less than half of the answers agree.

    Args:
        same: Of the answers that were asked again, how many agree.
        asked: How many were asked again.
        version: Which answered.
        of: What was asked again.
    """
    if same < asked / 2:
        raise InputError(
            f"The answers in the log are not those of {of}: of {asked} "
            f"histories that version {version} answered, {same} have the same "
            "first item. Give the run that this version was exported from, or "
            "another `--version`."
        )
