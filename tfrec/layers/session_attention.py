"""Additive attention over the clicks so far, at every click at once."""

import keras
import tensorflow as tf


class SessionAttention(keras.layers.Layer):
    """c_t = sum_{j <= t} a_tj h_j with a_tj = v' sigmoid(A1 q_t + A2 h_j + b).

    Additive attention without a softmax: NARM (CIKM'17, eq. 5 to 7), which
    VASER takes over, with q = h and b = 0, and STAMP (KDD'18). All positions
    of a session are taken, in one causal pass; memory grows with the length,
    not its square.

    No mask is needed: padding stands at the end, after every valid position.

    Args:
        use_bias: Whether there is b.
    """

    def __init__(self, use_bias: bool = False, **kwargs):
        super().__init__(**kwargs)
        self.use_bias = use_bias

    def build(self, hidden_shape, queries_shape=None):
        """Creates A1, A2, v and b, for as many units as h has.

        Args:
            hidden_shape: Of h, `[batch, length, units]`.
            queries_shape: Of q, `[batch, length, query_dim]`; None for h's.
        """
        units = hidden_shape[-1]
        asks = (queries_shape or hidden_shape)[-1]
        self.query = self.add_weight(shape=(asks, units), name="query")
        self.key = self.add_weight(shape=(units, units), name="key")
        self.bias = None
        if self.use_bias:
            self.bias = self.add_weight(
                shape=(units,), initializer="zeros", name="bias"
            )
        # About 1 / units each, so that c starts at the size of one state.
        self.weigh = self.add_weight(
            shape=(units,),
            initializer=keras.initializers.RandomNormal(
                mean=2.0 / units, stddev=1.0 / units
            ),
            name="weigh",
        )

    def call(
        self, hidden: tf.Tensor, queries: tf.Tensor | None = None
    ) -> tf.Tensor:
        """Maps states to attention vectors, both `[batch, length, units]`.

        Args:
            hidden: h.
            queries: q, `[batch, length, query_dim]`; h if None.
        """
        queries = hidden if queries is None else queries
        query = tf.tensordot(queries, tf.convert_to_tensor(self.query), 1)
        if self.use_bias:
            query += self.bias
        return attend(
            hidden,
            query,
            tf.tensordot(hidden, tf.convert_to_tensor(self.key), 1),
            tf.convert_to_tensor(self.weigh),
        )


@tf.custom_gradient
def attend(
    hidden: tf.Tensor, query: tf.Tensor, key: tf.Tensor, weigh: tf.Tensor
):
    """Returns c_t = sum_{j <= t} (v' sigmoid(q_t + k_j)) h_j.

    One position t after another, forward and backward, with its sigmoids
    computed anew in the backward pass: the `[batch, length, length, units]` of
    all pairs is never held, and pairs with j > t are never computed.

    Args:
        hidden: h, float `[batch, length, units]`.
        query: q, float `[batch, length, units]`.
        key: k, float `[batch, length, units]`.
        weigh: v, float `[units]`.
    """
    length = tf.shape(hidden)[1]
    width = hidden.shape[-1]

    def gates(t):
        return tf.sigmoid(query[:, t : t + 1] + key[:, : t + 1])

    def step(t, attended):
        weights = tf.tensordot(gates(t), weigh, 1)
        vector = tf.einsum("bj,bjd->bd", weights, hidden[:, : t + 1])
        return t + 1, attended.write(t, vector)

    def new_array():
        return tf.TensorArray(hidden.dtype, length, element_shape=[None, width])

    def stack(array):
        return tf.transpose(array.stack(), [1, 0, 2])

    _, attended = tf.while_loop(lambda t, _: t < length, step, (0, new_array()))

    def gradient(upstream):
        def step_back(t, d_hidden, d_query, d_key, d_weigh):
            gate, past, arrived = gates(t), hidden[:, : t + 1], upstream[:, t]
            weights = tf.tensordot(gate, weigh, 1)
            d_weights = tf.einsum("bd,bjd->bj", arrived, past)
            d_sum = tf.raw_ops.SigmoidGrad(
                y=gate, dy=d_weights[..., None] * weigh
            )
            later = [[0, 0], [0, length - t - 1], [0, 0]]
            return (
                t + 1,
                d_hidden + tf.pad(weights[..., None] * arrived[:, None], later),
                d_query.write(t, tf.reduce_sum(d_sum, 1)),
                d_key + tf.pad(d_sum, later),
                d_weigh + tf.einsum("bj,bjd->d", d_weights, gate),
            )

        _, d_hidden, d_query, d_key, d_weigh = tf.while_loop(
            lambda t, *_: t < length,
            step_back,
            (
                0,
                tf.zeros_like(hidden),
                new_array(),
                tf.zeros_like(key),
                tf.zeros_like(weigh),
            ),
        )
        return d_hidden, stack(d_query), d_key, d_weigh

    return stack(attended), gradient
