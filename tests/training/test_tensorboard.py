"""What TensorBoard gets, read back as TensorBoard reads it."""

import json
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from google.protobuf import text_format
from tensorboard.backend.event_processing.event_accumulator import (
    EventAccumulator,
)
from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData
from tensorboard.plugins.projector import ProjectorConfig

from tests.toy import Toy
from tfrec.models import Pop
from tfrec.training import TrainingConfig, load_run
from tfrec.training.tensorboard import Board


def read(folder):
    events = EventAccumulator(str(folder), size_guidance={"tensors": 0})
    events.Reload()
    return events


@pytest.fixture(scope="module")
def folder(finished_run):
    return Path(finished_run.run_dir, "tensorboard")


@pytest.fixture(scope="module")
def events(folder):
    return read(folder)


def scalars(events, tag):
    return {
        event.step: float(tf.make_ndarray(event.tensor_proto))
        for event in events.Tensors(tag)
    }


def test_every_number_of_an_epoch_is_there_by_its_step(events, finished_run):
    tags = set(events.Tags()["tensors"])
    assert tags >= {
        "objective/loss",
        "objective/spread",
        "optimizer/model_learning_rate",
        "optimizer/scale_learning_rate",
        "posterior/corr",
        "posterior/active_units",
        "posterior/collapsed",
        "posterior/samples",
        "speed/tokens_per_second",
        "speed/steps_per_second",
        *(
            f"{group}{metric}@{k}"
            for group in ("metrics/val_", "test/")
            for metric in ("recall", "ndcg", "mrr")
            for k in (5, 10, 20)
        ),
    }
    assert list(scalars(events, "objective/loss")) == [4, 8, 12]
    rates = scalars(events, "optimizer/model_learning_rate")
    assert rates == pytest.approx({4: 0.05, 8: 0.05, 12: 0.05})
    numbers = json.loads(Path(finished_run.run_dir, "metrics.json").read_text())
    assert scalars(events, "test/ndcg@10") == pytest.approx(
        {12: numbers["metrics"]["ndcg@10"]}
    )
    best = 4 * numbers["best_epoch"]
    assert scalars(events, "metrics/val_ndcg@10")[best] == pytest.approx(
        numbers["validation"]["ndcg@10"]
    )


def test_the_histogram_holds_latents(events):
    (*_, last) = events.Tensors("posterior/samples")
    counts = tf.make_ndarray(last.tensor_proto)[:, 2]
    assert counts.sum() > 16 * 3


def test_the_configuration_is_there_as_text(events, finished_run):
    (event,) = events.Tensors("configuration/training")
    text = tf.make_ndarray(event.tensor_proto).item()
    assert json.loads(text) == finished_run.to_dict()
    (event,) = events.Tensors("configuration/model")
    text = tf.make_ndarray(event.tensor_proto).item()
    assert json.loads(text)["learning_rate"] == 0.05


def test_the_settings_are_hyper_parameters(events):
    content = events.summary_metadata["_hparams_/session_start_info"]
    found = HParamsPluginData.FromString(content.plugin_data.content)
    values = found.session_start_info.hparams
    assert values["batch_size"].number_value == 6
    assert values["learning_rate"].number_value == 0.05
    assert values["model"].string_value == "toy"


def test_the_projector_shows_the_selected_vectors_by_title(
    folder, finished_run, data
):
    config = text_format.Parse(
        (folder / "projector_config.pbtxt").read_text(), ProjectorConfig()
    )
    (shown,) = config.embeddings
    vectors = np.loadtxt(folder / shown.tensor_path)
    model = load_run(finished_run.run_dir).model
    np.testing.assert_allclose(
        vectors, model.embedding.embeddings[1:], rtol=1e-5
    )
    header, *rows = (folder / shown.metadata_path).read_text().splitlines()
    assert header.split("\t") == ["title", "item"]
    assert len(rows) == data.num_items
    assert rows[6] == "Title 7\titem 7"


def test_long_epochs_are_shown_on_the_way(tmp_path):
    model = Toy(3)
    model.compile()
    board = Board(tmp_path, model)
    board.step({"loss": 1.5}, 100)
    board.step({"loss": 1.25}, 200)
    board.epoch({"epoch": 1, "step": 250, "loss": 1.0, "val_ndcg@10": 0.5}, {})
    assert scalars(read(tmp_path), "objective/loss") == {
        100: 1.5,
        200: 1.25,
        250: 1.0,
    }


def test_a_model_without_vectors_is_not_projected(tmp_path, data):
    model = Pop(data.num_items)
    model.compile()
    board = Board(tmp_path, model)
    board.project(data)
    board.configuration(
        {
            "data": data.manifest.settings,
            "training": TrainingConfig().to_dict(),
            "model": model.config.to_dict(),
        }
    )
    assert not (tmp_path / "projector_config.pbtxt").exists()
