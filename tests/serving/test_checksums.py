import pytest
from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

from tfrec.errors import InputError
from tfrec.serving.checksums import check_checksums, write_checksums


@pytest.fixture
def version(tmp_path):
    """What stands for a SavedModel, with its checksums."""
    folder = tmp_path / "7"
    (folder / "assets").mkdir(parents=True)
    (folder / "assets" / "items.txt").write_text("a\nb\n")
    saved = SavedModel()
    saved.meta_graphs.add()
    (folder / "saved_model.pb").write_bytes(saved.SerializeToString())
    write_checksums(folder)
    return folder


def test_what_was_written_is_taken(version):
    check_checksums(version)
    # Who looks at a version may leave a file there.
    (version / "notes.txt").touch()
    check_checksums(version)


def test_a_version_of_another_origin_has_no_checksums(version):
    (version / "SHA256SUMS").unlink()
    (version / "saved_model.pb").write_bytes(b"")
    check_checksums(version)


@pytest.mark.parametrize("name", ["assets/items.txt", "saved_model.pb"])
def test_every_file_is_compared(version, name):
    path = version / name
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(InputError, match=f"{name} was changed: expected SHA"):
        check_checksums(version)
    path.unlink()
    with pytest.raises(InputError, match=f"{name} cannot be read"):
        check_checksums(version)


def test_the_list_is_whole(version):
    path = version / "SHA256SUMS"
    first, second = path.read_text().splitlines(keepends=True)
    path.write_text(first)
    with pytest.raises(InputError, match=r"must have 2 lines.*Received: 1\."):
        check_checksums(version)
    path.write_text(first + second[:-9])
    with pytest.raises(InputError, match="cannot be read"):
        check_checksums(version)
    path.write_text(first + second[:40])
    with pytest.raises(InputError, match="line 2 must be a checksum"):
        check_checksums(version)
    path.write_text(first + second.replace("saved", "../7/saved"))
    with pytest.raises(InputError, match="line 2 must be a checksum"):
        check_checksums(version)
    path.unlink()
    with pytest.raises(InputError, match=r"must have 2 lines.*Received: 0\."):
        check_checksums(version)
