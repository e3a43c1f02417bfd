import json

import pytest

import tfrec
from tfrec.data.manifest import FORMAT_VERSION, Manifest, data_checksum
from tfrec.errors import InputError


def example(**changes):
    values = {
        "source": "ml-1m",
        "settings": {"protocol": "holdout", "test_fraction": 0.2},
        "counts": [
            {"step": "raw", "interactions": 9, "sequences": 2, "items": 5}
        ],
        "mean_length": 4.5,
        "density": 0.9,
        "protocol": "holdout",
        "splits": {
            "train": {
                "records": 2,
                "tokens": 9,
                "max_length": 5,
                "shards": [
                    {"file": "a", "records": 1, "bytes": 1, "sha256": "1"},
                    {"file": "b", "records": 1, "bytes": 1, "sha256": "2"},
                ],
            }
        },
        "data_checksum": "3",
    }
    return Manifest(**{**values, **changes})


def test_what_is_saved_is_loaded(tmp_path):
    example().save(tmp_path)
    assert Manifest.load(tmp_path) == example()
    versions = Manifest.load(tmp_path).created_with
    assert versions["tfrec"] == tfrec.__version__
    assert {"python", "tensorflow", "duckdb"} <= versions.keys()


def test_another_format_version_is_refused(tmp_path):
    example(format_version=FORMAT_VERSION + 1).save(tmp_path)
    with pytest.raises(InputError) as error:
        Manifest.load(tmp_path)
    message = str(error.value)
    assert f"format version {FORMAT_VERSION + 1}" in message
    assert f"reads version {FORMAT_VERSION}" in message
    assert "Prepare the dataset again" in message


@pytest.mark.parametrize("folder", ["", "nowhere", "file"])
def test_a_folder_without_manifest_is_named(tmp_path, folder):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"--data_dir.*tfrec\.prepare"):
        Manifest.load(tmp_path / folder)


@pytest.mark.parametrize("content", ['{"format_ver', "[1, 2]", "\xff"])
def test_a_damaged_manifest_is_refused(tmp_path, content):
    (tmp_path / "manifest.json").write_text(content, encoding="latin-1")
    with pytest.raises(InputError, match=r"manifest\.json cannot be read"):
        Manifest.load(tmp_path)


def test_a_missing_or_unknown_field_is_named(tmp_path):
    example().save(tmp_path)
    path = tmp_path / "manifest.json"
    values = json.loads(path.read_text())
    del values["splits"]
    path.write_text(json.dumps({**values, "spilts": {}}))
    with pytest.raises(InputError, match="spilts, splits"):
        Manifest.load(tmp_path)


def test_the_data_checksum_depends_on_every_file_and_on_no_order():
    splits = example().splits
    checksum = data_checksum(splits, "v")
    assert len(checksum) == 64
    assert data_checksum(splits, "w") != checksum
    shards = splits["train"]["shards"]
    backwards = {"train": {"shards": shards[::-1]}}
    assert data_checksum(backwards, "v") == checksum
    changed = {"train": {"shards": [shards[0], {**shards[1], "sha256": "9"}]}}
    assert data_checksum(changed, "v") != checksum
