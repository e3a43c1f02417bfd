"""Trained runs: load, evaluate, recommend."""

import contextlib
import dataclasses
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import tensorflow as tf

from tfrec.batches import UNKNOWN_USER
from tfrec.data import PreparedDataset
from tfrec.errors import InputError, InputWarning, OutOfMemoryError
from tfrec.metrics.ranks import Ranks
from tfrec.models import Recommender, get_model
from tfrec.settings import Settings
from tfrec.training.checkpoints import restore_model
from tfrec.training.config import TrainingConfig
from tfrec.training.description import (
    MEASURED,
    check_data,
    read_description,
)
from tfrec.training.ranking import rank, shuffled
from tfrec.training.schedule import make_schedule
from tfrec.training.strategy import local_strategy

CHECKPOINTS = "checkpoints"
EPOCHS = "epochs.csv"
METRICS = "metrics.json"
RANKS = "ranks.npz"
# What bounds the memory of an evaluation.
EVALUATION_FLAGS = ("evaluation_batch_size", "evaluation_block_items")


class Recommendation(NamedTuple):
    """An item, its title ("" if it has none) and its log-probability."""

    item: str
    title: str
    score: float


@dataclasses.dataclass(frozen=True)
class Run:
    """A trained model with its data and settings.

    Attributes:
        folder: The run directory.
        model: With the weights that the run selected.
        data: The prepared dataset that it was trained on.
        config: Settings of the training.
    """

    folder: Path
    model: Recommender
    data: PreparedDataset
    config: TrainingConfig

    def rank(self, split: str = "test", shuffle: int | None = None) -> Ranks:
        """Ranks the targets of a split among all items.

        Args:
            split: "test" or "validation".
            shuffle: If given, a seed: the items of each history then come in
                random order.

        Raises:
            InputError: If there is no such split, naming the run that
                measured this one, or a file is damaged.
        """
        if split == "test":
            refuse_untested(self.folder, self.data.protocol.no_test)
        batches = self.data.evaluation(split, self.config.evaluation_batch_size)
        if shuffle is not None:
            batches = shuffled(batches, shuffle)
        with explained(self.data, *EVALUATION_FLAGS):
            try:
                return rank(self.model, batches, self.config)
            except tf.errors.InvalidArgumentError as error:
                self._refuse_nan_scores(batches, error)
                raise

    def evaluate(
        self, split: str = "test", ranks: Ranks | None = None
    ) -> dict[str, Any]:
        """Measures the model on a split.

        Args:
            split: "test" or "validation".
            ranks: What `rank` returned, if it was called before.

        Returns:
            `protocol`, `split`, `examples` and `metrics`.

        Raises:
            InputError: See `rank`.
        """
        if split == "validation" and self.config.fit_on == "all":
            warnings.warn(
                f"{self.folder} was trained on the validation split too "
                "(`--fit_on=all`): how it ranks that says little of others.",
                InputWarning,
                stacklevel=2,
            )
        ranks = ranks or self.rank(split)
        return {
            "protocol": self.data.describe(split),
            "split": split,
            "examples": self.data.examples(split),
            "metrics": ranks.means(self.config.cutoffs),
        }

    def _refuse_nan_scores(
        self, batches: tf.data.Dataset, error: Exception
    ) -> None:
        """Raises `InputError` if it is a score that cannot be ranked."""
        for batch in batches:
            scores = self.model.score(batch.query)
            if tf.reduce_any(tf.math.is_nan(scores)):
                raise InputError(
                    "The model gives scores that are no numbers (NaN). Train "
                    "another run, with a lower learning rate where it has one."
                ) from error

    def recommend(
        self, history: Sequence[str], k: int = 10, user: str = ""
    ) -> tuple[list[Recommendation], list[str]]:
        """Recommends what comes after a history.

        Items of the history are left out where the protocol leaves them out.

        Args:
            history: Item ids as in the raw log, oldest first.
            k: Number of items.
            user: Id of who asks, for a model that needs it. One whom the
                training did not have is answered as the mean of all.

        Returns:
            The best items, best first, and the ids of the history that are
            not in the vocabulary, which were skipped.

        Raises:
            InputError: If it is not one history or no item of it is known,
                `k` exceeds the number of items to choose from, or a user is
                given to a model that knows none.
        """
        if isinstance(history, str) or not all(
            isinstance(item, str) for item in history
        ):
            raise InputError(
                "`history` must be the item ids of one history, which are "
                f"strings. Received: {history!r}. For many at once, see "
                "`python -m tfrec.recommend --output`."
            )
        vocabulary = self.data.vocabulary
        indices = vocabulary.index(history)
        known = [int(index) for index in indices if index]
        unknown = [
            item
            for item, index in zip(history, indices, strict=True)
            if not index
        ]
        if not known:
            raise InputError(
                "`--history` must name an item that was in the training data, "
                f"such as {', '.join(vocabulary.items[:3])}. Received: "
                f"{', '.join(history)}."
            )
        exclude = self.data.protocol.exclude_history
        choice = self.data.num_items - (len(set(known)) if exclude else 0)
        if not 1 <= k <= choice:
            raise InputError(
                f"`--k` must be between 1 and {choice}, the number of items "
                f"to choose from. Received: {k}."
            )
        if user and not self.model.knows_users:
            why = "which recommends by the history alone"
            if self.model.needs_user:
                why = "which was trained on sessions, without users"
            raise InputError(
                f"`--user` means nothing with {self.config.model}, {why}. "
                "Remove it."
            )
        asking = self.data.users.index([user]) if user else [UNKNOWN_USER]
        items, scores = self.model.recommend([known], k, exclude, asking)
        titles = self.data.titles
        return [
            Recommendation(item, titles.get(item, ""), float(score))
            for item, score in zip(
                vocabulary.lookup(items[0]), scores[0], strict=True
            )
        ], unknown


