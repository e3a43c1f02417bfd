"""Runs that cannot go on say why."""

import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf

from tests.prepared import prepare_sequences
from tests.toy import Toy, entry, toy_data
from tfrec.errors import InputError
from tfrec.models import MODELS, VASER, VASERConfig
from tfrec.training import TrainingConfig, train
from tfrec.training.checkpoints import newest_checkpoint, read_progress
from tfrec.training.reading import divides_files


def test_divergence_names_step_and_term_and_keeps_the_checkpoint(
    data, settings, monkeypatch
):
    class Diverging(Toy):
        def train_step(self, batch):
            logs = super().train_step(batch)
            broken = self.optimizer.iterations >= 7
            logs["spread"] = tf.where(broken, np.nan, logs["spread"])
            return logs

    monkeypatch.setitem(MODELS, "toy", entry(Diverging))
    config = settings(checkpoint_minutes=0.0)
    with pytest.raises(InputError, match=r"at step 7: spread is nan\."):
        train(data, config)
    newest = newest_checkpoint(Path(config.run_dir, "checkpoints"))
    assert read_progress(newest).step == 6


def test_a_flow_that_diverges_is_told_by_its_terms(data, settings, monkeypatch):
    class Diverging(VASER):
        def train_step(self, batch):
            w = self.posterior.of_state.flows.w
            broken = tf.equal(self.optimizer.iterations, 6)
            second = tf.constant([[False], [True], [False]])
            w.assign(tf.where(second & broken, np.nan, w))
            return super().train_step(batch)

    monkeypatch.setitem(MODELS, "vaser", entry(Diverging, "vaser"))
    sizes = {"embedding_dim": 4, "gru_units": 3, "latent_dim": 3, "flows": 3}
    config = settings(model="vaser", checkpoint_minutes=0.0)
    pattern = (
        r"^Training diverged at step 7: .*log_det is nan.*`--learning_rate`"
    )
    with pytest.raises(InputError, match=pattern):
        train(data, config, VASERConfig(**sizes))
    newest = newest_checkpoint(Path(config.run_dir, "checkpoints"))
    assert read_progress(newest).step == 6


def test_weights_that_the_last_step_breaks_are_named(
    data, settings, monkeypatch
):
    class Diverging(Toy):
        def train_step(self, batch):
            found = super().train_step(batch)
            # An epoch has four steps; what a step returns is from before it.
            last = tf.equal(self.optimizer.iterations, 4)
            vectors = self.embedding.embeddings
            vectors.assign(tf.where(last, np.nan, vectors))
            return found

    monkeypatch.setitem(MODELS, "toy", entry(Diverging))
    pattern = "^Training diverged: the weight .*embeddings is not finite"
    with pytest.raises(InputError, match=pattern):
        train(data, settings())


def test_a_damaged_shard_met_while_training_is_named(settings, tmp_path):
    data = toy_data(tmp_path / "data")
    shard = sorted((tmp_path / "data").glob("train-*"))[1]
    content = bytearray(shard.read_bytes())
    content[len(content) // 2] ^= 0xFF
    shard.write_bytes(content)
    with pytest.raises(InputError, match=rf"{shard.name} is damaged \(record"):
        train(data, settings())


def test_a_missing_split_is_reported_before_the_training(settings, tmp_path):
    data = prepare_sequences(tmp_path / "data", [[1, 2, 3]] * 4)
    with pytest.raises(InputError, match="has no test sequences"):
        train(data, settings())


def test_a_folder_that_cannot_be_written_is_reported(data, settings, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"Cannot write .*file/run"):
        train(data, settings(run_dir=tmp_path / "file" / "run"))


def test_an_unknown_model_suggests_the_nearest(data):
    with pytest.raises(InputError, match="Did you mean 'acvae'"):
        train(data, TrainingConfig(model="acvea"))


def test_files_are_divided_among_as_many_workers_as_there_are_shards(
    data, settings
):
    def divides(workers, **changes):
        return divides_files(
            data, settings(**changes), SimpleNamespace(count=workers)
        )

    # There are two.
    assert not divides(1)
    assert divides(2)
    assert not divides(2, divide_input="rows")
    assert not divides(3)
    with pytest.raises(InputError, match=r"workers, 3\. .*, which has 2\."):
        divides(3, divide_input="files")
    with pytest.raises(InputError, match="means nothing with one worker"):
        divides(1, divide_input="files")


@pytest.mark.parametrize(
    ("protocol", "model", "pattern"),
    [
        ("holdout", "gru4rec", "--protocol=holdout, .*in no order of time"),
        ("next_click", "markov", "--model=markov, .* no weights of sequences"),
    ],
)
def test_recency_that_means_nothing_is_refused(
    protocol, model, pattern, settings, tmp_path
):
    data = prepare_sequences(
        tmp_path / "data", [[1, 2]], [([1, 2], [])], protocol=protocol
    )
    config = settings(model=model, recency=0.5, test=False)
    with pytest.raises(
        InputError, match="`--recency` means nothing.*" + pattern
    ):
        train(data, config)


def test_a_run_does_not_go_on_where_the_history_is_ranked_otherwise(
    settings, tmp_path
):
    excluded, ranked = (
        prepare_sequences(
            tmp_path / f"data-{rank_history}",
            train=[[1, 2, 3]] * 12,
            validation=[([1, 2], [3])] * 12,
            test=[([1, 2], [3])] * 12,
            rank_history=rank_history,
        )
        for rank_history in (False, True)
    )
    train(excluded, settings(epochs=1))
    with pytest.raises(InputError, match="--rank_history was False and is"):
        train(ranked, settings(epochs=2))


def test_a_finished_run_without_its_checkpoints_is_not_trained_anew(
    data, copied_run
):
    folder = Path(copied_run.run_dir)
    shutil.rmtree(folder / "checkpoints")
    with pytest.raises(InputError, match="whose checkpoints are gone"):
        train(data, copied_run)
    assert (folder / "metrics.json").exists()
