"""Settings of VASER."""

import dataclasses

from tfrec.models.configs.variational import VariationalConfig
from tfrec.settings import setting


@dataclasses.dataclass(frozen=True)
class VASERConfig(VariationalConfig):
    """Settings of VASER; sizes as in section 4.4.

    Departures from the paper are listed in docs/differences.md.
    """

    max_length: int = 30
    embedding_dim: int = 50
    embedding_dropout: float = 0.25
    flows: int = setting(
        16,
        "Number K of planar flows; 0 leaves the Gaussian posterior.",
        minimum=0,
    )
    flow_weight: float = setting(
        0.0005,
        "Weight beta of the KL terms once annealed. With the paper's 0.2 the "
        "posterior collapses.",
        minimum=0.0,
    )
    anneal_steps: int = setting(
        1000, "Steps over which beta grows from 0 to its weight.", minimum=0
    )
    attention_posterior: bool = setting(
        False,
        "Give the attention vector a posterior with flows of its own, q(c_K) "
        "of section 4.5.1; otherwise it is deterministic.",
    )
    dropout: float = setting(
        0.5, "Dropout rate on what the decoder reads.", minimum=0.0, below=1.0
    )
