import json
import shlex

import pytest

import tfrec
from tfrec.data.config import DataConfig
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


def test_an_old_dataset_names_the_command_that_prepares_it_anew(tmp_path):
    settings = DataConfig(
        dataset="csv", raw_dir="my log.csv", data_dir="elsewhere", threads=2
    ).to_dict()
    settings["drop_duplicates"] = True
    folder = tmp_path / "old data"
    folder.mkdir()
    example(format_version=1, settings={**settings, "forgotten": 3}).save(
        folder
    )
    with pytest.raises(InputError) as error:
        Manifest.load(folder)
    command = str(error.value).split("`")[1]
    program, *flags = shlex.split(command)[1:]
    assert (program, flags.pop(0)) == ("-m", "tfrec.prepare")
    assert sorted(flags) == [
        f"--data_dir={folder}",
        "--dataset=csv",
        "--drop_duplicates",
        "--raw_dir=my log.csv",
        "--threads=2",
    ]


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
    names = {"items.txt": "v", "users.txt": "w"}
    checksum = data_checksum(splits, names)
    assert len(checksum) == 64
    for name in names:
        assert data_checksum(splits, {**names, name: "x"}) != checksum
    shards = splits["train"]["shards"]
    backwards = {"train": {"shards": shards[::-1]}}
    assert data_checksum(backwards, names) == checksum
    changed = {"train": {"shards": [shards[0], {**shards[1], "sha256": "9"}]}}
    assert data_checksum(changed, names) != checksum
