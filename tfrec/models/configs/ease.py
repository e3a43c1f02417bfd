"""Settings of EASE."""

import dataclasses

from tfrec.models.configs.linear import LinearConfig


@dataclasses.dataclass(frozen=True)
class EASEConfig(LinearConfig):
    """Settings of EASE; lambda as in the paper for MovieLens-20M."""
