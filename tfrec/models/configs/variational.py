"""Settings that models share."""

import dataclasses

from tfrec.errors import InputError
from tfrec.settings import Settings, setting


@dataclasses.dataclass(frozen=True)
class VariationalConfig(Settings):
    """Settings of every model with a latent; each has defaults of its own."""

    max_length: int = setting(
        200, "Items of a history that the model reads; newest kept.", minimum=1
    )
    embedding_dim: int = setting(100, "Size of an item embedding.", minimum=1)
    gru_units: int = setting(100, "Size of the encoder's state.", minimum=1)
    latent_dim: int = setting(100, "Size of the latent z.", minimum=1)
    embedding_dropout: float = setting(
        0.5, "Dropout rate on item embeddings.", minimum=0.0, below=1.0
    )
    tie_weights: bool = setting(
        True, "Use the item embeddings as the softmax's item vectors."
    )
    cosine_scale: float = setting(
        0.0,
        "If positive, logits are this times the cosine between the decoded "
        "vector and the item's; otherwise their inner product.",
        minimum=0.0,
    )
    softmax: str = setting(
        "full",
        "full: train on the probabilities of all items. sampled: on those of "
        "the targets and of items drawn by popularity, so that a step's cost "
        "does not grow with the catalogue; the optimizer then steps only the "
        "rows of the item tables that a batch has read. Ranking is always over "
        "all items.",
        choices=("full", "sampled"),
    )
    softmax_samples: int = setting(
        # With fewer the quality falls, more cost time.
        1000,
        "With --softmax=sampled: draws of an item in a step, shared by its "
        "positions. One drawn several times counts once. A step holds several "
        "arrays of one number for each position and draw: 51 MB each for 64 "
        "sequences of 200 items and 1000 draws.",
        minimum=1,
    )
    matmul_dtype: str = setting(
        "float32",
        "Type of the softmax's matrix products; bfloat16 is faster on "
        "processors that have it.",
        choices=("float32", "bfloat16"),
    )
    label_smoothing: float = setting(
        0.0,
        "Share of a target spread over all items; with --exclude_history, over "
        "those that the history lacks.",
        minimum=0.0,
        below=1.0,
    )
    exclude_history: bool = setting(
        False,
        "Give the items of the history the probability 0, in training too: for "
        "protocols that do not rank them. Otherwise the model learns to avoid "
        "them, and what is like them.",
    )
    posterior_samples: int = setting(
        0,
        "Posterior draws averaged at evaluation; 0 uses the noise-free latent.",
        minimum=0,
    )
    learning_rate: float = setting(
        1e-3,
        "AdamW learning rate; in ACVAE of all but adversary and critic.",
        above=0.0,
    )
    weight_decay: float = setting(
        0.0, "AdamW weight decay; without it AdamW is Adam.", minimum=0.0
    )

    def __post_init__(self):
        super().__post_init__()
        if self.sampled and self.label_smoothing:
            raise InputError(
                "`--label_smoothing` must be 0 with --softmax=sampled: it "
                "needs the logits of all items. Received: "
                f"{self.label_smoothing}."
            )

    def unused(self) -> dict[str, str]:
        """See base class."""
        if self.sampled:
            return {}
        return {"softmax_samples": f"with --softmax={self.softmax}"}

    @property
    def sampled(self) -> bool:
        """Whether training draws items instead of taking all."""
        return self.softmax == "sampled"
