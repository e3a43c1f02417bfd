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

    def call(
        self,
        inputs: tf.Tensor,
        training: bool = False,
        initial_state: tf.Tensor | None = None,
    ) -> tf.Tensor:
        """Returns the states, `[batch, length, units]`.

        Args:
            inputs: `[batch, length, dim]`.
            training: Whether a gradient will be asked for, which is quickest
                if its factors are kept.
            initial_state: `[batch, units]`, zero by default.
        """
        if tf.config.list_logical_devices("GPU"):
            return super().call(inputs, initial_state=initial_state)
        gates_in, candidates_in, kernel, bias = self.project(inputs)
        if initial_state is None:
            initial_state = tf.zeros(
                [tf.shape(inputs)[0], self.units], bias.dtype
            )
        if training:
            kernels = tf.split(kernel, [2 * self.units, self.units], 1)
            states = recur(
                gates_in, candidates_in, *kernels, bias, initial_state
            )
        else:
            states = follow(
                gates_in, candidates_in, kernel, bias, initial_state
            )
        return tf.transpose(states, [1, 0, 2])

    def project(
        self, inputs: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor]:
        """Returns what a step reads but for the state, as `follow` takes it.

        Args:
            inputs: `[batch, length, dim]`.
        """
        kernel, recurrent_kernel, biases = (
            tf.cast(weight, self.compute_dtype)
            for weight in (
                self.cell.kernel,
                self.cell.recurrent_kernel,
                self.cell.bias,
            )
        )
        bias, recurrent_bias = tf.unstack(biases)
        # The parts of update and reset, the gates; that of the candidate.
        parts = [2 * self.units, self.units]
        recurrent_bias, candidate_bias = tf.split(recurrent_bias, parts)
        bias += tf.concat([recurrent_bias, tf.zeros_like(candidate_bias)], 0)
        steps = tf.transpose(inputs, [1, 0, 2])
        # Two products are quicker than to split one.
        gates_in, candidates_in = (
            tf.nn.bias_add(tf.tensordot(steps, k, 1), b)
            for k, b in zip(
                tf.split(kernel, parts, 1), tf.split(bias, parts), strict=True
            )
        )
        return gates_in, candidates_in, recurrent_kernel, candidate_bias


def advance(
    state: tf.Tensor,
    gates_in: tf.Tensor,
    candidates_in: tf.Tensor,
    kernel: tf.Tensor,
    bias: tf.Tensor,
) -> tf.Tensor:
    """Returns the next state, `[batch, units]`: one step of `recur`.

    Args:
        state: `[batch, units]`.
        gates_in: As for `recur`, of this step.
        candidates_in: As for `recur`, of this step.
        kernel: As for `follow`.
        bias: As for `recur`.
    """
    units = bias.shape[0]
    gates, product = tf.split(state @ kernel, [2 * units, units], 1)
    z, r = tf.split(tf.sigmoid(gates_in + gates), 2, axis=1)
    c = tf.tanh(candidates_in + r * tf.nn.bias_add(product, bias))
    return c + z * (state - c)


def follow(
    gates_in: tf.Tensor,
    candidates_in: tf.Tensor,
    kernel: tf.Tensor,
    bias: tf.Tensor,
    initial: tf.Tensor,
) -> tf.Tensor:
    """Returns what `recur` returns, sooner, keeping nothing for a gradient.

    Over one history, as a server has it, a step takes as long as its
    operations take to start: so here is one product a step, not two, and
    several steps to a turn of the loop.

    Args:
        gates_in: As for `recur`.
        candidates_in: As for `recur`.
        kernel: Recurrent kernels U_z, U_r and U_c, float `[units, 3 * units]`.
        bias: As for `recur`.
        initial: As for `recur`.
    """
    length = tf.shape(candidates_in)[0]
    units = bias.shape[0]
    states = tf.TensorArray(bias.dtype, length, element_shape=[None, units])

    def step(t, h, states):
        read = tf.gather(gates_in, t), tf.gather(candidates_in, t)
        h = advance(h, *read, kernel, bias)
        return t + 1, h, states.write(t, h)

    def turn(*state):
        for _ in range(_STEPS_A_TURN):
            state = step(*state)
        return state

    state = (0, initial, states)
    state = tf.while_loop(
        lambda t, *_: t <= length - _STEPS_A_TURN, turn, state
    )
    *_, states = tf.while_loop(lambda t, *_: t < length, step, state)
    return states.stack()


@tf.custom_gradient
def recur(
    gates_in: tf.Tensor,
    candidates_in: tf.Tensor,
    gates_kernel: tf.Tensor,
    candidate_kernel: tf.Tensor,
    bias: tf.Tensor,
    initial: tf.Tensor,
):
    """Runs the GRU's recurrence, time first.

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
        initial: State h_0, float `[batch, units]`.

    Returns:
        States h_1 ... h_length, float `[length, batch, units]`.
    """
    units = bias.shape[0]
    dtype = bias.dtype
    length = tf.shape(candidates_in)[0]

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
    # One row more than asked for: h_0, which the backward pass reads.
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

        _, d_initial, arrived = tf.while_loop(
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
            d_initial,
        )

    return stacked[1:], gradient
