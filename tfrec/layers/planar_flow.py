"""Planar normalizing flows: a bijector, and K of them as a layer."""

import math

import keras
import tensorflow as tf

# From their modules: `tfp.bijectors` would import all of TFP, three times as
# long.
from tensorflow_probability.python.bijectors.bijector import (
    AutoCompositeTensorBijector,
)
from tensorflow_probability.python.bijectors.chain import Chain
from tensorflow_probability.python.internal import (
    assert_util,
    dtype_util,
    tensor_util,
)
from tensorflow_probability.python.internal.parameter_properties import (
    ParameterProperties,
)

# The softplus of this is 1: with such a w'u, w'u_hat is 0.
_NEUTRAL = math.log(math.e - 1.0)


class PlanarFlow(AutoCompositeTensorBijector):
    """`Y = g(X) = X + u_hat tanh(w'X + b)`, bent along one direction.

    Rezende and Mohamed, Variational Inference with Normalizing Flows (2015),
    eq. 10; VASER, eq. 8. It is invertible if w'u_hat >= -1, which holds for
    every u (their appendix A.1):

        u_hat = u + (softplus(w'u) - 1 - w'u) w / |w|^2

    A `w` shorter than the rounding error of 1 has no direction to correct
    along; there u_hat is u. The root behind the inverse has implicit
    gradients, right up to third order.

    In float32 forward(inverse(y)) is y to 1e-5 while |w| |u| is at most 100;
    beyond, writing x down costs up to its rounding error times |w| |u_hat|
    (about 10 at |w| = |u| = 1000). The inverse itself is float64's to 1e-6 |u|,
    or to 1e-2 |u| where w'u is a small difference of terms as large as 1e6.

    Args:
        w: Float `[..., dim]`, the direction that is measured.
        u: Float `[..., dim]`, the direction that is moved along, before the
            correction.
        b: Float `[...]`, the offset. The leading dimensions of the three
            broadcast; they are the batch shape.
        validate_args: Whether to check that the parameters are finite.
        name: Prefix of the operations' names.
    """

    def __init__(self, w, u, b, validate_args=False, name="planar_flow"):
        parameters = dict(locals())
        with tf.name_scope(name) as name:
            dtype = dtype_util.common_dtype([w, u, b], dtype_hint=tf.float32)
            convert = tensor_util.convert_nonref_to_tensor
            self._w = convert(w, dtype=dtype, name="w")
            self._u = convert(u, dtype=dtype, name="u")
            self._b = convert(b, dtype=dtype, name="b")
            super().__init__(
                forward_min_event_ndims=1,
                validate_args=validate_args,
                parameters=parameters,
                dtype=dtype,
                name=name,
            )

    @classmethod
    def _parameter_properties(cls, dtype):
        return {
            "w": ParameterProperties(event_ndims=1),
            "u": ParameterProperties(event_ndims=1),
            "b": ParameterProperties(shape_fn=lambda shape: shape[:-1]),
        }

    @property
    def w(self):
        """The `w` in `Y = X + u_hat tanh(w'X + b)`."""
        return self._w

    @property
    def u(self):
        """The `u` from which u_hat is made."""
        return self._u

    @property
    def b(self):
        """The `b` in `Y = X + u_hat tanh(w'X + b)`."""
        return self._b

    def _forward(self, x):
        u_hat, _ = constrain(self.w, self.u)
        return x + u_hat * tf.tanh(self._project(x))[..., None]

    def _inverse(self, y):
        # With p = w'x + b, w'y + b = p + w'u_hat tanh(p): one equation in p.
        # In float64, because the flow multiplies an error of p by |u_hat|.
        u_hat, margin = constrain(self.w, self.u)
        w, u_hat, b, margin, wide = (
            tf.cast(x, tf.float64) for x in (self.w, u_hat, self.b, margin, y)
        )
        p = solve(tf.reduce_sum(w * wide, -1) + b, margin - 1.0)
        return tf.cast(wide - u_hat * tf.tanh(p)[..., None], y.dtype)

    # TFP takes the inverse's log-det from this one, at the x that it caches.
    def _forward_log_det_jacobian(self, x):
        # I + u_hat psi', psi = (1 - tanh(p)^2) w, has one eigenvalue that is
        # not 1: the determinant lemma.
        _, margin = constrain(self.w, self.u)
        p = self._project(x)
        return log_det(p, tf.tanh(p), margin)

    def _project(self, x):
        return tf.reduce_sum(self.w * x, -1) + self.b

    def _parameter_control_dependencies(self, is_init):
        if not self.validate_args:
            return []
        return [
            assert_util.assert_finite(
                value, message=f"Argument `{name}` must be finite."
            )
            for name, value in (("w", self.w), ("u", self.u), ("b", self.b))
            if is_init != tensor_util.is_ref(value)
        ]


