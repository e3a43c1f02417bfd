"""What is known of the requests that a version answered."""

import collections
import dataclasses
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import tensorflow as tf
from tensorflow.core.framework.tensor_pb2 import TensorProto

from tfrec.data import PreparedDataset
from tfrec.data.histories import History
from tfrec.errors import InputError
from tfrec.metrics.ranks import SHOWN
from tfrec.metrics.shifts import Share
from tfrec.serving.servable import DEFAULT_SIGNATURE, FOR_USER
from tfrec.watching.reading import Logged
from tfrec.watching.samples import Frequent, Reservoir

# The signatures that recommend without more ado: others choose among some
# items, or draw.
RECOMMENDING = (DEFAULT_SIGNATURE, FOR_USER)
# Answers of each signature that are kept; of those, how many are asked again.
_MOST_ANSWERS = 50_000
_ASKED_AGAIN = 64


_HOUR = 3600


class Answer(NamedTuple):
    """A list that was recommended.

    Attributes:
        items: Indices of its items, the best first, 0 for unknown ones; int32
            `[SHOWN]` or fewer.
        scores: Of the first two, or of the only one.
    """

    items: np.ndarray
    scores: tuple[float, ...]


@dataclasses.dataclass
class Hour:
    """What is known of the requests of an hour.

    Attributes:
        rows: Number of their rows.
        items: Number of items in the histories.
        unknown: How many of these are unknown.
        answers: Number of lists after histories with a known item.
        score: The sum of the scores of their first items.
    """

    rows: int = 0
    items: int = 0
    unknown: int = 0
    answers: int = 0
    score: float = 0.0

    def __add__(self, other: "Hour") -> "Hour":
        """Returns both together."""
        return Hour(
            *(
                mine + its
                for mine, its in zip(
                    dataclasses.astuple(self),
                    dataclasses.astuple(other),
                    strict=True,
                )
            )
        )


