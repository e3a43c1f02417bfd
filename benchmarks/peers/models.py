"""Models of tfrec beside those of RecBole: the same sizes, losses and rates.

The sizes and dropouts are RecBole's defaults, so that the other side is not
the one that has settings forced upon it, but for what tfrec cannot follow:
GRU4Rec has states as large as an embedding, and Caser reads five items, the
paper's number (RecBole would read 50 and warns of it). The Transformers read
20 items in both, not 50: with 50 an epoch of RecBole's SASRec takes 170
seconds.

What differs where settings are equal, by the design of the two:

* RecBole trains on prefixes, a row for each target with the items before it,
  50 or as many as are read. tfrec trains on sequences, with all targets of
  one; a longer sequence is cut into rows, each of which begins without a
  history (`--long_sequences=windows`). A step has as many targets in the mean.
* Each draws first weights its own way, but for those of the Transformers, which
  have the same deviation.
"""

from typing import NamedTuple

# Of RecBole a batch has so many rows, which are targets; a batch of tfrec has
# as many sequences as give so many targets.
TARGETS = 2048
# Users, where both train on users: 604 make six steps an epoch, not one.
USERS = 100


class Pair(NamedTuple):
    """One model in both libraries.

    Attributes:
        peer: RecBole's name of it.
        peer_settings: RecBole's settings, beside what all have.
        flags: tfrec's, beside what all have.
        by_user: Whether a row is a user in RecBole too.
        times: How many times the patience and the number of epochs, of tfrec
            and of RecBole.
    """

    peer: str
    peer_settings: dict
    flags: dict
    by_user: bool = False
    times: tuple[int, int] = (1, 1)


_SOFTMAX = {"loss_type": "CE", "train_neg_sample_args": None}
_SHORT = 20
_TRANSFORMER = {
    "MAX_ITEM_LIST_LENGTH": _SHORT,
    "n_layers": 2,
    "n_heads": 2,
    "hidden_size": 64,
    "inner_size": 256,
    **_SOFTMAX,
}
_BLOCKS = {
    "max_length": _SHORT,
    "embedding_dim": 64,
    "blocks": 2,
    "heads": 2,
    "hidden_units": 256,
    "loss": "softmax",
    "adam_beta_2": 0.999,
    # RecBole draws all matrices so, as BERT does.
    "embedding_deviation": 0.02,
    "kernel_deviation": 0.02,
}
# In the order in which they are run, the fastest first.
PAIRS: dict[str, Pair] = {
    # RecBole's Pop counts an item once in each batch, however often it comes,
    # and counts the negatives that it draws.
    "pop": Pair(
        "Pop",
        {"train_batch_size": 1, "train_neg_sample_args": None},
        {},
        by_user=True,
    ),
    "fpmc": Pair(
        "FPMC",
        {"embedding_size": 64, "loss_type": "BPR"},
        {"embedding_dim": 64, "loss": "bpr", "negatives": 1},
    ),
    "sasrec": Pair(
        "SASRec",
        {
            "hidden_dropout_prob": 0.5,
            "attn_dropout_prob": 0.5,
            **_TRANSFORMER,
        },
        {"dropout": 0.5, "embedding_dropout": 0.5, **_BLOCKS},
    ),
    "gru4rec": Pair(
        "GRU4Rec",
        {
            "embedding_size": 64,
            "hidden_size": 64,
            "num_layers": 1,
            "dropout_prob": 0.3,
            **_SOFTMAX,
        },
        {
            "embedding_dim": 64,
            "embedding_dropout": 0.3,
            "item_bias": False,
            "loss": "softmax",
        },
    ),
    "narm": Pair(
        "NARM",
        {
            "embedding_size": 64,
            "hidden_size": 128,
            "n_layers": 1,
            "dropout_probs": [0.25, 0.5],
            **_SOFTMAX,
        },
        {
            "embedding_dim": 64,
            "gru_units": 128,
            "embedding_dropout": 0.25,
            "dropout": 0.5,
            "loss": "softmax",
        },
    ),
    "caser": Pair(
        "Caser",
        {
            "embedding_size": 64,
            "nh": 8,
            "nv": 4,
            "dropout_prob": 0.4,
            "reg_weight": 0.0,
            "MAX_ITEM_LIST_LENGTH": 5,
            **_SOFTMAX,
        },
        {
            "embedding_dim": 64,
            "window": 5,
            "horizontal_filters": 8,
            "vertical_filters": 4,
            "dropout": 0.4,
            "target_window": 1,
            "loss": "softmax",
        },
    ),
    "multvae": Pair(
        "MultiVAE",
        # Half of its latent dimension are the variances. Both let beta grow
        # by 1 / 200,000 a step.
        {
            "mlp_hidden_size": [600],
            "latent_dimension": 128,
            "dropout_prob": 0.5,
            "anneal_cap": 0.2,
            "total_anneal_steps": 200_000,
        },
        {
            "hidden_units": 600,
            "latent_dim": 64,
            "input_dropout": 0.5,
            "kl_weight": 0.2,
            "anneal_steps": 40_000,
        },
        by_user=True,
        # An epoch has 6 steps, not 29.
        times=(5, 5),
    ),
    "bert4rec": Pair(
        "BERT4Rec",
        {
            "hidden_dropout_prob": 0.2,
            "attn_dropout_prob": 0.2,
            "mask_ratio": 0.2,
            "ft_ratio": 0.5,
            **_TRANSFORMER,
        },
        {
            "dropout": 0.2,
            "embedding_dropout": 0.2,
            "mask_probability": 0.2,
            "mask_last": 0.5,
            **_BLOCKS,
        },
        # An item of a long sequence is in up to 20 rows of RecBole's and is
        # masked in any; of tfrec's it is in one.
        times=(5, 1),
    ),
}


def peer_settings(model: str, epochs: int, patience: int) -> dict:
    """Returns RecBole's settings of a model, all but those of the protocol.

    Args:
        model: Its name in `PAIRS`.
        epochs: Largest number of epochs.
        patience: Epochs without a better validation metric.
    """
    pair = PAIRS[model]
    return {
        "epochs": epochs * pair.times[1],
        "patience": patience * pair.times[1],
        "learner": "adam",
        "learning_rate": 1e-3,
        "weight_decay": 0.0,
        "MAX_ITEM_LIST_LENGTH": 50,
        "train_batch_size": USERS if pair.by_user else TARGETS,
        **pair.peer_settings,
    }


def flags(model: str, epochs: int, patience: int, mean_length: float) -> dict:
    """Returns the flags of `tfrec.train` for a model.

    Args:
        model: Its name in `PAIRS`.
        epochs: Largest number of epochs.
        patience: Epochs without a better validation metric.
        mean_length: Targets of a training sequence.
    """
    pair = PAIRS[model]
    found = {"model": model, "fit_on": "train", "cutoffs": "10"}
    if model == "pop":
        return {**found, "epochs": 1}
    found |= {
        "epochs": epochs * pair.times[0],
        "patience": patience * pair.times[0],
        "learning_rate": 1e-3,
        "batch_size": USERS if pair.by_user else round(TARGETS / mean_length),
    }
    if not pair.by_user:
        found |= {"max_length": 50, "long_sequences": "windows"}
    return {**found, **pair.flags}
