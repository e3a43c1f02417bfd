"""A gated linear recurrence over a sequence, and a block of it.

Liu, Lin, Liu, Wang, Caverlee: Behavior-Dependent Linear Recurrent Units for
Efficient Sequential Recommendation (CIKM'24), section 3.
https://arxiv.org/abs/2406.12580
De et al.: Griffin (2024), section 2.4, has the same unit for language.
https://arxiv.org/abs/2402.19427
"""

import keras
import numpy as np
import tensorflow as tf

from tfrec.layers.transformer import add_parts

# What the unit that remembers longest keeps in a step, before training and
# where its gate is open.
_LAST_DECAY = 0.999
# Added to 1 - alpha^2, as in the authors' code.
_LEAST_FRESH = 1e-8


class GatedRecurrence(keras.layers.Layer):
    """What a position learns from all before it, without a product a step.

    With x = W_x e and z = W_z e of the embedded items e, each `expansion`
    times as wide, and * by element:

        c_t = silu(convolution(x)_t)
        r_t = sigmoid(W_r c_t + b_r), i_t = sigmoid(W_i c_t + b_i)
        alpha_t = exp(-softplus(Lambda) * r_t)
        h_t = alpha_t * h_{t-1} + sqrt(1 - alpha_t^2 + 1e-8) * i_t * c_t
        y_t = W_y (silu(z_t) * h_t)

    How long a unit remembers depends on the item: the behaviour. The state
    before is only scaled, so what costs time is done for all positions at
    once, and a step of the loop is one multiplication and one addition.

    Args:
        expansion: Units of the state, in sizes of an embedding.
        kernel_size: Positions that the causal convolution spans.
        min_decay: What the unit that forgets soonest keeps in a step, before
            training and where its gate is open; the last keeps .999.
    """

    def __init__(
        self,
        expansion: int = 2,
        kernel_size: int = 4,
        min_decay: float = 0.9,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.expansion = expansion
        self.kernel_size = kernel_size
        self.min_decay = min_decay
        # Of each unit by itself.
        self.convolution = keras.layers.DepthwiseConv1D(
            kernel_size, activation="silu", name="convolution"
        )

    def build(self, input_shape):
        """Builds for vectors `[batch, length, dim]`."""
        dim = input_shape[-1]
        units = self.expansion * dim
        self.inputs_layer = keras.layers.Dense(
            2 * units, use_bias=False, name="inputs"
        )
        self.gates = keras.layers.Dense(2 * units, name="gates")
        self.output_layer = keras.layers.Dense(
            dim, use_bias=False, name="output"
        )
        wide = (*input_shape[:-1], units)
        self.inputs_layer.build(input_shape)
        for layer in (self.convolution, self.gates, self.output_layer):
            layer.build(wide)
        first, last = (
            np.log(np.expm1(-np.log(decay)))
            for decay in (self.min_decay, _LAST_DECAY)
        )
        self.forgetting = self.add_weight(
            shape=[units],
            initializer=lambda *args, **kwargs: tf.linspace(
                np.float32(first), np.float32(last), units
            ),
            name="forgetting",
        )

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """Maps vectors to vectors, both `[batch, length, dim]`."""
        x, z = tf.split(self.inputs_layer(inputs), 2, -1)
        padded = tf.pad(x, [[0, 0], [self.kernel_size - 1, 0], [0, 0]])
        # Of a batch of no rows TensorFlow's convolution has all positions.
        x = self.convolution(padded)[:, : tf.shape(x)[1]]
        recurrence, entry = tf.split(tf.sigmoid(self.gates(x)), 2, -1)
        log_decay = -tf.nn.softplus(self.forgetting) * recurrence
        # 1 - alpha^2, exact where alpha is nearly 1; where it is 1, the root
        # would have no gradient.
        fresh = tf.sqrt(_LEAST_FRESH - tf.math.expm1(2.0 * log_decay))
        states = scan(tf.exp(log_decay), fresh * entry * x)
        return self.output_layer(tf.nn.silu(z) * states)


class RecurrentBlock(keras.layers.Layer):
    """A gated recurrence and then a layer of hidden units, with residuals.

        y = norm(x + dropout(recur(x)))
        z = norm(y + dropout(feed(y)))

    with feed(y) two dense layers, silu and dropout between them.

    Args:
        expansion: As for `GatedRecurrence`.
        kernel_size: As for `GatedRecurrence`.
        min_decay: As for `GatedRecurrence`.
        units: Width of the hidden layer.
        dropout: Rate on the hidden layer, and on what each part adds.
    """

    def __init__(
        self,
        expansion: int,
        kernel_size: int,
        min_decay: float,
        units: int,
        dropout: float = 0.0,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.recurrence = GatedRecurrence(
            expansion, kernel_size, min_decay, name="recurrence"
        )
        self.hidden = keras.layers.Dense(units, "silu", name="hidden")
        self.recurrence_norm, self.feed_norm = (
            keras.layers.LayerNormalization(epsilon=1e-6, name=name)
            for name in ("recurrence_norm", "feed_norm")
        )
        self.dropout = keras.layers.Dropout(dropout)

    def build(self, input_shape):
        """Builds for vectors `[batch, length, dim]`."""
        self.output_layer = keras.layers.Dense(input_shape[-1], name="output")
        self.output_layer.build((*input_shape[:-1], self.hidden.units))
        for layer in (
            self.recurrence,
            self.hidden,
            self.recurrence_norm,
            self.feed_norm,
        ):
            layer.build(input_shape)

    def call(self, inputs: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Maps vectors to vectors, both `[batch, length, dim]`.

        Args:
            inputs: The vectors.
            training: Whether dropout is on.
        """

        def feed(x):
            hidden = self.dropout(self.hidden(x), training=training)
            return self.output_layer(hidden)

        parts = (
            (self.recurrence, self.recurrence_norm),
            (feed, self.feed_norm),
        )
        return add_parts(inputs, parts, self.dropout, False, training)


@tf.custom_gradient
def scan(decays: tf.Tensor, inputs: tf.Tensor):
    """Returns h_t = a_t * h_{t-1} + b_t for all t, with h_0 = 0.

    Args:
        decays: a, float `[batch, length, units]`, with a length of 1 at least.
        inputs: b, as `decays`.

    Returns:
        h, as `decays`. Its gradient is a scan too, from the last to the first:
        g_t = dL/dh_t + a_{t+1} * g_{t+1} is that of b_t, and g_t * h_{t-1} of
        a_t.
    """
    a = tf.transpose(decays, [1, 0, 2])
    states = _run(a, tf.transpose(inputs, [1, 0, 2]))

    def gradient(upstream):
        later = tf.concat([a[1:], tf.zeros_like(a[:1])], 0)
        upstream = tf.transpose(upstream, [1, 0, 2])
        g = _run(later[::-1], upstream[::-1])[::-1]
        before = tf.concat([tf.zeros_like(states[:1]), states[:-1]], 0)
        return tuple(tf.transpose(d, [1, 0, 2]) for d in (g * before, g))

    return tf.transpose(states, [1, 0, 2]), gradient


def _run(decays: tf.Tensor, inputs: tf.Tensor) -> tf.Tensor:
    """Runs the recurrence, `[length, batch, units]`, without a gradient."""
    length = tf.shape(inputs)[0]
    states = tf.TensorArray(
        inputs.dtype, length, element_shape=[None, inputs.shape[-1]]
    )

    def step(t, h, states):
        h = decays[t] * h + inputs[t]
        return t + 1, h, states.write(t, h)

    *_, states = tf.while_loop(
        lambda t, *_: t < length,
        step,
        (0, tf.zeros_like(inputs[0]), states),
    )
    return states.stack()
