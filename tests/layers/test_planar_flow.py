"""Tests of the planar flow and of K in a row."""

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp
from hypothesis import given
from hypothesis import strategies as st

from tests.properties import examples
from tfrec.layers.planar_flow import PlanarFlow, PlanarFlows, constrain, solve

# What is hard about a flow: |w|, |u| and how u lies to w.
ADVERSARIAL = [
    (w, u, lies)
    for w, u in ((1.0, 1.0), (3.0, 3.0), (100.0, 1.0), (1e3, 1e3), (1e-9, 1))
    for lies in ("anywhere", "along", "against", "across")
]


def parameters(
    w_norm=1.0, u_norm=1.0, lies="anywhere", dim=10, batch=8, seed=1
):
    """Returns w and u, `[batch, dim]`, and b, `[batch]`, in float64."""
    rng = np.random.default_rng(seed)
    w, u = rng.normal(size=[2, batch, dim])
    w /= np.linalg.norm(w, axis=-1, keepdims=True)
    if lies == "across":
        u -= w * np.sum(w * u, -1, keepdims=True)
    elif lies != "anywhere":
        u = w if lies == "along" else -w
    u = u_norm * u / np.linalg.norm(u, axis=-1, keepdims=True)
    # Some start saturated.
    return w_norm * w, u, rng.normal(size=batch) * np.resize([0, 1, 9], batch)


def flow(*args, dtype=np.float32, **kwargs) -> PlanarFlow:
    return PlanarFlow(*(x.astype(dtype) for x in parameters(*args, **kwargs)))


def points(dim=10, batch=8, dtype=np.float32, count=100):
    """Returns `[count, batch, dim]`, near the origin and far from it."""
    values = np.random.default_rng(2).normal(size=[count, batch, dim])
    return tf.constant(
        values * np.resize([0.01, 1, 10], count)[:, None, None], dtype
    )


def random_flows(count, dim) -> PlanarFlows:
    """Returns flows far from where they start."""
    layer = PlanarFlows(count)
    layer.build((None, dim))
    for weight in layer.weights:
        weight.assign(0.7 * tf.random.normal(weight.shape))
    return layer


def there_and_back(bijector, y):
    """Returns x = inverse(y) and forward(x), from a copy TFP did not cache."""
    x = tf.identity(bijector.inverse(y))
    return x.numpy(), bijector.forward(x).numpy()


def jacobians(run, at):
    """Returns those of a function of rows, `[rows, dim, dim]`."""
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(at)
        # A row's value is of this row only.
        totals = tf.unstack(tf.reduce_sum(run(at), 0))
    return np.stack([tape.gradient(total, at) for total in totals], 1)


@st.composite
def flows(draw):
    """Draws |w|, |u| (their product at most 1000), how u lies, the size."""
    w_norm = draw(st.floats(0.01, 30))
    u_norm = draw(st.floats(0.01, 30))
    lies = draw(st.sampled_from(["anywhere", "along", "against", "across"]))
    return {
        "w_norm": w_norm,
        "u_norm": u_norm,
        "lies": lies,
        # In one dimension nothing lies across.
        "dim": draw(st.integers(2 if lies == "across" else 1, 5)),
        "seed": draw(st.integers(0, 2**32 - 1)),
    }