def load_run(
    run_dir: str | Path, data_dir: str | Path = "", **changes: Any
) -> Run:
    """Loads the model that a run selected, with its data.

    Args:
        run_dir: A run directory.
        data_dir: Where the prepared dataset is now; where it was by default.
        **changes: Settings of the training to replace, such as
            `evaluation_batch_size`.

    Raises:
        InputError: If there is no such run, its data is not where it was or
            has changed, or the checkpoint cannot be read.
    """
    folder = Path(run_dir)
    saved = read_description(folder)
    config = TrainingConfig.from_dict(saved["training"])
    config = dataclasses.replace(config, **changes)
    model_class = get_model(config.model)
    model_config = model_class.config_class.from_dict(saved["model"])
    data = PreparedDataset.open(data_dir or saved["data_dir"])
    check_data(folder, saved, data)
    with local_strategy(config.distribution).scope():
        model = build(data, config, model_config)
    restore_model(folder / CHECKPOINTS, model)
    return Run(folder, model, data, config)


def build(
    data: PreparedDataset, config: TrainingConfig, model_config: Settings
) -> Recommender:
    """Builds and compiles a model with all its variables.

    Called in the scope of a strategy.

    Raises:
        InputError: If the model has no learning rate that could follow a
            schedule, or could not learn what the protocol ranks.
    """
    model = get_model(config.model)(
        data.num_items, model_config, data.num_users
    )
    least = data.fewest_rows(config.batch_size, config.fit_on)
    if least < model.least_rows:
        raise InputError(
            f"`--batch_size` must give batches of {model.least_rows} sequences "
            f"at least: {config.model} compares those of a batch, with these "
            f"settings. Received: {config.batch_size}, which leaves {least} in "
            "one."
        )
    if model.leaves_out_history and not data.protocol.exclude_history:
        raise InputError(
            "`--exclude_history` needs a protocol that does not rank the items "
            f"of the history. Received: {data.protocol.ranking}. Remove it."
        )
    model.compile(
        schedule=make_schedule(
            config, data.steps_per_epoch(config.batch_size, config.fit_on)
        ),
        cutoffs=config.cutoffs,
        evaluation_block_items=config.evaluation_block_items,
        steps_per_execution=config.steps_per_execution,
    )
    return model


def refuse_untested(folder: Path, no_test: str) -> None:
    """Raises `InputError` if a run has no test, naming the run that has one.

    Args:
        folder: The run directory.
        no_test: The flag by which its data has no test; "" with a test.
    """
    if not no_test:
        return
    measured = read_description(folder).get(MEASURED)
    other = "no run is named that measured it (--measured_by)"
    if measured:
        other = f"{measured['run']} measured it"
    raise InputError(f"{folder} has no test ({no_test}); {other}.")


@contextlib.contextmanager
def explained(data: PreparedDataset, *flags: str) -> Iterator[None]:
    """Turns TensorFlow's errors that a user can mend into `InputError`.

    Args:
        data: What is read.
        *flags: Names of the settings by which the memory can be lowered.
    """
    try:
        yield
    except tf.errors.ResourceExhaustedError as error:
        lower = ", ".join(f"`--{flag}`" for flag in flags)
        raise OutOfMemoryError(
            f"Out of memory.{lower and f' Lower one of {lower}.'} "
            f"({error.message.splitlines()[0]})"
        ) from error
    except tf.errors.OpError as error:
        damaged = data.explain_read_error(error)
        if damaged:
            raise damaged from error
        raise
