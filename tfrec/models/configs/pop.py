"""Settings of Pop."""

import dataclasses

from tfrec.settings import Settings, setting


@dataclasses.dataclass(frozen=True)
class PopConfig(Settings):
    """Settings of Pop."""

    max_length: int = setting(
        1_000_000,
        "Items of a history that the model reads; newest kept.",
        minimum=1,
    )
