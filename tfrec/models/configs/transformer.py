"""Settings of every model made of Transformer blocks."""

import dataclasses
from typing import ClassVar

from tfrec.errors import InputError
from tfrec.models.configs.next_item import NextItemConfig
from tfrec.models.configs.space import Between, Space
from tfrec.settings import setting


def check_heads(heads: int, embedding_dim: int) -> None:
    """Raises `InputError` if the heads do not divide an embedding."""
    if embedding_dim % heads:
        raise InputError(
            f"`--heads` must divide --embedding_dim={embedding_dim}. "
            f"Received: {heads}."
        )


@dataclasses.dataclass(frozen=True)
class TransformerConfig(NextItemConfig):
    """Settings of the blocks, see `TransformerBlock`."""

    space: ClassVar[Space] = {
        **NextItemConfig.space,
        "dropout": Between(0.0, 0.6),
    }

    blocks: int = setting(2, "Self-attention blocks.", minimum=1)
    heads: int = setting(
        1, "Attention heads; they divide --embedding_dim.", minimum=1
    )
    hidden_units: int = setting(
        0,
        "Width of the hidden layer of a block; 0: that of an embedding.",
        minimum=0,
    )
    dropout: float = setting(
        0.2,
        "Dropout rate on attention weights and on what a part of a block adds.",
        minimum=0.0,
        below=1.0,
    )
    kernel_deviation: float = setting(
        0.0,
        "Standard deviation of the blocks' kernels before training; with 0.02, "
        "as in BERT, a block changes little at first. 0: uniform, by their "
        "sizes (Glorot).",
        minimum=0.0,
    )

    def __post_init__(self):
        super().__post_init__()
        check_heads(self.heads, self.embedding_dim)
