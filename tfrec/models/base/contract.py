"""What other rooms may ask of a model; all but `score` have a default."""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any, ClassVar

import keras
import tensorflow as tf

from tfrec.batches import Query, as_query
from tfrec.models.base.keras_plumbing import WorkerPlumbing
from tfrec.models.base.latent import Latent
from tfrec.models.base.products import Products
from tfrec.settings import Settings


class Contract(WorkerPlumbing):
    """What a model does and declares; `Recommender` is the rest.

    Other rooms ask these attributes and methods, never the type of a model.

    Attributes:
        config_class: The dataclass of the settings.
        needs_user: Whether scores depend on who asks. An unknown user is then
            answered as the mean of all.
        least_rows: Sequences that a training batch needs on each device.
        one_pass: Whether one epoch teaches all, and more would change nothing.
        weighs: Whether what it learns depends on the weights of sequences.
        blends: Whether it is made of finished runs, its `members`.
        num_items: Number of items in the vocabulary, padding not counted.
        num_users: Number of users, for a model that `needs_user`.
    """

    config_class: ClassVar[type[Settings]]
    needs_user: ClassVar[bool] = False
    one_pass: ClassVar[bool] = False
    weighs: ClassVar[bool] = True
    blends: ClassVar[bool] = False
    least_rows = 1
    num_items: int
    num_users: int

    # What a model does ------------------------------------------------------

    def score(self, query: Query) -> tf.Tensor:
        """Returns the log-probability of every item to come next.

        Args:
            query: Histories and who asks.

        Returns:
            float32 `[batch, num_items]`; column j is item j + 1.
        """
        raise NotImplementedError

    def call(self, inputs: Any, training: bool = False) -> tf.Tensor:
        """Returns what `score` does; training never comes here.

        Args:
            inputs: A `Query`, or histories alone, int `[batch, length]`.
            training: Without effect.
        """
        del training
        return self.score(as_query(inputs))

    def block_scores(
        self, query: Query
    ) -> Callable[[tf.Tensor, tf.Tensor], tf.Tensor]:
        """Returns what scores a range of items, as evaluation asks for them.

        The scores rank the items of a row as those of `score` do, and do not
        depend on the range. A model that can score some items without the
        others overrides this.

        Args:
            query: As for `score`.

        Returns:
            A function of two columns, `start` and `stop`, that returns float32
            `[batch, stop - start]`.
        """
        scores = self.score(query)
        return lambda start, stop: scores[:, start:stop]

    @property
    def needs_adapt(self) -> bool:
        """Whether `adapt` has to come before training, and did not yet."""
        return False

    def adapt(self, batches: tf.data.Dataset) -> None:
        """Sets what is counted rather than learned, before training.

        `fit` calls it where it is needed.

        Args:
            batches: One epoch of `TrainingBatch`.
        """

    @property
    def chooses(self) -> bool:
        """Whether `choose` has to come after `adapt`."""
        return False

    def choose(self, batches: tf.data.Dataset, metric: str) -> None:
        """Sets what is chosen on the validation split before training.

        Args:
            batches: The `EvaluationBatch`es of the split.
            metric: What to raise, such as "ndcg@10".
        """

    def chosen(self) -> dict[str, Any]:
        """Returns what `choose` has set, by the name of the setting."""
        return {}

    def catch_up(self) -> None:
        """Completes what training has put off, at the end of each epoch."""

    def as_used(self) -> contextlib.AbstractContextManager:
        """Within `fit`, a context with the weights that will be used."""
        return contextlib.nullcontext()

    def in_training(self) -> contextlib.AbstractContextManager:
        """The context in which `fit` trains."""
        return contextlib.nullcontext()

    def other_weights(self) -> list[tf.Variable]:
        """Returns what training needs beside the model and its optimizers."""
        return []

    def restart_average(self) -> None:
        """Lets training go on from what the weights are now."""

    # What a model declares --------------------------------------------------

    def latent(self) -> Latent | None:
        """Returns the model's latent; None if it has none."""
        return None

    @property
    def knows_users(self) -> bool:
        """Whether some users are answered apart; never in sessions."""
        return self.needs_user and self.num_users > 0

    @property
    def leaves_out_history(self) -> bool:
        """Whether items of the history have probability 0 in `score`."""
        return False

    def item_vectors(self) -> dict[str, tf.Tensor]:
        """Returns what TensorBoard's projector shows.

        Returns:
            Vectors `[num_items, dim]` by name; empty if the model has none.
        """
        return {}

    def products(self) -> Products | None:
        """Returns the products that the scores are; None if they are none."""
        return None

    @contextlib.contextmanager
    def frozen(
        self, logits: Callable[[tf.Tensor], tf.Tensor] | None = None
    ) -> Iterator[Any]:
        """Makes graphs traced in it read what serving reads fastest.

        Args:
            logits: For a model with `products`: what returns the products of
                states with the vectors of all items, in place of the model.

        Yields:
            Variables that have to outlive the graphs; None for none.
        """
        yield None

    @property
    def tables(self) -> dict[str, tf.Variable]:
        """Variables whose size is not known before `adapt`.

        A weight of Keras has one shape, so they are none, but belong to the
        checkpoints as weights do.
        """
        return {}

    @property
    def inherited(self) -> list[keras.Variable]:
        """Weights that a run takes from another run, see `--init_from`.

        What is counted is not among them: it follows from the data alone.
        """
        return []

    def continue_steps(self, read: Callable[[keras.Variable], Any]) -> None:
        """Goes on where the training of another model ended.

        Args:
            read: Returns the other model's value of a weight without rows.
        """
