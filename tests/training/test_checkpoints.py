import dataclasses
import json
import shutil
import subprocess

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.toy import Toy
from tfrec.batches import TrainingBatch
from tfrec.errors import InputError
from tfrec.models import ACVAE, ACVAEConfig
from tfrec.training import checkpoints
from tfrec.training.checkpoint_records import recorded
from tfrec.training.checkpoints import (
    Checkpoints,
    Progress,
    newest_checkpoint,
    read_progress,
    restore_model,
)


def toy(num_items=5):
    model = Toy(num_items)
    model.compile(cutoffs=(5,))
    return model


def every_variable(model):
    return [
        *model.variables,
        *model.metrics_variables,
        *(v for o in model.optimizers.values() for v in o.variables),
    ]


def step(model):
    model.train_step(TrainingBatch.of(tf.constant([[1, 2, 3]])))


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "checkpoints"


def test_everything_that_a_step_depends_on_is_restored(folder):
    model, progress = (
        toy(),
        Progress(step=3, best=0.1, epochs=[{"loss": 1 / 3}]),
    )
    step(model)
    Checkpoints(folder, model, progress).save("last")
    keras.utils.set_random_seed(7)
    other, restored = toy(), Progress()
    Checkpoints(folder, other, restored).restore_newest()
    assert dataclasses.asdict(restored) == dataclasses.asdict(progress)
    for _ in range(2):
        for a, b in zip(
            every_variable(model), every_variable(other), strict=True
        ):
            np.testing.assert_array_equal(a, b, a.path)
        step(model)
        step(other)


def test_a_checkpoint_holds_every_variable_of_acvae(folder):
    """Random states, all three optimizers, layers in lists."""

    def make():
        model = ACVAE(5, ACVAEConfig(embedding_dim=2, latent_dim=2))
        model.compile()
        return model

    model = make()
    for index, variable in enumerate(every_variable(model)):
        variable.assign(tf.cast(tf.fill(variable.shape, index), variable.dtype))
    Checkpoints(folder, model, Progress()).save("last")
    other = make()
    Checkpoints(folder, other, Progress()).restore_newest()
    for index, variable in enumerate(every_variable(other)):
        assert np.all(np.array(variable) == index), variable.path


def test_the_newest_has_the_most_steps_and_last_wins_a_tie(folder):
    progress = Progress(step=1)
    checkpoints = Checkpoints(folder, toy(), progress)
    assert newest_checkpoint(folder) is None
    checkpoints.save("last")
    progress.step = 2
    checkpoints.save("best")
    assert "best" in newest_checkpoint(folder)
    checkpoints.save("last")
    assert "last" in newest_checkpoint(folder)
    assert read_progress(newest_checkpoint(folder)).step == 2


def test_one_of_each_is_kept(folder):
    checkpoints = Checkpoints(folder, toy(), Progress())
    for _ in range(3):
        checkpoints.save("last")
        checkpoints.save("best")
    assert len(list(folder.glob("*/*.index"))) == 2


def test_the_best_weights_are_those_of_the_run(folder):
    model, other = toy(), toy()
    checkpoints = Checkpoints(folder, model, Progress())
    checkpoints.save("last")
    restore_model(folder, other)
    np.testing.assert_array_equal(other.scale, 1.0)
    model.scale.assign(2.0)
    checkpoints.save("best")
    model.scale.assign(3.0)
    checkpoints.save("last")
    restore_model(folder, other)
    np.testing.assert_array_equal(other.scale, 2.0)


def test_a_kill_while_writing_leaves_the_checkpoint_before(folder, monkeypatch):
    progress = Progress(step=1)
    checkpoints = Checkpoints(folder, toy(), progress)
    checkpoints.save("last")

    class Killed(BaseException):
        pass

    def die(*args, **kwargs):
        raise Killed

    # The new files are complete, but the record still names the old ones.
    with monkeypatch.context() as patch:
        patch.setattr(tf.train.CheckpointManager, "_record_state", die)
        progress.step = 2
        with pytest.raises(Killed):
            checkpoints.save("last")
    assert len(list(folder.glob("last/*.index"))) == 2
    restored = Progress()
    again = Checkpoints(folder, toy(), restored)
    again.restore_newest()
    assert restored.step == 1
    again.save("last")
    again.restore_newest()


def saved(folder):
    """Saves `best` after step 1, `last` after step 2."""
    progress = Progress(step=1, best=0.5, best_epoch=1)
    checkpoints = Checkpoints(folder, toy(), progress)
    checkpoints.save("best")
    progress.step = 2
    checkpoints.save("last")


def test_every_flipped_byte_of_a_record_is_found_or_harmless(folder):
    saved(folder)
    # What a kill may have left there, and a digit away.
    for each in folder.glob("last/checkpoint-2*"):
        shutil.copy(each, each.with_name(each.name.replace("-2", "-0")))
    for name, held in (("last", "checkpoint-2"), ("best", "checkpoint-1")):
        record = folder / name / "checkpoint"
        whole = record.read_bytes()
        found = 0
        for place in range(len(whole)):
            damaged = bytearray(whole)
            damaged[place] ^= 1 << (place % 8)
            record.write_bytes(damaged)
            try:
                assert recorded(folder / name).endswith(f"{name}/{held}")
            except InputError as error:
                assert f"{name}/checkpoint is damaged" in str(error)
                found += 1
        assert found > 60
        record.write_bytes(whole)


