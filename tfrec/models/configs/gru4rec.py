"""Settings of GRU4Rec and GRU4Rec+."""

import dataclasses
from typing import ClassVar

from tfrec.models.configs.next_item import NextItemConfig
from tfrec.models.configs.space import Between, Space
from tfrec.settings import setting


@dataclasses.dataclass(frozen=True)
class GRU4RecConfig(NextItemConfig):
    """Settings of GRU4Rec; 100 units as in the papers, without dropout.

    GRU4Rec+ is `--loss=bpr_max --negatives=2048 --score_elu=0.5`.
    """

    space: ClassVar[Space] = {
        **NextItemConfig.space,
        "decoder_dropout": Between(0.0, 0.6),
        "target_window": Between(1, 8),
    }

    embedding_dropout: float = 0.0
    gru_units: int = setting(
        100, "Size of the GRU's state, without --tie_weights.", minimum=1
    )

    def unused(self) -> dict[str, str]:
        """See base class."""
        unused = super().unused()
        if self.tie_weights:
            unused["gru_units"] = (
                "with --tie_weights, where states are as large as embeddings"
            )
        return unused
