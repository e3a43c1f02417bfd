"""AdamW that steps only the rows of a table that a batch has read."""

import keras
import tensorflow as tf

# Rows that `catch_up` has in memory at once.
_BLOCK = 65_536
# After so many missed steps about half of what a row makes up for is done, with
# beta_1 = .9 and beta_2 near 1; the correction changes slowly.
_HALFWAY = 6


@keras.saving.register_keras_serializable("tfrec")
class LazyAdamW(keras.optimizers.AdamW):
    """AdamW whose cost does not grow with the tables of items.

    Keras turns the gradient of a lookup (`tf.IndexedSlices`) into one of every
    row, and decays and moves every row in every step. Here the rows without a
    gradient stay as they are, until they have one again: then they first make
    up for the steps that they missed, in which AdamW would have let them move
    on by their momentum, let their moments fade, and decayed them. Without
    that, rare items would learn several times slower than by AdamW. So before
    the weights are used, `catch_up` has to be called, as `fit` does when it
    ends. Variables with a dense gradient are stepped as by AdamW.

    Of a missed step the move takes the learning rate of the last step with a
    gradient, because it has faded after a few, and the correction for young
    moments of the step halfway; the decay takes the mean of that rate and the
    present one. Where a batch reads a row several times, its
    gradient is the sum, as of a dense gradient; Keras's own AdamW adds up the
    squares of the parts instead of squaring their sum.
    """

    def build(self, variables):
        """See base class."""
        if self.built:
            return
        super().build(variables)
        # For all of them: which gradients are sparse is known in a step.
        self.last_steps, self.last_rates = (
            [
                self.add_variable(v.shape[:1], dtype=dtype, name=name)
                for v in variables
            ]
            for name, dtype in (("last_step", "int64"), ("last_rate", None))
        )

    def catch_up(self) -> None:
        """Makes up, in all rows, for the steps that they have missed.

        Takes about as long as a step of AdamW on all tables, once an epoch.
        """
        self._catch_up()

    def finalize_variable_values(self, var_list):
        """See base class; `fit` calls it when it ends."""
        super().finalize_variable_values(var_list)
        self.catch_up()

    @tf.function(autograph=False)
    def _catch_up(self):
        for variable in self._trainable_variables:
            if variable.shape:
                self._distribution_strategy.extended.update(
                    variable.value,
                    self._catch_up_rows,
                    args=(tf.convert_to_tensor(self.learning_rate),),
                    group=False,
                )

    def _catch_up_rows(self, variable, learning_rate):
        index = self._get_variable_index(variable)
        # Nothing where all gradients were dense.
        size = tf.where(
            tf.reduce_any(self.last_steps[index].value > 0),
            variable.shape[0],
            0,
        )

        def block(start):
            stop = tf.minimum(start + _BLOCK, size)
            self._step_rows(
                variable, tf.range(start, stop), None, learning_rate
            )
            return (stop,)

        tf.while_loop(
            lambda start: start < size, block, (0,), parallel_iterations=1
        )

    def _apply_weight_decay(self, variables):
        # `update_step` decays, where the rows are known.
        pass

    def update_step(self, gradient, variable, learning_rate):
        """See base class."""
        if not isinstance(gradient, tf.IndexedSlices):
            variable.assign_sub(self._decay(variable, learning_rate) * variable)
            super().update_step(gradient, variable, learning_rate)
            return
        rows, places = tf.unique(gradient.indices)
        gradient = tf.math.unsorted_segment_sum(
            tf.cast(gradient.values, variable.dtype), places, tf.size(rows)
        )
        self._step_rows(variable, rows, gradient, learning_rate)

    def _decay(self, variable, learning_rate):
        """Returns the part of the values that a step takes away."""
        if not self._use_weight_decay(variable):
            return tf.zeros([], variable.dtype)
        return tf.cast(learning_rate, variable.dtype) * self.weight_decay

    def _step_rows(self, variable, rows, gradient, learning_rate):
        """Makes up for what rows have missed, then steps on their gradient.

        Args:
            variable: A table.
            rows: int `[n]`, each once. They are looked up and scattered: no
                table is read as a whole.
            gradient: `[n, ...]`; None after the last step, not within one.
            learning_rate: The present one.
        """
        index = self._get_variable_index(variable)
        tables = [variable] + [
            slots[index].value
            for slots in (
                self._momentums,
                self._velocities,
                self.last_steps,
                self.last_rates,
            )
        ]
        values, momentum, velocity, last_step, last_rate = (
            tf.gather(table, rows) for table in tables
        )
        rate = tf.cast(learning_rate, variable.dtype)
        step = tf.cast(self.iterations, tf.int64)
        missed = tf.cast(step - last_step, variable.dtype)
        halfway = tf.cast(last_step, variable.dtype)
        halfway += tf.minimum(float(_HALFWAY), (missed + 1) / 2)
        # A row that was never read has no moments, and is only decayed.
        last_rate = tf.where(last_rate > 0, last_rate, rate)
        column = [-1] + [1] * (values.shape.rank - 1)
        missed, last_rate, halfway = (
            tf.reshape(x, column) for x in (missed, last_rate, halfway)
        )
        step += gradient is not None

        beta_1, beta_2 = self.beta_1, self.beta_2

        def change(rate, step):
            now = tf.cast(tf.maximum(step, 1), variable.dtype)
            correction = tf.sqrt(1 - beta_2**now) / (1 - beta_1**now)
            scale = tf.sqrt(velocity) + self.epsilon
            return rate * correction * momentum / scale

        # In each missed step the change fades by this factor.
        fades = beta_1 / beta_2**0.5
        mean_rate = (last_rate + rate) / 2
        values *= (1 - self._decay(variable, mean_rate)) ** missed
        many = fades * (1 - fades**missed) / (1 - fades)
        values -= many * change(last_rate, halfway)
        momentum *= beta_1**missed
        velocity *= beta_2**missed
        if gradient is not None:
            values *= 1 - self._decay(variable, rate)
            momentum = beta_1 * momentum + (1 - beta_1) * gradient
            velocity = beta_2 * velocity + (1 - beta_2) * tf.square(gradient)
            values -= change(rate, step)

        shape = tf.shape(rows)
        updates = (
            *(values, momentum, velocity),
            *(tf.fill(shape, step), tf.fill(shape, rate)),
        )
        for table, new in zip(tables, updates, strict=True):
            table.scatter_update(tf.IndexedSlices(new, rows))


def catch_up(optimizer: keras.optimizers.Optimizer) -> None:
    """Completes what an optimizer has put off; most put off nothing."""
    if isinstance(optimizer, LazyAdamW):
        optimizer.catch_up()
