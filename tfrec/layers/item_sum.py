"""A dense layer that reads bags of items."""

from typing import Any

import keras
import tensorflow as tf

from tfrec.layers.rows import ITEMS, Rows, declare_rows


class ItemSum(keras.layers.Layer):
    """f(s x W + b), x the zeros and ones of a set of items, s a number.

    The product is a sum of rows of W: its cost grows with the items of the
    set, not with the catalogue, and no `[batch, num_items]` is made.

    Args:
        num_items: Number of items.
        units: Size of the output.
        activation: f; none by default.
        use_bias: Whether there is b.
    """

    def __init__(
        self,
        num_items: int,
        units: int,
        activation: Any = None,
        use_bias: bool = True,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.num_items = num_items
        self.units = units
        self.activation = keras.activations.get(activation)
        self.use_bias = use_bias

    def build(self, input_shape):
        """Creates W, `[num_items, units]`, and b, `[units]`."""
        self.kernel = self.add_weight(
            name="kernel", shape=[self.num_items, self.units]
        )
        declare_rows(self.kernel, Rows(ITEMS))
        if self.use_bias:
            self.bias = self.add_weight(
                name="bias", shape=[self.units], initializer="zeros"
            )

    def call(
        self, items: tf.Tensor, scale: tf.Tensor | None = None
    ) -> tf.Tensor:
        """Reads sets of items.

        Args:
            items: int32 `[batch, length]`, 0 for none. An item that comes
                twice counts twice.
            scale: s, float32 `[batch, 1]`; 1 by default.

        Returns:
            float32 `[batch, units]`.
        """
        places = tf.where(items > 0)
        sums = tf.sparse.segment_sum(
            self.kernel.value,
            tf.gather_nd(items, places) - 1,
            places[:, 0],
            num_segments=tf.shape(items)[0],
        )
        return self._finish(sums if scale is None else scale * sums)

    def product(self, values: tf.Tensor) -> tf.Tensor:
        """Returns the same of any numbers.

        Args:
            values: x, float32 `[batch, num_items]`.
        """
        return self._finish(values @ tf.convert_to_tensor(self.kernel))

    def _finish(self, sums: tf.Tensor) -> tf.Tensor:
        if self.use_bias:
            sums = tf.nn.bias_add(sums, tf.convert_to_tensor(self.bias))
        return self.activation(sums)