class Served:
    """The requests that a version answered, as they are read.

    Args:
        data: What the model was trained on.
        rng: Draws samples.

    Attributes:
        requests: Number of requests, by signature.
        rows: Number of their rows, by signature.
        first: When the first was answered, seconds since 1970; 0: not known.
        last: The last.
        hours: By the seconds since 1970 at which they begin; without requests
            whose time is not known.
        sampling: The expected number of all requests, of which these were
            logged; by the rates that they name.
        unknown_items: The share of the items that the data do not have.
        unknown_names: Those items.
        unknown_users: The same of users, where one was named.
        empty: The share of histories without any item.
        lost: That of histories without a known item, but with others.
        none_known: Both: that of histories without a known item.
        lengths: Number of histories by the number of their known items, which
            is what a model reads; without those that have none.
        items: int64 `[num_items]`, how often each stands in a history.
        answers: A sample of the lists after histories with a known item, by
            signature.
        asked: Histories and their answers, to ask again, by signature.
    """

    def __init__(self, data: PreparedDataset, rng: np.random.Generator):
        self._data = data
        self.requests: collections.Counter[str] = collections.Counter()
        self.rows: collections.Counter[str] = collections.Counter()
        self.first = self.last = 0
        self.hours: dict[int, Hour] = {}
        self.sampling = 0.0
        self.unknown_items, self.unknown_users = Share(), Share()
        self.empty, self.lost, self.none_known = Share(), Share(), Share()
        self.unknown_names = Frequent()
        self.lengths: collections.Counter[int] = collections.Counter()
        self.items = np.zeros(self._data.num_items, np.int64)
        self.answers, self.asked = (
            {name: Reservoir(size, rng) for name in RECOMMENDING}
            for size in (_MOST_ANSWERS, _ASKED_AGAIN)
        )

    def add(self, record: Logged) -> None:
        """Adds a request and its answer.

        Raises:
            InputError: If it is not one of a model of this kind.
        """
        log = record.log.predict_log
        name = log.request.model_spec.signature_name or DEFAULT_SIGNATURE
        inputs = _arrays(log.request.inputs, record.place)
        history = inputs.get("history")
        if history is None or history.ndim != 2 or history.dtype != object:
            raise InputError(
                f"{record.place} must have the input `history`, strings of "
                "rows and columns, as a model has that `tfrec export` wrote. "
                f"Received: {', '.join(sorted(inputs)) or 'no input'}."
            )
        hour = self._count(name, len(history), record)
        indices = self._add_histories(history, hour)
        users = inputs.get("user")
        users = [""] * len(history) if users is None else _texts(users)
        self._add_users(users)
        if name in RECOMMENDING:
            outputs = _arrays(log.response.outputs, record.place)
            self._add_answers(name, indices, users, outputs, hour)

    @property
    def signature(self) -> str:
        """The signature whose answers are compared: the one asked most."""
        return max(RECOMMENDING, key=lambda name: self.answers[name].added)

    def _count(self, signature: str, rows: int, record: Logged) -> Hour:
        """Counts a request; returns its hour."""
        self.requests[signature] += 1
        self.rows[signature] += rows
        metadata = record.log.log_metadata
        self.sampling += 1 / (metadata.sampling_config.sampling_rate or 1.0)
        if not (when := metadata.timestamp_secs):
            return Hour()
        self.first = min(self.first or when, when)
        self.last = max(self.last, when)
        return self.hours.setdefault(when // _HOUR * _HOUR, Hour())

    def _add_histories(
        self, history: np.ndarray, hour: Hour
    ) -> list[np.ndarray]:
        """Counts histories; returns the indices of their known items."""
        names = _texts(history.ravel())
        indices = self._data.vocabulary.index(names).reshape(history.shape)
        given = (history != b"").reshape(history.shape)
        there = given.sum(1)
        unknown = given & (indices == 0)
        self.unknown_items.add(unknown.sum(1), there)
        hour.rows += len(history)
        hour.items += int(there.sum())
        hour.unknown += int(unknown.sum())
        self.unknown_names.add(
            names[place] for place in np.flatnonzero(unknown)
        )
        self.empty.add(there == 0, np.ones_like(there))
        known = (indices > 0).sum(1)
        self.lost.add((there > 0) & (known == 0), np.ones_like(there))
        self.none_known.add(known == 0, np.ones_like(there))
        self.lengths.update(known[known > 0].tolist())
        np.add.at(self.items, indices[indices > 0] - 1, 1)
        return [row[row > 0] for row in indices]

    def _add_users(self, users: list[str]) -> None:
        named = [user for user in users if user]
        if named and self._data.num_users:
            unknown = self._data.users.index(named) == 0
            self.unknown_users.add(unknown, np.ones_like(unknown))

    def _add_answers(
        self,
        signature: str,
        histories: list[np.ndarray],
        users: list[str],
        outputs: Mapping[str, np.ndarray],
        hour: Hour,
    ) -> None:
        # A client may have asked for one of them only.
        if not {"items", "scores"} <= outputs.keys():
            return
        for history, user, names, scores in zip(
            histories, users, outputs["items"], outputs["scores"], strict=True
        ):
            # Who has no known item got the most popular ones.
            if not len(history):
                continue
            texts = [name.decode() for name in names[:SHOWN] if name]
            items = self._data.vocabulary.index(texts)
            found = tuple(scores[: len(texts)][:2].tolist())
            if found:
                hour.answers += 1
                hour.score += found[0]
                answer = Answer(items, found)
                self.answers[signature].add(answer)
                asking = History(user, self._user(user), history)
                self.asked[signature].add((asking, answer))

    def _user(self, name: str) -> int:
        if not name or not self._data.num_users:
            return 0
        return int(self._data.users.index([name])[0])


def _texts(names: np.ndarray) -> list[str]:
    return [name.decode(errors="replace") for name in names]


def _arrays(
    protos: Mapping[str, TensorProto], place: str
) -> dict[str, np.ndarray]:
    try:
        return {name: tf.make_ndarray(proto) for name, proto in protos.items()}
    except (TypeError, ValueError) as error:
        raise InputError(
            f"{place} has values that do not fill their shape: {error}."
        ) from error
