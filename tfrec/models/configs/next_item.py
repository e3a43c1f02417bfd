"""Settings of every model that predicts the next item from a state."""

import dataclasses
from typing import ClassVar

from tfrec.errors import InputError
from tfrec.models.configs.memory import MemoryConfig
from tfrec.models.configs.space import Between, OneOf, Space
from tfrec.settings import Settings, setting

# Losses that draw items, and how many by default: with fewer the quality
# falls, more cost time.
_NEGATIVES = {
    "sampled_softmax": 1000,
    "bpr_max": 1000,
    "top1_max": 1000,
    "top1": 1000,
    "bpr": 1,
    "binary": 1,
    "gbce": 256,
}
_RANKING = ("bpr_max", "top1_max", "top1")
_BY_POPULARITY = ("sampled_softmax", *_RANKING)
# Below, the squares of old gradients fade about as fast as their mean, and the
# moves of `LazyAdamW` in the steps that a row missed do not.
_LEAST_BETA_2 = 0.9


@dataclasses.dataclass(frozen=True)
class LearnedConfig(Settings):
    """Settings of every model that is trained by gradients."""

    space: ClassVar[Space] = {"learning_rate": Between(3e-4, 1e-2, log=True)}

    max_length: int = setting(
        200, "Items of a history that the model reads; newest kept.", minimum=1
    )
    learning_rate: float = setting(
        1e-3, "AdamW learning rate, of all but the critics.", above=0.0
    )
    weight_decay: float = setting(
        0.0, "AdamW weight decay; without it AdamW is Adam.", minimum=0.0
    )
    adam_beta_2: float = setting(
        0.999,
        "AdamW's decay of the mean squares of the gradients; with a loss that "
        "draws items 0.9 at least.",
        above=0.0,
        below=1.0,
    )
    ema_momentum: float = setting(
        0.0,
        "Momentum of a moving average of the weights, .999 for example, by "
        "which the model is validated, tested and served; for a constant "
        "learning rate. 0 for the weights themselves.",
        minimum=0.0,
        below=1.0,
    )

    def __post_init__(self):
        super().__post_init__()
        if self.sparse_steps and self.adam_beta_2 < _LEAST_BETA_2:
            raise InputError(
                f"`--adam_beta_2` must be at least {_LEAST_BETA_2} with a loss "
                "that draws items: what an item makes up for must fade. "
                f"Received: {self.adam_beta_2}."
            )

    @property
    def sparse_steps(self) -> bool:
        """Whether a step reads few rows of the item tables, and steps these."""
        return False

    def unused(self) -> dict[str, str]:
        """See base class."""
        unused = super().unused()
        if self.sparse_steps:
            unused["ema_momentum"] = (
                "with a loss that draws items: a step changes few of them, an "
                "average would read all"
            )
        return unused


