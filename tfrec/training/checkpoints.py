"""Checkpoints of a run: everything a step depends on, and how far it got."""

import dataclasses
import json
import re
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfrec.errors import InputError
from tfrec.models import Recommender
from tfrec.training.checkpoint_records import (
    recorded,
    refuse_lost_records,
    sweep,
)
from tfrec.training.files import writing

# In the order in which they are preferred, of equally many steps.
_NAMES = ("last", "best")
_PROGRESS = "progress/.ATTRIBUTES/py_state"


def diverged(where: str) -> InputError:
    """Returns the error that ends a run.

    Args:
        where: At which steps or in which part, and what is not finite.
    """
    return InputError(
        f"Training diverged{where}. A checkpoint, where one was saved, is "
        "from before it. Start another run with a lower `--learning_rate`."
    )


def refuse_infinite(model: Recommender) -> None:
    """Raises `InputError` if a weight is not finite, naming it."""
    for variable in model.variables:
        if variable.dtype.startswith("float") and not bool(
            tf.reduce_all(tf.math.is_finite(variable.value))
        ):
            raise diverged(f": the weight {variable.path} is not finite")


@dataclasses.dataclass(eq=False)
class Progress(tf.train.experimental.PythonState):
    """How far a run got. Kept in its checkpoints.

    Attributes:
        step: Training steps taken, over all epochs.
        best: Best value of the validation metric; None before the first.
        best_epoch: Its epoch, from 1; 0 before the first.
        tokens: Items predicted in `training_seconds`.
        training_seconds: Time spent on training steps, compilation left out.
        wall_seconds: Time since the start of training, with what is counted
            before it and validation; summed over resumptions.
        epochs: One row of numbers for each finished epoch.
        origin: What the run began from; "" for first weights drawn at random.
    """

    step: int = 0
    best: float | None = None
    best_epoch: int = 0
    tokens: int = 0
    training_seconds: float = 0.0
    wall_seconds: float = 0.0
    epochs: list[dict[str, Any]] = dataclasses.field(default_factory=list)
    origin: str = ""

    def __str__(self) -> str:
        return f"{len(self.epochs)} epochs, {self.step} steps"

    def serialize(self) -> str:
        """See base class."""
        names = [field.name for field in dataclasses.fields(self)]
        return json.dumps({name: getattr(self, name) for name in names})

    def deserialize(self, text: bytes) -> None:
        """See base class."""
        for name, value in json.loads(text).items():
            setattr(self, name, value)


def _numbered(variables: list[keras.Variable]) -> dict[str, tf.Variable]:
    # By hand, because TensorFlow's tracking finds no random generators, and
    # not all layers within Keras layers. By position and path, so that code
    # with other layers is refused; without the numbers in a path, which count
    # the layers that a process made before.
    named = {}
    for position, variable in enumerate(variables):
        path = re.sub(r"_\d+(?=[_/]|$)", "", variable.path).replace("/", ".")
        named[f"{position:04d}.{path}"] = variable.value
    return named


def _weights(model: Recommender) -> dict[str, tf.Variable]:
    return {**_numbered(model.variables), **model.tables}


class Checkpoints:
    """The `last` and the `best` checkpoint of a run, each complete.

    A checkpoint holds the model with the states of its random generators, the
    metrics of the epoch so far, every optimizer, and the progress; where the
    weights are averaged, both the averages and the weights. TensorFlow
    writes a checkpoint under a temporary name and deletes the previous one
    only after the new one is recorded, so that a process may be killed at any
    moment; what it left behind is deleted when a run is resumed.

    Args:
        folder: `checkpoints` in the run directory.
        model: A compiled model with all variables built.
        progress: Saved and restored along with it.

    Raises:
        InputError: If a record of what was saved is damaged or gone.
    """

    def __init__(self, folder: Path, model: Recommender, progress: Progress):
        self._folder = folder
        self._model = model
        # Of the sums over replicas: saved one by one, workers would add up
        # each several times.
        self._totals = [
            tf.Variable(tf.zeros(v.shape, v.dtype), trainable=False)
            for v in model.metrics_variables
        ]
        names = _numbered(model.metrics_variables)
        self._checkpoint = tf.train.Checkpoint(
            progress=progress,
            model=_weights(model),
            metrics=dict(zip(names, self._totals, strict=True)),
            optimizers={
                name: _numbered(optimizer.variables)
                for name, optimizer in model.optimizers.items()
            },
        )
        # Where weights are averaged, those of training; `model` has the
        # averages, for all who read it.
        if others := model.other_weights():
            self._checkpoint.weights = others
        _check(folder)
        with writing(folder):
            for name in _NAMES:
                sweep(folder / name)
            self._managers = {
                name: tf.train.CheckpointManager(
                    self._checkpoint,
                    str(folder / name),
                    max_to_keep=1,
                    checkpoint_name="checkpoint",
                )
                for name in _NAMES
            }

    def save(self, name: str) -> None:
        """Saves a checkpoint as `last` or `best`.

        Raises:
            InputError: If a weight is not finite, which would make the
                checkpoint useless, or if it cannot be written.
        """
        refuse_infinite(self._model)
        for copy, total in zip(self._totals, self._model.totals(), strict=True):
            copy.assign(total)
        with self._model.as_used(), writing(self._folder):
            self._managers[name].save()

    def restore_newest(self) -> None:
        """Restores what was saved last, if anything was.

        If a kill came between the two saves of an epoch, so that the best is
        newer, `last` catches up.

        Raises:
            InputError: If it cannot be read.
        """
        path = newest_checkpoint(self._folder)
        if not path:
            return
        _restore(self._checkpoint, path)
        for variable, copy in zip(
            self._model.metrics_variables, self._totals, strict=True
        ):
            variable.assign(copy)
        if path != recorded(self._folder / "last"):
            self.save("last")


