"""Settings of every count model."""

import dataclasses

from tfrec.settings import Settings, setting


@dataclasses.dataclass(frozen=True)
class CooccurrenceConfig(Settings):
    """Settings of every count model."""

    max_length: int = setting(
        1_000_000,
        "Items of a sequence that are counted; newest kept.",
        minimum=1,
    )
