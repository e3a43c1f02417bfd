"""What a run shows in TensorBoard."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf
from tensorboard.plugins import projector
from tensorboard.plugins.hparams import api as hparams

from tfrec.data import PreparedDataset
from tfrec.models import Recommender
from tfrec.training.checkpoints import optimizers
from tfrec.training.files import write_text, writing

# TensorBoard's projector loads them all into the browser.
_PROJECTED_ITEMS = 20_000

Diagnostics = Callable[[], tuple[dict[str, float], tf.Tensor]]


class Board:
    """Writes the events of a run.

    Tags: `objective/<term>`, `validation/<metric>`, `latent/corr`,
    `latent/active_units`, `latent/samples` (histogram), `speed/<rate>`,
    `learning_rate/<optimizer>`, `configuration` (text) and HParams, all over
    training steps; and the projector's item embeddings.

    Args:
        folder: `tensorboard` in the run directory.
        model: A compiled model.
        diagnostics: Measures the latents; None for a model without any.
    """

    def __init__(
        self,
        folder: Path,
        model: Recommender,
        diagnostics: Diagnostics | None = None,
    ):
        self._folder = folder
        self._model = model
        self._diagnostics = diagnostics
        with writing(folder):
            self._writer = tf.summary.create_file_writer(str(folder))

    def configuration(self, sections: dict[str, dict[str, Any]]) -> None:
        """Writes the settings, as text and as hyper-parameters.

        Args:
            sections: Settings by the name of their concern.
        """
        text = json.dumps(sections, indent=2)
        flat = {
            f"{section}.{name}": value
            if isinstance(value, (bool, int, float, str))
            else json.dumps(value)
            for section, settings in sections.items()
            for name, value in settings.items()
        }
        with writing(self._folder), self._writer.as_default(step=0):
            # Indented lines are code in Markdown.
            lines = text.replace("\n", "\n    ")
            tf.summary.text("configuration", f"    {lines}")
            hparams.hparams(flat)
            self._writer.flush()

    def epoch(self, row: dict[str, Any]) -> None:
        """Writes the numbers of an epoch, and adds the diagnostics to them.

        Args:
            row: `epoch`, `step`, the terms of the objective, `val_<metric>`
                and rates named `<unit>_per_second`.
        """
        with writing(self._folder), self._writer.as_default(step=row["step"]):
            for name, value in row.items():
                tag = _tag(name)
                if tag:
                    tf.summary.scalar(tag, value)
            for name, rate in learning_rates(self._model).items():
                tf.summary.scalar(f"learning_rate/{name}", rate)
            if self._diagnostics:
                numbers, latents = self._diagnostics()
                for name, value in numbers.items():
                    tf.summary.scalar(f"latent/{name}", value)
                tf.summary.histogram("latent/samples", latents)
                row |= numbers
            self._writer.flush()

    def test(self, metrics: dict[str, float], step: int) -> None:
        """Writes the metrics of the test split."""
        with writing(self._folder), self._writer.as_default(step=step):
            for name, value in metrics.items():
                tf.summary.scalar(f"test/{name}", value)
            self._writer.flush()

    def project(self, data: PreparedDataset) -> None:
        """Writes the item embeddings, named by title, for the projector.

        Does nothing for a model without a layer `embedding`.
        """
        layer = getattr(self._model, "embedding", None)
        if layer is None:
            return
        items = data.vocabulary.items[:_PROJECTED_ITEMS]
        # Row 0 is padding.
        vectors = keras.ops.convert_to_numpy(layer.embeddings)[1:]
        write_text(
            self._folder / "item_embedding.tsv",
            "".join(
                "\t".join(f"{x:.6g}" for x in vector) + "\n"
                for vector in vectors[: len(items)]
            ),
        )
        write_text(
            self._folder / "items.tsv",
            "item\ttitle\n"
            + "".join(f"{i}\t{data.titles.get(i, i)}\n" for i in items),
        )
        shown = projector.EmbeddingInfo(
            tensor_name="item_embedding",
            tensor_path="item_embedding.tsv",
            metadata_path="items.tsv",
        )
        with writing(self._folder):
            projector.visualize_embeddings(
                str(self._folder), projector.ProjectorConfig(embeddings=[shown])
            )


def _tag(name: str) -> str | None:
    """Returns the tag of a row's number; None for what is no number."""
    if name in ("epoch", "step"):
        return None
    if name.startswith("val_"):
        return f"validation/{name.removeprefix('val_')}"
    if name.endswith("_per_second"):
        return f"speed/{name}"
    return f"objective/{name}"


def learning_rates(model: Recommender) -> dict[str, float]:
    """Returns the learning rate of each optimizer at this step."""
    return {
        name: float(optimizer.learning_rate)
        for name, optimizer in optimizers(model).items()
    }
