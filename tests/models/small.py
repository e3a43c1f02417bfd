"""Small models and batches, for tests of what models share."""

import numpy as np
import tensorflow as tf

from tfrec.batches import TrainingBatch
from tfrec.models import ACVAE, VASER, ACVAEConfig, VASERConfig
from tfrec.models.base.per_position import PerPosition
from tfrec.models.configs.per_position import PerPositionConfig

SIZES = {
    "embedding_dim": 8,
    "gru_units": 6,
    "latent_dim": 4,
    "max_length": 12,
}
# Without dropout.
QUIET = {"embedding_dropout": 0.0, "dropout": 0.0}


def acvae(num_items: int = 15, **changes) -> ACVAE:
    """Returns a small compiled ACVAE."""
    own = {"convolution_filters": 7, "decoder_units": 9}
    made = ACVAE(num_items, ACVAEConfig(**{**SIZES, **own, **changes}))
    made.compile()
    return made


def vaser(num_items: int = 15, **changes) -> VASER:
    """Returns a small compiled VASER."""
    made = VASER(num_items, VASERConfig(**{**SIZES, "flows": 3, **changes}))
    made.compile()
    return made


def per_position(num_items: int = 15, **changes) -> PerPosition:
    """Returns a small compiled model of parts that settings choose."""
    made = PerPosition(num_items, PerPositionConfig(**{**SIZES, **changes}))
    made.compile()
    return made


def batch(rows=((1, 2, 3, 4, 5), (6, 7, 8), (9, 10, 11, 12))) -> TrainingBatch:
    """Returns a training batch of the given sequences."""
    items = tf.ragged.constant(rows, tf.int32).to_tensor()
    return TrainingBatch.of(items)


def chains() -> TrainingBatch:
    """Returns 40 sequences in which item n + 1 follows n, and 1 follows 10."""
    starts = np.arange(40) % 10
    return batch(((starts[:, None] + np.arange(9)) % 10 + 1).tolist())
