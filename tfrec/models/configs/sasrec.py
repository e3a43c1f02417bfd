"""Settings of SASRec."""

import dataclasses
from typing import ClassVar

from tfrec.models.configs.space import Between, Space
from tfrec.models.configs.transformer import TransformerConfig


@dataclasses.dataclass(frozen=True)
class SASRecConfig(TransformerConfig):
    """Settings of SASRec; the paper's for MovieLens 1M, but for the loss.

    The paper has `--loss=binary`. With the softmax a larger model pays: 256
    dimensions and 3 blocks on MovieLens 1M.
    """

    space: ClassVar[Space] = {
        **TransformerConfig.space,
        "target_window": Between(1, 8),
    }

    embedding_dim: int = 50
    embedding_dropout: float = 0.2
    item_bias: bool = False
    adam_beta_2: float = 0.98