@examples(6)
@given(flows())
def test_property_inverse_and_log_dets(drawn):
    dim, product = drawn["dim"], drawn["w_norm"] * drawn["u_norm"]
    w, u, b = (p[1] for p in parameters(batch=3, **drawn))
    x = points(dim, 1, np.float64, 6)[:, 0]
    bijector = PlanarFlow(w, u, b)
    y = tf.identity(bijector.forward(x))
    found, back = there_and_back(bijector, y)
    np.testing.assert_allclose(back, y, rtol=1e-9, atol=1e-9)
    # As the determinant says; at its smallest x moves far for the same y.
    log_det = bijector.forward_log_det_jacobian(x, 1)
    steep = np.exp(-log_det)[:, None] * (1 + product)
    assert np.all(np.abs(found - x) <= 1e-12 * steep * (1 + np.abs(x)))
    inverse_log_det = bijector.inverse_log_det_jacobian(y, 1)
    for run, at, claimed in (
        (bijector.forward, x, log_det),
        (bijector.inverse, y, inverse_log_det),
    ):
        expected = np.linalg.slogdet(jacobians(run, at))
        np.testing.assert_array_equal(expected.sign, 1)
        np.testing.assert_allclose(
            claimed, expected.logabsdet, rtol=1e-6, atol=1e-6
        )
    if product <= 100:
        y = tf.cast(y, tf.float32)
        bijector = PlanarFlow(*(p.astype(np.float32) for p in (w, u, b)))
        _, back = there_and_back(bijector, y)
        np.testing.assert_allclose(back, y, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("hard", ADVERSARIAL, ids=str)
def test_forward_undoes_inverse_of_adversarial_flows(hard):
    y = points(dtype=np.float64)
    _, back = there_and_back(flow(*hard, dtype=np.float64), y)
    np.testing.assert_allclose(back, y, rtol=1e-5, atol=1e-5)

    if hard[2] == "against" or hard[0] * hard[1] <= 100:
        y = points()
        _, back = there_and_back(flow(*hard), y)
        np.testing.assert_allclose(back, y, rtol=1e-5, atol=1e-5)


# All that have a direction in float32.
@pytest.mark.parametrize("hard", ADVERSARIAL[:16], ids=str)
def test_the_inverse_in_float32_is_that_in_float64(hard):
    bijector, y = flow(*hard), points()
    exact = PlanarFlow(
        *(tf.cast(p, tf.float64) for p in (bijector.w, bijector.u, bijector.b))
    )
    expected = exact.inverse(tf.cast(y, tf.float64))
    error = np.linalg.norm(bijector.inverse(y).numpy() - expected, axis=-1)
    w_norm, u_norm, lies = hard
    # There w'u, of terms up to 1e6, is known to 0.1 only.
    cancels = lies == "across" and w_norm * u_norm == 1e6
    allowed = 1e-5 + u_norm * (1e-2 if cancels else 1e-6)
    assert error.max() <= allowed


@pytest.mark.parametrize("hard", ADVERSARIAL, ids=str)
def test_values_and_gradients_of_adversarial_flows_are_finite(hard):
    sources = [tf.constant(p, tf.float32) for p in parameters(*hard)]
    sources.append(points())
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(sources)
        bijector = PlanarFlow(*sources[:3])
        results = [
            bijector.forward(sources[3]),
            bijector.forward_log_det_jacobian(sources[3], 1),
            bijector.inverse(sources[3]),
            bijector.inverse_log_det_jacobian(sources[3], 1),
        ]
    for result in results:
        assert np.isfinite(result).all()
        for gradient in tape.gradient(result, sources):
            assert np.isfinite(gradient).all()


@pytest.mark.parametrize("slope", [1e-16 - 1, 1e-7 - 1, -0.5, 0, 1, 1e6, 1e30])
def test_the_root_is_found_wherever_it_lies(slope):
    sizes = [0.0, 1e-30, 1e-12, 1e-3, 1.0, 20.0, 1e6, 5e29]
    total = tf.constant([*sizes, *(-s for s in sizes)], tf.float64)
    slope = tf.constant(slope, tf.float64)
    p = solve(total, slope)
    np.testing.assert_allclose(p + slope * tf.tanh(p), total, 1e-12, 1e-15)
    assert np.isnan(solve(total + np.nan, slope)).all()


@pytest.mark.parametrize("product", [-1e6, -100.0, -20.0, 0.0, 100.0, 1e6])
def test_log_det_is_finite_on_the_hyperplane(product):
    # tanh is 0 there, and the determinant as near to 0 as it gets.
    bijector = PlanarFlow([1.0, 0.0], [product, 3.0], 0.0)
    u_hat, margin = constrain(bijector.w, bijector.u)
    log_det = bijector.forward_log_det_jacobian(tf.zeros([2]), 1)
    assert u_hat[0] >= -1.0 and margin > 0 and np.isfinite(log_det)
    if product >= 0:
        np.testing.assert_allclose(log_det, np.log1p(u_hat[0]), rtol=1e-6)


def test_u_hat_is_the_formula_of_the_paper():
    w, u, _ = parameters(2.0, 3.0)
    product = np.sum(w * u, -1, keepdims=True)
    m = np.log1p(np.exp(product)) - 1
    expected = u + (m - product) * w / np.sum(w * w, -1, keepdims=True)
    u_hat, margin = constrain(tf.constant(w), tf.constant(u))
    np.testing.assert_allclose(u_hat, expected)
    np.testing.assert_allclose(margin, 1 + np.sum(w * u_hat, -1))


def test_without_a_direction_the_flow_is_a_translation():
    bijector = PlanarFlow(tf.zeros([2]), [1.0, -2.0], 0.5)
    x = tf.constant([[3.0, 4.0]])
    expected = x + np.tanh(0.5) * np.array([1.0, -2.0])
    np.testing.assert_allclose(bijector.forward(x), expected, rtol=1e-6)
    np.testing.assert_allclose(bijector.inverse(expected), x, rtol=1e-6)
    assert bijector.forward_log_det_jacobian(x, 1) == 0.0


def test_derivatives_of_the_inverse_are_implicit():
    # forward(inverse(y)) is y, whatever w, u and b: its first and second
    # derivatives by them vanish only if those of both parts are right.
    start = [tf.constant(p) for p in parameters(2.0, 2.0, dim=3, batch=1)]
    course = [tf.random.normal(s.shape, dtype=s.dtype) for s in start]
    y = points(3, 1, np.float64, 9)
    weights = tf.random.normal(y.shape, dtype=y.dtype)

    def derivatives(there_and_back):
        """Returns the first two on the way from `start` along `course`."""
        t = tf.constant(0.0, tf.float64)
        with tf.GradientTape() as outer:
            outer.watch(t)
            with tf.GradientTape() as inner:
                inner.watch(t)
                bijector = PlanarFlow(
                    *(s + t * c for s, c in zip(start, course, strict=True))
                )
                value = bijector.inverse(y)
                if there_and_back:
                    value = bijector.forward(tf.identity(value))
            first = inner.gradient(value, t, weights)
        return first.numpy(), outer.gradient(first, t).numpy()

    np.testing.assert_allclose(derivatives(True), [0, 0], atol=1e-9)
    assert np.abs(derivatives(False)).min() > 0.1


def test_density_of_a_bent_gaussian_integrates_to_one():
    layer = random_flows(4, 2)
    bent = tfp.distributions.TransformedDistribution(
        tfp.distributions.MultivariateNormalDiag(tf.zeros([2]), tf.ones([2])),
        layer.bijector,
    )
    axis = np.linspace(-9, 9, 451, dtype=np.float32)
    grid = np.stack(np.meshgrid(axis, axis), -1)
    mass = np.sum(bent.prob(grid)) * (axis[1] - axis[0]) ** 2
    np.testing.assert_allclose(mass, 1.0, atol=1e-3)
    # And it is not the Gaussian's own.
    assert np.abs(bent.prob(grid) - bent.distribution.prob(grid)).max() > 0.05


def test_parameters_have_the_properties_that_tfp_asks_for():
    bijector = flow(batch=6)
    assert bijector.forward_min_event_ndims == 1
    assert bijector.experimental_batch_shape() == [6]
    assert flow(batch=6)[2:5].experimental_batch_shape() == [3]
    shapes = PlanarFlow.parameter_properties()
    assert {k: p.event_ndims for k, p in shapes.items()} == {
        "w": 1,
        "u": 1,
        "b": 0,
    }
    assert shapes["w"].shape_fn([5, 3]) == [5, 3]
    assert shapes["b"].shape_fn([5, 3]) == [5]
    # One direction, several offsets.
    several = PlanarFlow([1.0, 2.0], [0.3, 0.1], [0.0, 1.0, 2.0])
    x = points(2, 1)
    assert several.forward(x).shape == (100, 3, 2)
    _, back = there_and_back(several, several.forward(x))
    np.testing.assert_allclose(back, several.forward(x), atol=1e-5, rtol=1e-5)


def test_parameters_that_are_not_finite_are_refused_on_request():
    with pytest.raises(ValueError, match="`u` must be finite"):
        PlanarFlow([1.0], [np.inf], 0.0, validate_args=True)


def test_a_flow_passes_into_a_compiled_function():
    bijector = flow()

    @tf.function
    def run(bijector, y):
        x = bijector.inverse(y)
        return x, bijector.inverse_log_det_jacobian(y, 1)

    y = points()
    for ours, eager in zip(
        run(bijector, y),
        (bijector.inverse(y), bijector.inverse_log_det_jacobian(y, 1)),
        strict=True,
    ):
        np.testing.assert_allclose(ours, eager, rtol=1e-5, atol=1e-5)
