"""The vectors of items as they are read: looked up, never read as a whole."""

import keras
import tensorflow as tf


class ItemEmbedding(keras.layers.Embedding):
    """An embedding of items whose cost does not grow with the catalogue.

    Keras reads the whole table before it looks up rows. TensorFlow makes a
    copy for it once an optimizer has updated single rows of the table.
    """

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """Returns the vectors of the items, `[..., dim]`.

        Args:
            inputs: int `[...]`, 0 for padding.
        """
        found = tf.gather(self.embeddings.value, inputs)
        return tf.cast(found, self.compute_dtype)
