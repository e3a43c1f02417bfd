"""Settings of Rules."""

import dataclasses
from typing import ClassVar

from tfrec.models.configs.cooccurrence import CooccurrenceConfig
from tfrec.models.configs.space import Between, OneOf, Space
from tfrec.settings import setting


@dataclasses.dataclass(frozen=True)
class RulesConfig(CooccurrenceConfig):
    """Settings of Rules."""

    space: ClassVar[Space] = {
        "max_distance": Between(1, 20),
        "every_item_votes": OneOf((True, False)),
    }

    max_distance: int = setting(
        10,
        "Largest number of steps from one item of a rule to the other; 1 is "
        "the Markov model.",
        minimum=1,
    )
    every_item_votes: bool = setting(
        False,
        "Let each of the last max_distance items vote, with the rules of its "
        "own distance; otherwise the last item alone does, with all rules.",
    )
