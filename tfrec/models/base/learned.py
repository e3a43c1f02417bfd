"""The base of every model that is trained by gradients."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import tensorflow as tf

from tfrec.batches import TrainingBatch
from tfrec.errors import InputError
from tfrec.models.base.averaged import Averaged
from tfrec.models.base.items import count_items
from tfrec.models.base.player import Player
from tfrec.models.configs.next_item import LearnedConfig
from tfrec.optimizers import LazyAdamW, catch_up
from tfrec.settings import Settings

# The terms of an objective by name, scalars; the players minimise some.
Terms = dict[str, tf.Tensor]
# Gives a learning rate its course: a number or a Keras schedule.
Rate = Callable[..., Any]


class Learned(Averaged):
    """A model with an objective.

    A subclass implements `score` and `objective`, names its `terms`, and is
    built when its constructor ends. Where it has several players, it names
    them in `players`.

    Args:
        num_items: Number of items in the vocabulary, padding not counted.
        config: Settings of the model; its defaults when absent.
        num_users: Number of users, for a model that needs them.
    """

    config: LearnedConfig

    def __init__(
        self,
        num_items: int,
        config: Settings | None = None,
        num_users: int = 0,
    ):
        super().__init__(num_items, config, num_users)
        self.steps = self._counter("steps")
        self.adapted = self._counter("adapted")
        self.epoch_steps = None
        if self.counts_steps:
            self.epoch_steps = self._counter("epoch_steps")

    def _counter(self, name: str) -> keras.Variable:
        return self.add_weight(
            shape=(),
            dtype="int64",
            initializer="zeros",
            trainable=False,
            # All replicas count the same.
            aggregation="only_first_replica",
            name=name,
        )

    @property
    def terms(self) -> tuple[str, ...]:
        """Names of what `objective` returns, in the order to show them."""
        return ("loss",)

    def objective(self, batch: TrainingBatch, training: bool = True) -> Terms:
        """Returns what training minimises, and its terms.

        Each is a sum over positions or sequences, weighted by `batch.weight`:
        this replica's part of a mean over the global batch.

        Args:
            batch: Sequences.
            training: Whether dropout is on.
        """
        raise NotImplementedError

    def players(self, rate: Rate) -> list[Player]:
        """Returns who minimises what, each with its default optimizer.

        Args:
            rate: Called with a peak learning rate, and with `every`, the
                training steps for each step of the optimizer (1 by default).
        """
        return [
            Player(
                "model",
                "loss",
                self.trainable_variables,
                self.adamw(rate(self.config.learning_rate)),
            )
        ]

    def adamw(self, learning_rate: Any) -> keras.optimizers.Optimizer:
        """Returns the default optimizer.

        Args:
            learning_rate: A number or a Keras schedule.
        """
        c = self.config
        made = LazyAdamW if c.sparse_steps else keras.optimizers.AdamW
        return made(
            learning_rate, weight_decay=c.weight_decay, beta_2=c.adam_beta_2
        )

    def ramp(self, steps: int, epochs: float = 0.0) -> tf.Tensor:
        """Returns what grows from 0 to 1 over the first steps of training.

        Args:
            steps: 0 for 1 from the start.
            epochs: Positive, to count epochs instead; see `counts_steps`.
        """
        if not steps and not epochs:
            return tf.constant(1.0)
        if epochs:
            steps = epochs * tf.cast(self._epoch_length, tf.float32)
        return tf.minimum(tf.cast(self.steps, tf.float32) / steps, 1.0)

    # Counting ---------------------------------------------------------------

    @property
    def counts_items(self) -> bool:
        """Whether `take_counts` has a use for the items' popularity."""
        return False

    def take_counts(self, counts: tf.Tensor) -> None:
        """Takes the popularity of the items before training.

        Args:
            counts: float32 `[num_items]`, interactions per item.
        """

    @property
    def counts_steps(self) -> bool:
        """Whether something is told in epochs, whose steps `adapt` counts."""
        return False

    def epochs(self) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns the epochs that are over, and the steps taken since."""
        steps, length = tf.convert_to_tensor(self.steps), self._epoch_length
        return steps // length, steps % length

    @property
    def _epoch_length(self) -> tf.Tensor:
        # Where nothing was counted, an epoch is a step.
        return tf.maximum(tf.convert_to_tensor(self.epoch_steps), 1)

    @property
    def has_to_count(self) -> bool:
        """Whether `adapt` has anything to count."""
        return self.counts_items or self.counts_steps

    @property
    def needs_adapt(self) -> bool:
        """See base class."""
        # A tensor first: on several devices the variable is no number.
        adapted = tf.convert_to_tensor(self.adapted)
        return self.has_to_count and not int(adapted)

    def adapt(self, batches: tf.data.Dataset) -> None:
        """See base class."""
        if self.counts_items:
            self.take_counts(count_items(batches, self.num_items))
        if self.counts_steps:
            steps = int(batches.cardinality())
            if steps == tf.data.UNKNOWN_CARDINALITY:
                steps = sum(1 for _ in batches)
            self.epoch_steps.assign(steps)
        self.adapted.assign(1)

    # Starting from another model --------------------------------------------

    @property
    def inherited(self) -> list[keras.Variable]:
        """See base class: what is learned."""
        return list(self.trainable_variables)

    def continue_steps(self, read: Callable[[keras.Variable], Any]) -> None:
        """See base class: what is annealed stays so, and turns go on.

        Where turns are epochs, those that the other one began are over.
        """
        steps = int(read(self.steps))
        if self.counts_steps:
            length = max(int(read(self.epoch_steps)), 1)
            steps = -(-steps // length) * int(self._epoch_length)
        self.steps.assign(steps)

    # Training ---------------------------------------------------------------

    def compile(
        self,
        optimizer: Any = None,
        optimizers: Mapping[str, Any] | None = None,
        schedule: Rate | None = None,
        **kwargs: Any,
    ) -> None:
        """Chooses the optimizers, the players' own by default.

        Args:
            optimizer: For the first player.
            optimizers: For any of them, by the player's name.
            schedule: What `players` calls `rate`; constant without it.
            **kwargs: Passed to `Recommender.compile`.

        Raises:
            InputError: If there is no such player, or players that take turns
                meet a distribution strategy, which cannot reduce gradients
                inside a condition.
        """
        players = self.players(schedule or (lambda rate, every=1: rate))
        chosen = dict(optimizers or {})
        if optimizer is not None:
            chosen.setdefault(players[0].name, optimizer)
        names = [player.name for player in players]
        for name in chosen.keys() - set(names):
            raise InputError(
                f"`optimizers` must name players of {type(self).__name__}: "
                f"{', '.join(names)}. Received: {name}."
            )
        turns = [player.name for player in players if player.cycle > 1]
        if turns and tf.distribute.has_strategy():
            raise InputError(
                f"{', '.join(turns)} take turns, which a distribution strategy "
                "cannot do. Set `--noalternate_updates` or "
                "`--distribution=none`."
            )
        players = [
            player._replace(
                optimizer=keras.optimizers.get(
                    chosen.get(player.name, player.optimizer)
                )
            )
            for player in players
        ]
        super().compile(optimizer=players[0].optimizer, **kwargs)
        for player in players:
            player.optimizer.build(player.variables)
        # Behind a function, so that Keras does not count their variables twice.
        self._players = lambda: players
        self.optimizers = {p.name: p.optimizer for p in players}
        self.term_means = {
            name: keras.metrics.Mean(name=name) for name in self.terms
        }
        self.average_weights(self.config.ema_momentum)

    def get_compile_config(self) -> dict[str, Any]:
        """See base class."""
        return super().get_compile_config() | {
            "optimizers": {
                name: keras.optimizers.serialize(optimizer)
                for name, optimizer in self.optimizers.items()
            }
        }

    def compile_from_config(self, config: dict[str, Any]) -> None:
        """See base class."""
        optimizers = {
            name: keras.optimizers.deserialize(saved)
            for name, saved in config["optimizers"].items()
        }
        self.compile(**(config | {"optimizers": optimizers}))

    def train_step(self, batch: TrainingBatch) -> dict[str, tf.Tensor]:
        """Lets the players whose turn it is move on one batch."""
        self.count_tokens(batch)
        players = self._players()
        # One backward pass for players of the same term and turns.
        moves: dict[tuple, list[Player]] = {}
        for player in players:
            key = player.term, player.turns, player.cycle, player.by_epoch
            moves.setdefault(key, []).append(player)
        with tf.GradientTape(persistent=len(moves) > 1) as tape:
            terms = self.objective(batch)

        def move(together: list[Player]) -> None:
            variables = [v for player in together for v in player.variables]
            gradients = iter(tape.gradient(terms[together[0].term], variables))
            for player in together:
                own = [next(gradients) for _ in player.variables]
                player.optimizer.apply(own)

        for (_, turns, cycle, by_epoch), together in moves.items():
            if cycle == 1:
                move(together)
                continue
            turn = self.is_turn(turns, cycle, by_epoch)
            tf.cond(turn, lambda t=together: move(t), lambda: None)
        self.steps.assign_add(1)
        self.count_weights()
        return self._update_means(terms)

    def is_turn(
        self, turns: Sequence[int], cycle: int, by_epoch: bool = False
    ) -> tf.Tensor:
        """Returns whether a player moves in this step; see `Player`."""
        time = self.epochs()[0] if by_epoch else self.steps
        return tf.reduce_any(tf.cast(time % cycle, tf.int32) == turns)

    def _update_means(self, terms: Terms) -> dict[str, tf.Tensor]:
        # A replica holds its part of each sum; a mean over replicas of
        # `replicas` times the part is the sum.
        replicas = tf.distribute.get_strategy().num_replicas_in_sync
        for name, metric in self.term_means.items():
            metric.update_state(replicas * terms[name], 1 / replicas)
        return {n: metric.result() for n, metric in self.term_means.items()}

    def evaluate(self, *args: Any, **kwargs: Any) -> Any:
        """See base class; with all rows up to date, within `fit` too."""
        self.catch_up()
        return super().evaluate(*args, **kwargs)

    def save(self, *args: Any, **kwargs: Any) -> None:
        """See base class; with all rows up to date."""
        self.catch_up()
        super().save(*args, **kwargs)

    def save_weights(self, *args: Any, **kwargs: Any) -> None:
        """See base class; with all rows up to date."""
        self.catch_up()
        super().save_weights(*args, **kwargs)

    def catch_up(self) -> None:
        """See base class: brings all rows of the item tables up to date."""
        for optimizer in self.optimizers.values():
            catch_up(optimizer)
