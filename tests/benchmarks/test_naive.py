import pytest
import tensorflow as tf

from benchmarks.naive import NaiveACVAE, copy_weights, largest_difference
from tfrec.batches import TrainingBatch
from tfrec.models import ACVAE, ACVAEConfig


@pytest.fixture
def models():
    config = ACVAEConfig(
        max_length=7,
        embedding_dim=6,
        gru_units=5,
        convolution_filters=8,
        latent_dim=4,
        decoder_units=6,
        critic_units=6,
    )
    return ACVAE(9, config), NaiveACVAE(9, config)


def test_the_naive_model_has_the_same_loss(models):
    items = tf.constant([[3, 1, 4, 0, 0, 0], [2, 7, 1, 8, 2, 9]])
    batch = TrainingBatch.of(items)
    model, naive = models
    assert largest_difference(model, naive, batch) > 1e-3
    copy_weights(model, naive)
    assert largest_difference(model, naive, batch) < 1e-5
