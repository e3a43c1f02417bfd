"""Settings of BERT4Rec."""

import dataclasses
from typing import ClassVar

from tfrec.models.configs.space import Between, Space
from tfrec.models.configs.transformer import TransformerConfig
from tfrec.settings import setting


@dataclasses.dataclass(frozen=True)
class BERT4RecConfig(TransformerConfig):
    """Settings of BERT4Rec; the paper's for MovieLens 1M, but for Adam.

    Its rate there is 1e-4, after a warm-up, its weight decay 0.01, and a batch
    has 256 sequences.
    """

    space: ClassVar[Space] = {
        **TransformerConfig.space,
        "mask_probability": Between(0.1, 0.6),
    }

    embedding_dim: int = 64
    embedding_deviation: float = 0.02
    embedding_dropout: float = 0.2
    heads: int = 2
    hidden_units: int = 256
    mask_probability: float = setting(
        0.2,
        "Probability of an item to be masked in training; of each sequence one "
        "is at least.",
        above=0.0,
        maximum=1.0,
    )
    mask_last: float = setting(
        0.1,
        "Share of the sequences in training of which the last item alone is "
        "masked, as at prediction.",
        minimum=0.0,
        maximum=1.0,
    )

    def unused(self) -> dict[str, str]:
        """See base class."""
        return super().unused() | {
            "target_window": "where the masked item alone is predicted",
            "memory": "with BERT4Rec, whose states see what comes later",
        }
