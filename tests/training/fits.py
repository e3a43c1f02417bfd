"""Small fits that are the same on one device, on several and by workers."""

import keras
import numpy as np
import tensorflow as tf

from tests.prepared import prepare_sequences
from tfrec.batches import TrainingBatch
from tfrec.models import ACVAE, ACVAEConfig, GRU4Rec, GRU4RecConfig
from tfrec.optimizers import LazyAdamW
from tfrec.training.strategy import make_strategy
from tfrec.training.workers import Workers


def sequences(folder):
    """Prepares 27 sequences: batches of 9, which two cannot halve."""
    rng = np.random.default_rng(0)
    rows = [rng.integers(1, 21, n).tolist() for n in rng.integers(3, 9, 27)]
    pairs = [(row[:-1], row[-1:]) for row in rows]
    return prepare_sequences(folder, rows, test=pairs)


def silence(patch):
    """Sets all noise to zero: draws differ between one device and two."""
    patch.setattr(
        keras.random, "normal", lambda shape, seed=None: tf.zeros(shape)
    )


def contrastive(num_items):
    """Returns a small model that compares sequences, and averages weights."""
    config = ACVAEConfig(
        embedding_dim=6,
        gru_units=5,
        kernel_size=1,
        convolution_filters=6,
        latent_dim=4,
        decoder_units=6,
        embedding_dropout=0.0,
        dropout=0.0,
        critic_learning_rate=0.1,
        adversarial_weight=0.0,
        contrastive_weight=0.5,
        ema_momentum=0.5,
    )
    return ACVAE(num_items, config)


def sampled(num_items):
    """Returns a small model that steps the rows that it read."""
    config = GRU4RecConfig(
        embedding_dim=6,
        # Of several workers all take what the first finds.
        item_start="spectral",
        embedding_dropout=0.0,
        loss="sampled_softmax",
        negatives=5,
    )
    return GRU4Rec(num_items, config)


def joined(read):
    """Makes one stream of those of two workers, batch by batch."""
    streams = [
        read(tf.distribute.InputContext(2, index, 2)) for index in range(2)
    ]

    def join(*batches):
        items = [batch.items for batch in batches]
        length = tf.maximum(*(tf.shape(rows)[1] for rows in items))
        return TrainingBatch(
            tf.concat(
                [
                    tf.pad(rows, [[0, 0], [0, length - tf.shape(rows)[1]]])
                    for rows in items
                ],
                0,
            ),
            *(
                tf.concat([batch[column] for batch in batches], 0)
                for column in (1, 2, 3)
            ),
        )

    return tf.data.Dataset.zip(*streams).map(join)


def fit(data, distribution, make, divided=False):
    """Fits for three steps and evaluates.

    Args:
        data: From `sequences`.
        distribution: For `make_strategy`.
        make: `contrastive` or `sampled`.
        divided: Lets each of two workers read its share alone; with one
            device, takes both shares.

    Returns:
        Arrays by name: weights, logs, metrics and `tokens`.
    """
    keras.utils.set_random_seed(0)
    strategy = make_strategy(distribution)
    with strategy.scope():
        model = make(data.num_items)
        # Plain SGD: Adam divides rounding errors by their own size, without
        # a large epsilon.
        if model.config.sparse_steps:
            optimizer = LazyAdamW(0.1, epsilon=1.0, weight_decay=0.1)
        else:
            optimizer = keras.optimizers.SGD(0.1)
        model.compile(optimizer=optimizer)

    def read(context=None):
        return data.training(9, input_context=context)

    workers = Workers(strategy)
    if not divided:
        batches = read()
    elif workers.count == 1:
        batches = joined(read)
    else:
        batches = workers.divide(read)
    if model.needs_adapt:
        # Workers that divide the data give no dataset to count.
        model.adapt(data.training(27))
    history = model.fit(
        batches,
        steps_per_epoch=3,
        verbose=0,
        shuffle=False,
    )
    metrics = model.evaluate(
        data.evaluation("test", 9), return_dict=True, verbose=0
    )
    weights = {
        f"weight {number} {variable.name}": variable.numpy()
        for number, variable in enumerate(model.trainable_variables)
    }
    return {
        **weights,
        **history.history,
        **metrics,
        "tokens": int(model.tokens.result()),
    }


def assert_alike(one, two):
    """Compares two results of `fit`, to rounding."""
    assert set(one) == set(two)
    for name, value in one.items():
        np.testing.assert_allclose(
            value, two[name], rtol=1e-4, atol=1e-6, err_msg=name
        )
    assert one["tokens"] == two["tokens"]