@pytest.mark.parametrize("content", [b"", b"\xff", b"model_checkpoint_path: 1"])
@pytest.mark.parametrize("name", ["last", "best"])
def test_a_damaged_record_stops_resuming_and_using(folder, name, content):
    saved(folder)
    record = folder / name / "checkpoint"
    record.write_bytes(content)
    for use in (
        lambda: Checkpoints(folder, toy(), Progress()),
        lambda: restore_model(folder, toy()),
        lambda: newest_checkpoint(folder),
    ):
        with pytest.raises(InputError, match=f"{name}/checkpoint is damaged"):
            use()
    # The message has the command that mends it.
    with pytest.raises(InputError) as error:
        recorded(folder / name)
    subprocess.run(str(error.value).split("`")[1], shell=True, check=True)
    assert newest_checkpoint(folder).endswith("last/checkpoint-2")
    restore_model(folder, toy())


def test_records_that_are_gone_are_no_new_run(folder):
    saved(folder)
    (folder / "best" / "checkpoint").unlink()
    with pytest.raises(InputError, match="best/checkpoint is gone"):
        restore_model(folder, toy())
    shutil.rmtree(folder / "best")
    with pytest.raises(InputError, match=r"best must hold epoch 1.*nothing"):
        restore_model(folder, toy())
    (folder / "last" / "checkpoint").unlink()
    with pytest.raises(InputError, match="last/checkpoint is gone"):
        Checkpoints(folder, toy(), Progress())


def test_another_best_than_was_chosen_is_refused(folder):
    saved(folder)
    shutil.copytree(folder / "best", folder / "before")
    progress = Progress()
    checkpoints = Checkpoints(folder, toy(), progress)
    checkpoints.restore_newest()
    progress.best_epoch = 2
    checkpoints.save("best")
    checkpoints.save("last")
    shutil.rmtree(folder / "best")
    (folder / "before").rename(folder / "best")
    with pytest.raises(InputError, match=r"epoch 2.*Received: epoch 1\."):
        restore_model(folder, toy())
    with pytest.raises(InputError, match="must hold epoch 2"):
        Checkpoints(folder, toy(), Progress())


def test_after_a_kill_between_the_two_saves_both_agree(folder):
    progress = Progress(step=1)
    checkpoints = Checkpoints(folder, toy(), progress)
    checkpoints.save("last")
    progress.step, progress.best_epoch = 2, 1
    checkpoints.save("best")
    restored = Progress()
    Checkpoints(folder, toy(), restored).restore_newest()
    assert restored.step == 2
    assert read_progress(recorded(folder / "last")).step == 2
    assert read_progress(recorded(folder / "best")).step == 2


def test_what_kills_left_is_deleted(folder):
    saved(folder)
    held = sorted(folder.glob("*/*"))
    for name in ("checkpoint-9_temp", "checkpoint-8.index", "checkpoint.tmp1"):
        for kind in ("last", "best"):
            path = folder / kind / name
            if name.endswith("_temp"):
                path.mkdir()
                path = path / "part-00000"
            path.touch()
    restored = Progress()
    Checkpoints(folder, toy(), restored).restore_newest()
    assert restored.step == 2
    assert sorted(folder.glob("*/*")) == held


def test_a_kill_during_the_first_save_leaves_no_run(folder, monkeypatch):
    checkpoints = Checkpoints(folder, toy(), Progress(step=1))
    with monkeypatch.context() as patch:
        patch.setattr(
            tf.train.CheckpointManager, "_record_state", lambda self: None
        )
        checkpoints.save("last")
    assert len(list(folder.glob("last/*.index"))) == 1
    restored = Progress()
    Checkpoints(folder, toy(), restored).restore_newest()
    assert restored.step == 0
    assert not list(folder.glob("last/*"))


def test_a_weight_that_is_not_finite_is_not_saved(folder):
    model = toy()
    checkpoints = Checkpoints(folder, model, Progress(step=1))
    checkpoints.save("last")
    before = newest_checkpoint(folder)
    model.scale.assign(np.inf)
    with pytest.raises(InputError, match="weight toy/scale is not finite"):
        checkpoints.save("last")
    assert newest_checkpoint(folder) == before


def test_a_damaged_checkpoint_is_named(folder):
    Checkpoints(folder, toy(), Progress(step=1)).save("last")
    (data,) = folder.glob("last/*.data*")
    data.write_bytes(data.read_bytes()[:20])
    with pytest.raises(InputError, match="checkpoint-1 is damaged or belongs"):
        Checkpoints(folder, toy(), Progress()).restore_newest()


def test_a_checkpoint_that_is_replaced_meanwhile_is_read_anew(
    folder, monkeypatch
):
    progress = Progress(step=1)
    saved = Checkpoints(folder, toy(), progress)
    saved.save("last")
    read = checkpoints.read_progress

    def later(path):
        if progress.step == 1:
            progress.step = 2
            saved.save("last")
        return read(path)

    monkeypatch.setattr(checkpoints, "read_progress", later)
    assert read(newest_checkpoint(folder)).step == 2


def test_a_model_with_other_variables_is_refused(folder):
    Checkpoints(folder, toy(), Progress(step=1)).save("best")
    with pytest.raises(InputError, match="damaged or belongs to another model"):
        restore_model(folder, toy(num_items=6))
    smaller = Toy(5)
    smaller.extra = smaller.add_weight(shape=(), name="extra")
    with pytest.raises(InputError, match="damaged or belongs to another model"):
        restore_model(folder, smaller)


def test_a_run_without_checkpoint_is_reported(folder):
    with pytest.raises(InputError, match="holds no checkpoint yet"):
        restore_model(folder, toy())


def test_progress_is_json_and_exact():
    progress = Progress(step=5, best=0.1 + 0.2, epochs=[{"loss": 1e-17}])
    other = Progress()
    other.deserialize(progress.serialize().encode())
    assert dataclasses.asdict(other) == dataclasses.asdict(progress)
    json.loads(progress.serialize())
