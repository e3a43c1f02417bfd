"""Settings of Markov."""

import dataclasses

from tfrec.models.configs.cooccurrence import CooccurrenceConfig


@dataclasses.dataclass(frozen=True)
class MarkovConfig(CooccurrenceConfig):
    """Settings of Markov."""
