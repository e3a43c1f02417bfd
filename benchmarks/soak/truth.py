"""What may be answered: questions, answers, and which versions serve when."""

import dataclasses
import json
import random
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf
from tensorflow_serving.apis.predict_pb2 import PredictRequest, PredictResponse

from tfrec.serving.servable import Servable

# Rows of a batch are added up in another order than a row alone. Nearer
# scores than this may change places.
_NEAR = 1e-4
# Of a history: at most, and the mean of most.
_LONGEST, _MEAN = 300, 15
_UNKNOWN = 0.2


@dataclasses.dataclass(frozen=True)
class Question:
    """A history, and how it goes over each wire.

    Attributes:
        history: The ids; some are of no item.
        grpc: A `PredictRequest`.
        rest: A body of JSON.
    """

    history: list[str]
    grpc: bytes
    rest: bytes


@dataclasses.dataclass(frozen=True)
class Answer:
    """What a version recommends.

    Attributes:
        items: Ids, best first.
        scores: Their scores.
        version: The version that answered; None where it is not said.
    """

    items: list[str]
    scores: np.ndarray
    version: int | None = None


def make_question(history: list[str], model: str) -> Question:
    """Returns how a history is asked."""
    request = PredictRequest()
    request.model_spec.name = model
    rows = np.array(history, object)[None]
    request.inputs["history"].CopyFrom(tf.make_tensor_proto(rows, tf.string))
    body = json.dumps({"instances": [history]}).encode()
    return Question(history, request.SerializeToString(), body)


def draw_questions(
    rng: random.Random, items: Sequence[str], count: int, model: str
) -> list[Question]:
    """Draws histories of random lengths, with ids that are of no item."""
    questions = []
    for _ in range(count):
        length = min(int(rng.expovariate(1 / _MEAN)), _LONGEST)
        if rng.random() < 0.05:
            length = _LONGEST
        history = rng.choices(items, k=length)
        if rng.random() < _UNKNOWN:
            history.insert(rng.randint(0, length), f"unknown {rng.random()}")
        questions.append(make_question(history, model))
    return questions


def known_answers(folder: Path, questions: Sequence[Question]) -> list[Answer]:
    """Returns what an exported version answers, each history by itself."""
    servable = Servable(folder.parent.name, 0, folder)
    answers = []
    try:
        signature = servable.signature("")
        for question in questions:
            history = np.array(question.history, object)[None]
            found = servable.run(
                signature, {"history": history}, ("items", "scores")
            )
            items = [item.decode() for item in found["items"][0]]
            answers.append(Answer(items, found["scores"][0]))
    finally:
        servable.close()
    return answers


def from_grpc(content: bytes) -> Answer:
    """Reads an answer of gRPC."""
    response = PredictResponse.FromString(content)
    items = tf.make_ndarray(response.outputs["items"])[0]
    scores = tf.make_ndarray(response.outputs["scores"])[0]
    version = response.model_spec.version.value
    return Answer([item.decode() for item in items], scores, version)


def from_rest(content: bytes) -> Answer:
    """Reads an answer of REST, which does not say its version."""
    (row,) = json.loads(content)["predictions"]
    return Answer(row["items"], np.array(row["scores"]))


def same(found: Answer, expected: Answer) -> bool:
    """Returns whether two lists are the same, ties and rounding aside."""
    if len(found.items) != len(expected.items):
        return False
    if not np.allclose(found.scores, expected.scores, rtol=1e-4, atol=_NEAR):
        return False
    gaps = np.abs(np.diff(expected.scores))
    for place, pair in enumerate(zip(found.items, expected.items, strict=True)):
        beside = gaps[max(0, place - 1) : place + 1]
        # The item after the last is not known: a tie with it is let pass.
        last = place == len(found.items) - 1
        if pair[0] != pair[1] and not (last or np.any(beside < _NEAR)):
            return False
    return True


class Truth:
    """Which versions may serve at a time, and what each answers.

    Args:
        answers: By model, what it answers to each question.
    """

    def __init__(self, answers: Mapping[str, Sequence[Answer]]):
        self._answers = answers
        self._lock = threading.Lock()
        # By version: its model, and the times between which it may answer.
        self._spans: dict[int, tuple[str, float, float]] = {}

    def publish(self, version: int, model: str, now: float) -> None:
        """Says that a version may answer from now on."""
        with self._lock:
            self._spans[version] = (model, now, float("inf"))

    def retire(self, version: int, now: float) -> None:
        """Says that a version answers no request that comes later."""
        with self._lock:
            model, begin, _ = self._spans[version]
            self._spans[version] = (model, begin, now)

    def complaint(
        self, question: int, answer: Answer, begin: float, end: float
    ) -> str:
        """Returns what is wrong with an answer; "" if nothing is.

        Args:
            question: The number of the question.
            answer: What was answered.
            begin: When it was asked.
            end: When the answer came.
        """
        with self._lock:
            possible = {
                version: model
                for version, (model, first, last) in self._spans.items()
                if first <= end and begin <= last
            }
        if answer.version is not None:
            if answer.version not in possible:
                return (
                    f"version {answer.version} answered, where "
                    f"{sorted(possible)} may"
                )
            possible = {answer.version: possible[answer.version]}
        if any(
            same(answer, self._answers[model][question])
            for model in possible.values()
        ):
            return ""
        return (
            f"question {question} was answered {answer.items}, as no version "
            f"of {sorted(possible)} answers"
        )
