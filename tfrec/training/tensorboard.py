"""What a run shows in TensorBoard."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf
from tensorboard.plugins import projector
from tensorboard.plugins.hparams import api as hparams

from tfrec.data import DataConfig, PreparedDataset
from tfrec.models import Recommender
from tfrec.training.config import TrainingConfig
from tfrec.training.files import sweep, write_text, writing

# TensorBoard's projector loads them all into the browser.
_PROJECTED_ITEMS = 20_000
# A histogram takes 240 bytes for each number while it is made.
_HISTOGRAM_POSITIONS = 1000


class Board:
    """Writes the events of a run.

    Tags, all over training steps: `metrics/val_<metric>`, `objective/<term>`,
    `optimizer/<which>_learning_rate`, `posterior/corr`,
    `posterior/active_units`, `posterior/collapsed` (the share of the other
    units), `posterior/samples` (histogram), `speed/<rate>`, `test/<metric>`;
    `configuration/<concern>` (text) and HParams; and the projector's item
    vectors. TensorBoard sorts groups by name and opens the first two, hence
    `metrics` and `objective`.

    Args:
        folder: `tensorboard` in the run directory.
        model: A compiled model.
    """

    def __init__(self, folder: Path, model: Recommender):
        self._folder = folder
        self._model = model
        sweep(folder)
        with writing(folder):
            self._writer = tf.summary.create_file_writer(str(folder))

    def configuration(self, sections: dict[str, dict[str, Any]]) -> None:
        """Writes the settings, as text and as hyper-parameters.

        Args:
            sections: Settings of "data", "training" and "model".
        """
        # By the names of their flags; without places and the like, which
        # would fill the table.
        chosen = {
            **DataConfig.from_dict(sections["data"]).identity(),
            **TrainingConfig.from_dict(sections["training"]).identity(),
            **sections["model"],
        }
        flat = {
            name: value
            if isinstance(value, (bool, int, float, str))
            else json.dumps(value)
            for name, value in chosen.items()
        }
        with writing(self._folder), self._writer.as_default(step=0):
            for section, settings in sections.items():
                # Indented lines are code in Markdown.
                text = json.dumps(settings, indent=2).replace("\n", "\n    ")
                tf.summary.text(f"configuration/{section}", f"    {text}")
            hparams.hparams(flat, trial_id=str(self._folder.parent))
            self._writer.flush()

    def step(self, terms: Mapping[str, Any], step: int) -> None:
        """Writes the terms of the objective, and the learning rates.

        Args:
            terms: Means over the epoch so far.
            step: Training steps so far.
        """
        with writing(self._folder), self._writer.as_default(step=step):
            for name, value in terms.items():
                tf.summary.scalar(f"objective/{name}", value)
            for name, optimizer in self._model.optimizers.items():
                tf.summary.scalar(
                    f"optimizer/{name}_learning_rate",
                    # A variable with a copy on each device under a strategy.
                    tf.convert_to_tensor(optimizer.learning_rate),
                )

    def epoch(
        self,
        row: Mapping[str, Any],
        posterior: Mapping[str, float],
        latents: tf.Tensor | None = None,
    ) -> None:
        """Writes the numbers of an epoch.

        Args:
            row: `epoch`, `step`, the terms of the objective, `val_<metric>`
                and rates named `<unit>_per_second`.
            posterior: What the latents were found to be.
            latents: A sample of them, float `[n, dim]`; None for a model
                without any.
        """
        groups = {"objective": {}, "metrics": {}, "speed": {}}
        groups["posterior"] = dict(posterior)
        for name, value in row.items():
            if name.startswith("val_"):
                groups["metrics"][name] = value
            elif name.endswith("_per_second"):
                groups["speed"][name] = value
            elif name not in ("epoch", "step"):
                groups["objective"][name] = value
        self.step(groups.pop("objective"), row["step"])
        with writing(self._folder), self._writer.as_default(step=row["step"]):
            if latents is not None:
                every = -(-latents.shape[0] // _HISTOGRAM_POSITIONS)
                tf.summary.histogram("posterior/samples", latents[::every])
            for group, numbers in groups.items():
                for name, value in numbers.items():
                    tf.summary.scalar(f"{group}/{name}", value)
            self._writer.flush()

    def test(self, metrics: dict[str, float], step: int) -> None:
        """Writes the metrics of the test split."""
        with writing(self._folder), self._writer.as_default(step=step):
            for name, value in metrics.items():
                tf.summary.scalar(f"test/{name}", value)
            self._writer.flush()

    def project(self, data: PreparedDataset) -> None:
        """Writes the item vectors, named by title, for the projector.

        TensorBoard shows the first by name. Does nothing for a model without
        any.
        """
        vectors = {
            name: keras.ops.convert_to_numpy(rows)
            for name, rows in self._model.item_vectors().items()
        }
        items = data.vocabulary.items[:_PROJECTED_ITEMS]
        shown = []
        for name, rows in vectors.items():
            write_text(
                self._folder / f"{name}.tsv",
                "".join(
                    "\t".join(f"{x:.6g}" for x in row) + "\n"
                    for row in rows[: len(items)]
                ),
            )
            shown.append(
                projector.EmbeddingInfo(
                    tensor_name=name,
                    tensor_path=f"{name}.tsv",
                    metadata_path="items.tsv",
                )
            )
        if not shown:
            return
        write_text(
            self._folder / "items.tsv",
            "title\titem\n"
            + "".join(f"{data.titles.get(i, i)}\t{i}\n" for i in items),
        )
        with writing(self._folder):
            projector.visualize_embeddings(
                str(self._folder), projector.ProjectorConfig(embeddings=shown)
            )
