"""AdamW that steps only the rows of a table that a batch has read."""

import keras
import tensorflow as tf


class LazyAdamW(keras.optimizers.AdamW):
    """AdamW whose cost does not grow with the tables of items.

    Keras turns the gradient of a lookup (`tf.IndexedSlices`) into one of every
    row, and decays and moves every row in every step. Here the rows without a
    gradient stay as they are, until they have one again: then they first make
    up for the steps that they missed, in which AdamW would have let them move
    on by their momentum, let their moments fade, and decayed them. Without
    that, rare items would learn several times slower than by AdamW. What is
    made up for takes the learning rate of now. Variables with a dense gradient
    are stepped as by AdamW.
    """

    def build(self, variables):
        """See base class."""
        if self.built:
            return
        super().build(variables)
        # For all of them: which gradients are sparse is known in a step.
        self.last_steps = [
            self.add_variable(v.shape[:1], dtype="int64", name="last_step")
            for v in variables
        ]

    def _apply_weight_decay(self, variables):
        # `update_step` decays, where the rows are known.
        pass

    def update_step(self, gradient, variable, learning_rate):
        """See base class."""
        rate = tf.cast(learning_rate, variable.dtype)
        decay = rate * self.weight_decay
        if not self._use_weight_decay(variable):
            decay = tf.zeros_like(decay)
        if not isinstance(gradient, tf.IndexedSlices):
            variable.assign_sub(decay * variable)
            super().update_step(gradient, variable, learning_rate)
            return

        rows, places = tf.unique(gradient.indices)
        gradient = tf.math.unsorted_segment_sum(
            tf.cast(gradient.values, variable.dtype), places, tf.size(rows)
        )
        # Rows are looked up and scattered: no table is read as a whole.
        index = self._get_variable_index(variable)
        first, second, last_steps = (
            slots[index].value
            for slots in (self._momentums, self._velocities, self.last_steps)
        )
        values, momentum, velocity, last_step = (
            tf.gather(table, rows)
            for table in (variable, first, second, last_steps)
        )
        step = tf.cast(self.iterations + 1, tf.int64)
        steps = tf.cast(step - last_step, variable.dtype)
        steps = tf.reshape(steps, [-1] + [1] * (values.shape.rank - 1))
        beta_1, beta_2 = self.beta_1, self.beta_2
        now = tf.cast(step, variable.dtype)
        rate *= tf.sqrt(1 - beta_2**now) / (1 - beta_1**now)

        def change(momentum, velocity):
            return rate * momentum / (tf.sqrt(velocity) + self.epsilon)

        # In each missed step the change fades by this factor.
        fades = beta_1 / beta_2**0.5
        missed = fades * (1 - fades ** (steps - 1)) / (1 - fades)
        values *= (1 - decay) ** steps
        values -= missed * change(momentum, velocity)
        momentum = beta_1**steps * momentum + (1 - beta_1) * gradient
        velocity *= beta_2**steps
        velocity += (1 - beta_2) * tf.square(gradient)
        values -= change(momentum, velocity)
        for table, new in (
            (variable, values),
            (first, momentum),
            (second, velocity),
            (last_steps, tf.fill(tf.shape(rows), step)),
        ):
            table.scatter_update(tf.IndexedSlices(new, rows))