@dataclasses.dataclass(frozen=True)
class NextItemConfig(MemoryConfig, LearnedConfig):
    """Settings of embedding, item vectors, targets and loss."""

    space: ClassVar[Space] = {
        **LearnedConfig.space,
        "embedding_dim": OneOf((64, 128, 256)),
        "embedding_dropout": Between(0.0, 0.6),
    }

    embedding_dim: int = setting(100, "Size of an item embedding.", minimum=1)
    embedding_deviation: float = setting(
        0.0,
        "Standard deviation of the item embeddings before training. 0: 1, or "
        "with --tie_weights 1 / sqrt(embedding_dim).",
        minimum=0.0,
    )
    item_start: str = setting(
        "random",
        "What the item embeddings are before training. random: drawn. "
        "spectral: the singular vectors of the log as training reads it, so "
        "that items of the same sequences start near to each other; for logs "
        "with few interactions of an item. nearby: the same of items within 20 "
        "steps of each other, the nearest most. With --tie_weights the softmax "
        "starts so too. It takes seconds to minutes before the first epoch, "
        "and the log has to fit in memory, for nearby 150 bytes for each pair.",
        choices=("random", "spectral", "nearby"),
    )
    embedding_dropout: float = setting(
        0.5, "Dropout rate on item embeddings.", minimum=0.0, below=1.0
    )
    tie_weights: bool = setting(
        True, "Use the item embeddings as the softmax's item vectors."
    )
    item_bias: bool = setting(
        True, "Add a bias of its own to each item's logit."
    )
    cosine_scale: float = setting(
        0.0,
        "If positive, logits are this times the cosine between the decoded "
        "vector and the item's; otherwise their inner product.",
        minimum=0.0,
    )
    start_at_popularity: bool = setting(
        False,
        "Start the item biases at the items' log-frequency. A decoder of tanh "
        "units would otherwise saturate while it learns it.",
    )
    decoder_dropout: float = setting(
        0.0,
        "Dropout rate on the vector that is compared with the items.",
        minimum=0.0,
        below=1.0,
    )
    target_window: int = setting(
        1,
        "Predict the set of the next N items from each position (the next-k "
        "of SVAE); 1 predicts the next item alone.",
        minimum=1,
    )
    target_decay: float = setting(
        1.0,
        "Weight in --target_window of an item, for 1 of the one before it.",
        above=0.0,
        maximum=1.0,
    )
    loss: str = setting(
        "softmax",
        "softmax: train on the probabilities of all items. sampled_softmax: on "
        "those of the targets and of items drawn by popularity, so that a "
        "step's cost does not grow with the catalogue. bpr_max, top1_max: set "
        "the targets above the strongest of such a sample; top1: above all of "
        "it. bpr: above --negatives items drawn evenly for each. binary: tell "
        "each target from items so drawn. gbce: the same, calibrated. With all "
        "but softmax the optimizer steps only the rows of the item tables that "
        "a batch has read. Ranking is always over all items.",
        choices=("softmax", *_NEGATIVES),
    )
    negatives: int = setting(
        0,
        "Draws of an item in a step, shared by its positions; with bpr, binary "
        "and gbce for each target. 0: 1000, with bpr and binary 1, with gbce "
        "256. One "
        "drawn several times counts once where draws are shared. A step holds "
        "several arrays of one number for each position and draw: 51 MB each "
        "for 64 sequences of 200 items and 1000 draws.",
        minimum=0,
    )
    sampling_power: float | None = setting(
        None,
        "Where a sample is shared: draw items in proportion to their number of "
        "interactions to this power; 0 draws evenly. None: with a chance that "
        "falls as 1 / rank of their popularity.",
        minimum=0.0,
    )
    score_penalty: float = setting(
        1.0,
        "bpr_max, top1_max, top1: weight of the term that keeps scores near 0.",
        minimum=0.0,
    )
    score_elu: float = setting(
        0.0,
        "bpr_max, top1_max, top1: if positive, compare ELUs of the logits, "
        "which level off at minus this. GRU4Rec+ has 0.5 with bpr_max.",
        minimum=0.0,
    )
    calibration: float = setting(
        0.75,
        "gbce: from 0, the binary loss, to 1, ranks as softmax does.",
        minimum=0.0,
        maximum=1.0,
    )
    matmul_dtype: str = setting(
        "float32",
        "Type of the products with the item vectors, in a softmax or with a "
        "sample, and of the logits of a full softmax; bfloat16 is faster on "
        "processors that have it.",
        choices=("float32", "bfloat16"),
    )
    label_smoothing: float = setting(
        0.0,
        "softmax: share of a target spread over all items; with "
        "--exclude_history, over those that the history lacks.",
        minimum=0.0,
        below=1.0,
    )
    exclude_history: bool = setting(
        False,
        "Give the items of the history the probability 0, in training too: for "
        "protocols that do not rank them. Otherwise the model learns to avoid "
        "them, and what is like them.",
    )

    def unused(self) -> dict[str, str]:
        """See base class."""
        unused = super().unused() | self.unread(
            [
                ("label_smoothing", "loss", ("softmax",)),
                ("negatives", "loss", tuple(_NEGATIVES)),
                ("sampling_power", "loss", _BY_POPULARITY),
                ("score_penalty", "loss", _RANKING),
                ("score_elu", "loss", _RANKING),
                ("calibration", "loss", ("gbce",)),
                ("matmul_dtype", "loss", ("softmax", *_BY_POPULARITY)),
                ("memory", "loss", ("softmax",)),
            ]
        )
        if self.target_window == 1:
            unused["target_decay"] = "with --target_window=1"
        if not self.item_bias:
            unused["start_at_popularity"] = "with --noitem_bias"
        return unused

    @property
    def popular_start(self) -> bool:
        """Whether the items' biases start at their popularity."""
        return self.start_at_popularity and self.item_bias

    @property
    def draws(self) -> int:
        """How many items the loss draws; 0 if it takes all."""
        return self.negatives or _NEGATIVES.get(self.loss, 0)

    @property
    def sparse_steps(self) -> bool:
        """See base class."""
        return self.loss != "softmax"