def restore_model(folder: Path, model: Recommender) -> None:
    """Restores the weights that a run selected.

    Args:
        folder: `checkpoints` in the run directory.
        model: A model with all variables built.

    Raises:
        InputError: If there is no checkpoint, it cannot be read, or it is not
            the one that was selected.
    """
    path = selected_checkpoint(folder)
    _restore(tf.train.Checkpoint(model=_weights(model)), path)
    model.restart_average()


class SelectedWeights:
    """The weights that a run selected, one by one, for a model of its kind.

    Neither the run's model nor its data are needed.

    Args:
        folder: `checkpoints` in the run directory.
        model: The model whose weights are asked for.

    Raises:
        InputError: If there is no checkpoint or it cannot be read.
    """

    def __init__(self, folder: Path, model: Recommender):
        self._path = selected_checkpoint(folder)
        # As TensorFlow writes names in which there are dots.
        names = [
            f"model/{name.replace('.', '..')}/.ATTRIBUTES/VARIABLE_VALUE"
            for name in _weights(model)
        ]
        # The tables, which are no weights of Keras, come behind them.
        self._names = {
            id(variable): name
            for variable, name in zip(model.variables, names, strict=False)
        }
        try:
            self._reader = tf.train.load_checkpoint(self._path)
        except (tf.errors.OpError, ValueError) as error:
            raise _unreadable(self._path) from error
        self._shapes = self._reader.get_variable_to_shape_map()
        self._left_over = sorted(
            name
            for name in self._shapes.keys() - set(names)
            if name.startswith("model/")
        )

    def shape(self, variable: keras.Variable) -> list[int] | None:
        """Returns the shape that a weight has there; None if it has none."""
        return self._shapes.get(self._names[id(variable)])

    def left_over(self) -> list[str]:
        """Returns the names of weights that the model has not."""
        # "model/0005..hidden..kernel/..." is hidden/kernel.
        names = [name.split("/")[1].split("..") for name in self._left_over]
        return ["/".join(parts[1:] or parts) for parts in names]

    def read(self, variable: keras.Variable) -> np.ndarray:
        """Returns what a weight is there.

        Raises:
            InputError: If it cannot be read.
        """
        try:
            return np.asarray(
                self._reader.get_tensor(self._names[id(variable)])
            )
        except (tf.errors.OpError, ValueError, IndexError) as error:
            raise _unreadable(self._path) from error


def newest_checkpoint(folder: Path) -> str | None:
    """Returns the checkpoint with the most steps; None if there is none.

    Raises:
        InputError: If a record of what was saved is damaged or gone.
    """
    _check(folder)
    # `last` comes first, so that it wins a tie: the numbers of later
    # checkpoints continue from it.
    found = [_recorded_progress(folder / name) for name in _NAMES]
    path, _ = max(found, key=lambda each: each[1].step)
    return path


def _check(folder: Path) -> None:
    """Raises `InputError` unless `best` holds what `last` says is the best."""
    refuse_lost_records([folder / name for name in _NAMES])
    # `last` first: of a run that goes on, `best` may be ahead, as it is after
    # a kill between the two saves.
    (_, last), (best, progress) = (
        _recorded_progress(folder / name) for name in _NAMES
    )
    selected, held = last.best_epoch, progress.best_epoch
    if held < selected:
        raise InputError(
            f"{folder / 'best'} must hold epoch {selected}, the best of the "
            f"run. Received: {f'epoch {held}' if best else 'nothing'}. Put the "
            "folder back, or delete the run directory to start again."
        )


def _recorded_progress(folder: Path) -> tuple[str | None, Progress]:
    """Reads the checkpoint of a folder's record; that of step 0 without one.

    A training that goes on may replace it meanwhile: then the new one is read.
    """
    while path := recorded(folder):
        try:
            return path, read_progress(path)
        except InputError:
            if recorded(folder) == path:
                raise
    return None, Progress()


def read_progress(path: str) -> Progress:
    """Reads how far a run had got at a checkpoint.

    Raises:
        InputError: If the checkpoint cannot be read.
    """
    progress = Progress()
    try:
        reader = tf.train.load_checkpoint(path)
        progress.deserialize(reader.get_tensor(_PROGRESS))
    except (tf.errors.OpError, ValueError, IndexError) as error:
        raise _unreadable(path) from error
    return progress


def selected_checkpoint(folder: Path) -> str:
    """Returns the checkpoint that a run selected: the best, else the last.

    Args:
        folder: `checkpoints` in the run directory.

    Raises:
        InputError: If there is none, or it is not the one that was selected.
    """
    _check(folder)
    path = recorded(folder / "best") or recorded(folder / "last")
    if not path:
        raise InputError(
            f"{folder} holds no checkpoint yet. Train the run first: "
            "`python -m tfrec.train`."
        )
    return path


def _restore(checkpoint: tf.train.Checkpoint, path: str) -> None:
    try:
        status = checkpoint.restore(path)
        status.assert_existing_objects_matched().expect_partial()
    except (tf.errors.OpError, AssertionError, ValueError) as error:
        raise _unreadable(path) from error


def _unreadable(path: str) -> InputError:
    return InputError(
        f"The checkpoint {path} is damaged or belongs to another model. Where "
        "it is the last, delete its folder to go on from the best; otherwise "
        "delete the run directory to start again."
    )
