"""Settings of VSKNN."""

import dataclasses
from typing import ClassVar

from tfrec.models.configs.cooccurrence import CooccurrenceConfig
from tfrec.models.configs.space import OneOf, Space
from tfrec.settings import setting


@dataclasses.dataclass(frozen=True)
class VSKNNConfig(CooccurrenceConfig):
    """Settings of VSKNN; as in the authors' code."""

    space: ClassVar[Space] = {
        "neighbour_sequences": OneOf((50, 100, 200, 500)),
        "sampled_sequences": OneOf((500, 1000, 2000)),
    }

    neighbour_sequences: int = setting(
        100, "Most similar sequences whose items are scored.", minimum=1
    )
    sampled_sequences: int = setting(
        500,
        "Newest sequences with an item of the history, of which the most "
        "similar are taken.",
        minimum=1,
    )
    last_items: int = setting(
        1_000_000,
        "Newest items of a history that are read; sequences are counted whole.",
        minimum=1,
    )
    similarity_decay: str = setting(
        "linear",
        "Weight in a similarity of an item in place i of a history of n: i / n "
        "(linear), its square (quadratic), or 1 (none).",
        choices=("linear", "quadratic", "none"),
    )
    match_decay: str = setting(
        "reciprocal",
        "Weight of a sequence whose newest common item is the i-th last of the "
        "history: 1 / i (reciprocal), its square (quadratic), or 1 (none).",
        choices=("reciprocal", "quadratic", "none"),
    )
    idf_weight: float = setting(
        0.0,
        "How much more a rare item counts: what it has is multiplied by 1 plus "
        "this times log(sequences / interactions with it).",
        minimum=0.0,
    )
