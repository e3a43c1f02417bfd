import numpy as np
import pytest
import tensorflow as tf

from tests.prepared import prepare_sequences
from tests.toy import Toy, ToyConfig, toy_data
from tfrec.training.diagnostics import (
    LatentDiagnostics,
    active_units,
    correlation,
)


def test_corr_is_equation_14():
    latents = np.random.default_rng(0).normal(size=[50, 4])
    latents[:, 1] += 2 * latents[:, 0]
    matrix = np.corrcoef(latents, rowvar=False)
    expected = ((matrix - np.eye(4)) ** 2).sum()
    assert float(correlation(tf.constant(latents))) == pytest.approx(expected)


def test_a_constant_dimension_correlates_with_nothing():
    latents = np.random.default_rng(0).normal(size=[50, 2])
    with_constant = np.column_stack([latents, np.ones(50)])
    assert float(correlation(tf.constant(with_constant))) == pytest.approx(
        float(correlation(tf.constant(latents)))
    )


def test_a_unit_is_active_if_its_mean_moves():
    means = np.random.default_rng(0).normal(size=[1000, 3]) * [1, 0.2, 0.05]
    assert int(active_units(tf.constant(means))) == 2


@pytest.fixture
def data(tmp_path):
    """Histories of 1 to 60 items; the item says how long its history is."""
    pairs = [([n] * n, [1]) for n in range(1, 61)] * 10
    return prepare_sequences(tmp_path, [[1, 2]], validation=pairs)


def test_the_sample_has_histories_of_all_lengths_and_their_newest_items(data):
    model = Toy(data.num_items, ToyConfig(max_length=20))
    diagnostics = LatentDiagnostics(model, 20, data, sequences=320)
    vectors = 100 * np.arange(61)[:, None] * np.ones(3)
    model.embedding.embeddings.assign(vectors)
    numbers, samples = diagnostics()
    # The vectors are far larger than the noise.
    seen = np.round(samples.numpy().mean(1) / 100).astype(int)
    positions = np.bincount(seen, minlength=61)[1:]
    # A history of n items has n positions, or the newest 20.
    histories = positions / np.minimum(np.arange(1, 61), 20)
    assert histories.sum() == pytest.approx(320)
    assert (histories > 0).sum() > 50
    assert numbers["active_units"] == 3
    assert numbers["collapsed"] == 0.0


def test_looking_changes_nothing_that_training_draws(data):
    model = Toy(data.num_items)
    diagnostics = LatentDiagnostics(model, 10, data, sequences=64)
    before = [np.array(v) for v in model.variables]
    first, samples = diagnostics()
    again, same = diagnostics()
    assert first == again
    np.testing.assert_array_equal(samples, same)
    for variable, value in zip(model.variables, before, strict=True):
        np.testing.assert_array_equal(variable, value)


def test_dimensions_that_no_posterior_draws_do_not_count(data):
    model = Toy(data.num_items)
    model.drawn_dim = 2
    model.embedding.embeddings.assign(0.0 * model.embedding.embeddings)
    numbers, samples = LatentDiagnostics(model, 10, data, sequences=64)()
    assert samples.shape[-1] == 2
    assert numbers["active_units"] == 0
    assert numbers["collapsed"] == 1.0


def test_units_have_the_kl_of_their_gaussians(tmp_path):
    data = toy_data(tmp_path)
    scales = tf.constant([1.0, 0.5, 0.1])

    class Gaussians:
        """N(item / 10, 1), N(0, 0.25) and N(1, 0.01)."""

        def posterior_draws(self, query, seed):
            items = tf.cast(query.history[query.history > 0], tf.float32)
            centres = tf.stack(
                [items / 10, tf.zeros_like(items), tf.ones_like(items)], 1
            )
            noise = tf.random.stateless_normal(tf.shape(centres), seed)
            return centres + scales * noise, centres

    look = LatentDiagnostics(Gaussians(), 10, data, 23)
    # So few that what is not corrected for their number would be seen.
    variances, kl = look.units(draws=8)
    items = np.concatenate(
        [
            row[row > 0] / 10
            for batch in data.evaluation("validation")
            for row in batch.history.numpy()
        ]
    )
    np.testing.assert_allclose(variances, [items.var(), 0, 0], atol=1e-5)
    variance = np.square(scales)
    means = np.stack([items, 0 * items, 0 * items + 1], 1)
    each = 0.5 * (means**2 + variance - 1 - np.log(variance))
    np.testing.assert_allclose(kl, each.mean(0), atol=0.03)
