import errno
import os
import shutil
import threading
from pathlib import Path

import numpy as np
import pytest
from grpc import StatusCode
from tensorflow_serving.apis.get_model_status_pb2 import ModelVersionStatus
from tensorflow_serving.apis.model_pb2 import ModelSpec
from tensorflow_serving.config.model_server_config_pb2 import ModelConfig

from tests.serving.exports import write_version
from tfrec.errors import InputError, InputWarning
from tfrec.serving.checksums import write_checksums
from tfrec.serving.model_configs import FoundModels, find_models
from tfrec.serving.models import Models
from tfrec.serving.statuses import RequestError

AVAILABLE = ModelVersionStatus.AVAILABLE
END = ModelVersionStatus.END


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """A version to copy, which is faster than to export."""
    return write_version(tmp_path_factory.mktemp("exported"), 1)


@pytest.fixture
def folder(exported, tmp_path):
    """A folder of the model `toy` in its version 1."""
    shutil.copytree(exported, tmp_path / "toy" / "1")
    return tmp_path / "toy"


@pytest.fixture
def config(folder):
    return ModelConfig(name="toy", base_path=str(folder))


@pytest.fixture
def models(config):
    models = Models(lambda: [config])
    yield models
    models.close()


def states(models):
    return {
        status.version: status.state
        for status in models.status(ModelSpec(name="toy"))
    }


def answering(models, **spec):
    with models.use(ModelSpec(name="toy", **spec)) as servable:
        return servable.version


def add(folder, version):
    shutil.copytree(folder / "1", folder / f"tmp{version}")
    (folder / f"tmp{version}").rename(folder / str(version))


def test_the_newest_version_replaces_the_one_before(models, folder):
    assert answering(models) == 1
    add(folder, 2)
    add(folder, 10)
    models.poll()
    assert answering(models) == 10
    assert states(models) == {1: END, 10: AVAILABLE}
    shutil.rmtree(folder / "10")
    models.poll()
    assert answering(models) == 2
    assert states(models) == {1: END, 2: AVAILABLE, 10: END}


def test_a_version_is_closed_after_its_last_request(models, folder):
    add(folder, 2)
    with models.use(ModelSpec(name="toy")) as old:
        poll = threading.Thread(target=models.poll)
        poll.start()
        while answering(models) != 2:
            pass
        assert old.version == 1
        signature = old.signature("encode")
        assert poll.is_alive()
        history = {"history": np.array([["a"]], object)}
        assert old.run(signature, history, ["latent"])["latent"].shape == (1, 2)
    poll.join(10)
    assert states(models)[1] == END
    with pytest.raises(RequestError, match="closed"):
        old.run(signature, history, ["latent"])


def test_a_version_that_cannot_be_loaded_leaves_the_old_one(
    models, folder, capsys
):
    (folder / "2").mkdir()
    models.poll()
    models.poll()
    assert answering(models) == 1
    assert states(models) == {1: AVAILABLE, 2: END}
    status = models.status(ModelSpec(name="toy", version={"value": 2}))[0]
    assert status.status.error_code != 0
    assert "SavedModel" in status.status.error_message
    assert capsys.readouterr().err.count("Cannot load version 2 of toy") == 1
    # Tried again after its folder was away.
    (folder / "2").rmdir()
    models.poll()
    add(folder, 2)
    models.poll()
    assert answering(models) == 2


def test_half_of_a_copy_is_not_served_and_the_whole_is(models, folder, capsys):
    write_checksums(folder / "1")
    add(folder, 2)
    # Half of the list, as a copy may have it.
    path = folder / "2" / "SHA256SUMS"
    content = path.read_bytes()
    path.write_bytes(content[:100])
    models.poll()
    assert states(models) == {1: AVAILABLE, 2: END}
    (message,) = (
        status.status.error_message
        for status in models.status(ModelSpec(name="toy", version={"value": 2}))
    )
    assert message.startswith("2/SHA256SUMS, line 2 must be")
    assert str(folder) in capsys.readouterr().err
    # Each look finds more, then the same: only that is tried.
    for size in (110, 120):
        path.write_bytes(content[:size])
        models.poll()
    assert capsys.readouterr().err == ""
    path.write_bytes(content)
    models.poll()
    assert states(models) == {1: AVAILABLE, 2: END}
    models.poll()
    assert states(models) == {1: END, 2: AVAILABLE}