class PlanarFlows(keras.layers.Layer):
    """K planar flows in a row, z_K = f_K(... f_1(z_0)), near identity at first.

    Always in float32, whatever the policy: the log-determinants of all flows
    add up, and bfloat16 has three digits.

    `bijector` is the definition. `call` computes the same from the products
    w_k'z_0 and w_k'u_hat_j, because

        w_k'z_{k-1} = w_k'z_0 + sum_{j<k} w_k'u_hat_j tanh(p_j)

    so that the latents are read and written once, not K times.

    Args:
        flows: Number K of flows; 0 is the identity.
    """

    def __init__(self, flows: int, **kwargs):
        super().__init__(**(kwargs | {"dtype": "float32"}))
        self.flows = flows

    def build(self, input_shape):
        """Creates w and u, `[flows, dim]`, and b, `[flows]`."""
        if not self.flows:
            return
        shape = [self.flows, input_shape[-1]]
        normal, unit = keras.initializers.RandomNormal, shape[1] ** -0.5

        def start_u(shape, dtype):
            start = neutral_u(tf.convert_to_tensor(self.w))
            return start + normal(stddev=0.1 * unit)(shape, dtype)

        self.w = self.add_weight(
            name="w", shape=shape, initializer=normal(stddev=unit)
        )
        self.u = self.add_weight(name="u", shape=shape, initializer=start_u)
        self.b = self.add_weight(name="b", shape=shape[:1], initializer="zeros")

    @property
    def bijector(self) -> Chain:
        """The flows as they are now, as one bijector of `[..., dim]`."""
        flows = [
            PlanarFlow(
                self.w[k], self.u[k], self.b[k], name=f"planar_flow_{k + 1}"
            )
            for k in range(self.flows)
        ]
        # A chain applies its last member first.
        return Chain(flows[::-1], name="planar_flows")

    def call(self, latent: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Bends latents.

        Args:
            latent: z_0, `[..., dim]`.

        Returns:
            z_K, float32 `[..., dim]`, and sum_k log|det df_k/dz_{k-1}|,
            float32 `[...]`.
        """
        shape = tf.shape(latent)
        if not self.flows:
            return latent, tf.zeros(shape[:-1])
        flat = tf.reshape(latent, [-1, latent.shape[-1]])
        w = tf.convert_to_tensor(self.w)
        u_hat, margin = constrain(w, self.u)
        # [flows, n], so that what belongs to a flow lies together.
        straight = tf.matmul(w, flat, transpose_b=True) + self.b[:, None]
        coupling = tf.matmul(w, u_hat, transpose_b=True)
        projections, bends = [], []
        for k, p in enumerate(tf.unstack(straight, self.flows)):
            if k:
                p += tf.linalg.matvec(
                    tf.stack(bends), coupling[k, :k], transpose_a=True
                )
            projections.append(p)
            bends.append(tf.tanh(p))
        bend = tf.stack(bends)
        bent = flat + tf.matmul(bend, u_hat, transpose_a=True)
        each = log_det(tf.stack(projections), bend, margin[:, None])
        return (
            tf.reshape(bent, shape),
            tf.reshape(sum(tf.unstack(each, self.flows)), shape[:-1]),
        )


def neutral_u(w: tf.Tensor) -> tf.Tensor:
    """Returns the u with which a flow of `w`, `[..., dim]`, is the identity.

    That is not u = 0, with which w'u_hat is -0.31.
    """
    return _NEUTRAL * w / tf.reduce_sum(tf.square(w), -1, keepdims=True)


def constrain(w: tf.Tensor, u: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Makes w'u_hat > -1, see `PlanarFlow`.

    Args:
        w: Float `[..., dim]`.
        u: Float `[..., dim]`.

    Returns:
        u_hat, `[..., dim]`, and 1 + w'u_hat, `[...]`, at least the rounding
        error of 1: closer to the constraint u_hat cannot be written.
    """
    w = tf.convert_to_tensor(w)
    epsilon = dtype_util.eps(w.dtype)
    square = tf.reduce_sum(tf.square(w), -1, keepdims=True)
    directed = square > epsilon**2
    product = tf.reduce_sum(w * u, -1, keepdims=True)
    # softplus(x) - x = softplus(-x), which does not cancel.
    excess = tf.nn.softplus(-product) - 1.0
    along = tf.where(directed, w, 0.0) / tf.where(directed, square, 1.0)
    margin = tf.where(directed, tf.nn.softplus(product), 1.0)
    return u + excess * along, tf.maximum(margin[..., 0], epsilon)


def log_det(p: tf.Tensor, bend: tf.Tensor, margin: tf.Tensor) -> tf.Tensor:
    """Returns log|1 + w'u_hat (1 - tanh(p)^2)|, all of one shape.

    Args:
        p: w'z + b.
        bend: tanh(p).
        margin: 1 + w'u_hat, positive.
    """
    # As tanh^2 + margin sech^2, a sum of positive terms; and sech^2 as a
    # product, because 1 - tanh^2 loses its digits where tanh is near 1.
    sech2 = 4.0 * tf.sigmoid(2.0 * p) * tf.sigmoid(-2.0 * p)
    return tf.math.log(tf.square(bend) + margin * sech2)


def solve(total: tf.Tensor, slope: tf.Tensor) -> tf.Tensor:
    """Solves p + slope tanh(p) = total, by Newton's method in a bracket.

    Args:
        total: float64.
        slope: float64, above -1 so that the left side increases; broadcasts
            with `total`.

    Returns:
        p, with the gradient of the implicit function.
    """
    # The left side is odd: solve for |total|. There tanh lies between 0 and
    # 1, which gives the bracket; and the left side is concave if slope > 0,
    # else convex, so Newton's method nears the root from one end and never
    # turns back. Held to that, rounding errors cannot keep it busy.
    size, fixed = tf.stop_gradient(tf.abs(total)), tf.stop_gradient(slope)
    low = tf.maximum(tf.minimum(size, size - fixed), 0.0)
    high = tf.maximum(size, size - fixed)
    rises = fixed > 0

    def improve(p, _):
        tanh = tf.tanh(p)
        residual = p + fixed * tanh - size
        newton = p - residual / (1.0 + fixed * (1.0 - tanh**2))
        better = tf.clip_by_value(
            newton, tf.where(rises, p, low), tf.where(rises, high, p)
        )
        return better, tf.abs(better - p)

    start = tf.where(rises, low, high)
    p, _ = tf.while_loop(
        lambda p, step: tf.reduce_any(step > 1e-15 * (1.0 + p)),
        improve,
        (start, tf.ones_like(start)),
        maximum_iterations=200,
    )
    p = tf.stop_gradient(tf.sign(total) * p)
    # Newton's step from a constant root is the implicit function theorem. The
    # second makes gradients of gradients right too.
    for _ in range(2):
        tanh = tf.tanh(p)
        residual = p + slope * tanh - total
        p -= residual / (1.0 + slope * (1.0 - tanh**2))
    return p
