"""A GRU whose gradient over time is written by hand."""

import keras
import tensorflow as tf

# Steps that a turn of the loop takes where no gradient is asked for.
_STEPS_A_TURN = 8


class GRU(keras.layers.GRU):
    """`keras.layers.GRU` over whole sequences, several times faster on a CPU.

    The weights are those of Keras (`reset_after=True`), so cuDNN serves the
    layer on a GPU. On a CPU the input projection is one product over all
    steps, the loop holds only what depends on the previous state, and the
    backward pass takes all local derivatives at once before it walks back, and
    the weight gradients in one product after: automatic differentiation would
    do each of these once per step.

    No mask is needed: padding stands at the end, and a causal layer's valid
    positions never see it.

    Args:
        units: Size of the state.
    """

    def __init__(self, units: int, **kwargs):
        super().__init__(
            units, return_sequences=True, reset_after=True, **kwargs
        )

    def call(self, inputs: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Returns the states, `[batch, length, units]`, from a zero state.

        Args:
            inputs: `[batch, length, dim]`.
            training: Whether a gradient will be asked for, which is quickest
                if its factors are kept.
        """
        if tf.config.list_logical_devices("GPU"):
            return super().call(inputs)
        steps = tf.transpose(inputs, [1, 0, 2])
        weights = (self.cell.kernel, self.cell.recurrent_kernel)
        # The parts of update and reset, the gates; that of the candidate.
        units = [2 * self.units, self.units]
        (to_gates, to_candidate), kernels = (
            tf.split(tf.cast(w, self.compute_dtype), units, 1) for w in weights
        )
        bias, recurrent_bias = (
            tf.split(b, units)
            for b in tf.unstack(tf.cast(self.cell.bias, self.compute_dtype))
        )
        states = (recur if training else follow)(
            tf.nn.bias_add(
                tf.tensordot(steps, to_gates, 1), bias[0] + recurrent_bias[0]
            ),
            tf.nn.bias_add(tf.tensordot(steps, to_candidate, 1), bias[1]),
            *kernels,
            recurrent_bias[1],
        )
        return tf.transpose(states, [1, 0, 2])


def follow(
    gates_in: tf.Tensor,
    candidates_in: tf.Tensor,
    gates_kernel: tf.Tensor,
    candidate_kernel: tf.Tensor,
    bias: tf.Tensor,
) -> tf.Tensor:
    """Returns what `recur` returns, sooner, keeping nothing for a gradient.

    Over one history, as a server has it, a step takes as long as its
    operations take to start: so here is one product a step, not two, and
    several steps to a turn of the loop.
    """
    length, batch, _ = tf.unstack(tf.shape(candidates_in))
    units = bias.shape[0]
    kernel = tf.concat([gates_kernel, candidate_kernel], 1)
    turns = (length + _STEPS_A_TURN - 1) // _STEPS_A_TURN
    states = tf.TensorArray(
        bias.dtype, turns * _STEPS_A_TURN, element_shape=[None, units]
    )

    def turn(t, h, states):
        for _ in range(_STEPS_A_TURN):
            # What the last turn does beyond the end is cut off.
            now = tf.minimum(t, length - 1)
            gates, product = tf.split(h @ kernel, [2 * units, units], 1)
            z, r = tf.split(
                tf.sigmoid(tf.gather(gates_in, now) + gates), 2, axis=1
            )
            product = tf.nn.bias_add(product, bias)
            c = tf.tanh(tf.gather(candidates_in, now) + r * product)
            h = c + z * (h - c)
            t, states = t + 1, states.write(t, h)
        return t, h, states

    *_, states = tf.while_loop(
        lambda t, *_: t < length,
        turn,
        (0, tf.zeros([batch, units], bias.dtype), states),
    )
    return states.stack()[:length]


@tf.custom_gradient
def recur(
    gates_in: tf.Tensor,
    candidates_in: tf.Tensor,
    gates_kernel: tf.Tensor,
    candidate_kernel: tf.Tensor,
    bias: tf.Tensor,
):
    """Runs the GRU's recurrence from a zero state, time first.

    Per step, with x = projected inputs and g = h_{t-1} U, each in the three
    parts update (z), reset (r) and candidate (c):

        z = sigmoid(x_z + g_z)
        r = sigmoid(x_r + g_r)
        c = tanh(x_c + r * (g_c + b))
        h_t = c + z * (h_{t-1} - c)

    Args:
        gates_in: x_z and x_r with all their biases, float
            `[length, batch, 2 * units]`.
        candidates_in: x_c, float `[length, batch, units]`.
        gates_kernel: Recurrent kernels U_z and U_r, float
            `[units, 2 * units]`.
        candidate_kernel: Recurrent kernel U_c, float `[units, units]`.
        bias: Recurrent bias b of the candidate, float `[units]`.

    Returns:
        States h_1 ... h_length, float `[length, batch, units]`.
    """
    units = bias.shape[0]
    dtype = bias.dtype
    length, batch, _ = tf.unstack(tf.shape(candidates_in))
    initial = tf.zeros([batch, units], dtype)

    def new_array(size=length):
        return tf.TensorArray(
            dtype, size, clear_after_read=False, element_shape=[None, None]
        )

    def step(t, h, states, gates, candidates, products):
        gate = tf.sigmoid(tf.gather(gates_in, t) + h @ gates_kernel)
        z, r = tf.split(gate, 2, axis=1)
        product = tf.nn.bias_add(h @ candidate_kernel, bias)
        c = tf.tanh(tf.gather(candidates_in, t) + r * product)
        h = c + z * (h - c)
        return (
            t + 1,
            h,
            states.write(t + 1, h),
            gates.write(t, gate),
            candidates.write(t, c),
            products.write(t, product),
        )

    _, _, states, gates, candidates, products = tf.while_loop(
        lambda t, *_: t < length,
        step,
        (
            0,
            initial,
            new_array(length + 1).write(0, initial),
            *(new_array() for _ in range(3)),
        ),
    )
    # One row more than asked for: the zero state, which the backward pass
    # reads as h_0.
    stacked = states.stack()

    def gradient(upstream):
        z, r = tf.split(gates.stack(), 2, axis=-1)
        c, product = candidates.stack(), products.stack()
        # How h_t changes with each pre-activation: of c through its tanh, of
        # z and r through their sigmoids; then with the three parts of g.
        to_c = tf.raw_ops.TanhGrad(y=c, dy=1.0 - z)
        to_z = tf.raw_ops.SigmoidGrad(y=z, dy=stacked[:-1] - c)
        to_r = tf.raw_ops.SigmoidGrad(y=r, dy=to_c * product)
        to_g = tf.stack([to_z, to_r, to_c * r], axis=2)
        transposed = tf.transpose(
            tf.concat([gates_kernel, candidate_kernel], 1)
        )

        def step_back(t, later, arrived):
            dh = later + upstream[t]
            d_g = tf.reshape(dh[:, None] * to_g[t], [-1, 3 * units])
            earlier = dh * z[t] + d_g @ transposed
            return t - 1, earlier, arrived.write(t, dh)

        *_, arrived = tf.while_loop(
            lambda t, *_: t >= 0,
            step_back,
            (length - 1, tf.zeros_like(initial), new_array()),
        )
        dh = arrived.stack()
        d_gates = tf.concat([dh * to_z, dh * to_r], -1)
        d_candidates = dh * to_c
        d_products = d_candidates * r
        before = tf.reshape(stacked[:-1], [-1, units])

        def of_kernel(d):
            d = tf.reshape(d, [-1, d.shape[-1]])
            return tf.matmul(before, d, transpose_a=True)

        return (
            d_gates,
            d_candidates,
            of_kernel(d_gates),
            of_kernel(d_products),
            tf.reduce_sum(d_products, [0, 1]),
        )

    return stacked[1:], gradient