def test_a_load_error_tells_what_is_wrong(models, folder):
    add(folder, 2)
    path = folder / "2" / "variables" / "variables.index"
    path.write_bytes(b"nothing")
    models.poll()
    status = models.status(ModelSpec(name="toy", version={"value": 2}))[0]
    assert "sstable" in status.status.error_message


def test_names_that_no_client_could_ask_for_are_ignored(folder, tmp_path):
    os.mkdir(os.fsencode(tmp_path) + b"/\xff")
    os.mkdir(os.fsencode(tmp_path) + b"/\xff/1")
    os.mkdir(os.fsencode(folder) + b"/2\xff")
    (folder / str(2**63)).mkdir()
    (folder / ("9" * 200)).mkdir()
    models = Models(lambda: find_models(tmp_path))
    models.poll()
    assert states(models) == {1: AVAILABLE}
    models.close()
    named = os.fsdecode(os.fsencode(tmp_path) + b"/\xff")
    with pytest.raises(InputError, match="must be UTF-8"):
        find_models(Path(named))


def test_a_folder_that_cannot_be_read_is_left_out_and_said(
    folder, tmp_path, monkeypatch
):
    """For root, who runs some of the tests, there is no such folder."""
    (tmp_path / "lost+found").mkdir()
    listed = Path.iterdir

    def iterdir(path):
        if path.name == "lost+found":
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return listed(path)

    monkeypatch.setattr(Path, "iterdir", iterdir)
    with pytest.warns(InputWarning, match=r"lost\+found cannot be read: Perm"):
        models = Models(FoundModels(tmp_path))
    assert states(models) == {1: AVAILABLE}
    models.close()


@pytest.mark.parametrize("reason", [errno.EACCES, errno.ESTALE])
def test_what_is_served_stays_if_its_folder_cannot_be_read_any_more(
    folder, tmp_path, monkeypatch, capsys, reason
):
    models = Models(FoundModels(tmp_path))
    listed = Path.iterdir

    def iterdir(path):
        if path == folder:
            raise OSError(reason, os.strerror(reason), str(path))
        return listed(path)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "iterdir", iterdir)
        models.poll()
    assert states(models) == {1: AVAILABLE}
    assert "toy cannot be read: " in capsys.readouterr().err
    models.poll()
    assert states(models) == {1: AVAILABLE}
    models.close()


def test_no_error_ends_the_looks(models, monkeypatch, capsys):
    monkeypatch.setattr(
        "tfrec.serving.models.wanted_versions", lambda *_: 1 / 0
    )
    models.poll()
    assert answering(models) == 1
    assert "ZeroDivisionError" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        ({}, {3}),
        ({"latest": {"num_versions": 2}}, {2, 3}),
        ({"all": {}}, {1, 2, 3}),
        ({"specific": {"versions": [1, 3, 9]}}, {1, 3}),
    ],
)
def test_the_policy_chooses_versions(models, folder, config, policy, expected):
    add(folder, 2)
    add(folder, 3)
    config.MergeFrom(ModelConfig(model_version_policy=policy))
    models.poll()
    assert {n for n, s in states(models).items() if s == AVAILABLE} == expected
    assert answering(models) == 3


def test_labels_move_with_the_configuration(models, folder, config):
    add(folder, 2)
    config.MergeFrom(ModelConfig(model_version_policy={"all": {}}))
    config.version_labels["stable"] = 1
    models.poll()
    assert answering(models, version_label="stable") == 1
    config.version_labels["stable"] = 2
    models.poll()
    assert answering(models, version_label="stable") == 2
    config.version_labels["stable"] = 5
    models.poll()
    with pytest.raises(RequestError) as error:
        answering(models, version_label="stable")
    assert error.value.code == StatusCode.NOT_FOUND


def test_a_model_that_is_no_longer_listed_is_unloaded(config):
    configs = [config]
    models = Models(lambda: configs)
    assert answering(models) == 1
    configs.clear()
    models.poll()
    assert states(models) == {1: END}
    with pytest.raises(RequestError) as error:
        answering(models)
    assert error.value.code == StatusCode.NOT_FOUND


def test_a_configuration_that_cannot_be_read_changes_nothing(config, capsys):
    errors = []

    def read():
        if errors:
            raise errors[0]
        return [config]

    models = Models(read)
    for error in (InputError("No such file."), OSError("disk")):
        errors[:] = [error]
        models.poll()
        models.poll()
        assert answering(models) == 1
        expected = f"{error} Serving on as before."
        assert capsys.readouterr().err.count(expected) == 1
    errors.clear()
    models.close()
