import json
import shlex

import pytest

import tfrec
from tfrec.data.config import DataConfig
from tfrec.data.manifest import FORMAT_VERSION, Manifest, data_checksum
from tfrec.errors import InputError


def split(*shards, **counts):
    """Returns an entry of `splits` with shards of one record."""
    return {
        "records": len(shards),
        "tokens": 9,
        "max_length": 5,
        "shards": [
            {"file": name, "records": 1, "bytes": 1, "sha256": name}
            for name in shards
        ],
        **counts,
    }


def example(**changes):
    held = {"targets": 1, "targets_in_history": 0, "unseen_targets": 0}
    values = {
        "source": "ml-1m",
        "settings": {"protocol": "holdout", "test_fraction": 0.2},
        "counts": [
            {"step": "raw", "interactions": 9, "sequences": 2, "items": 5}
        ],
        "mean_length": 4.5,
        "density": 0.9,
        "splits": {
            "train": split("a", "b"),
            "validation": split("c", **held),
            "test": split("d", **held),
        },
        "data_checksum": "3",
    }
    return Manifest(**{**values, **changes})


def edit(folder, change, keep_seal=False):
    """Changes a saved manifest as an editor would."""
    path = folder / "manifest.json"
    values = json.loads(path.read_text())
    if not keep_seal:  # As an earlier tfrec wrote it.
        del values["checksum"]
    change(values)
    path.write_text(json.dumps(values))


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
    edit(tmp_path, lambda values: values.update(counters=[]))
    with pytest.raises(InputError, match="missing or unknown counters"):
        Manifest.load(tmp_path)
    edit(tmp_path, lambda values: values.pop("splits"), keep_seal=True)
    with pytest.raises(InputError, match=r"json.*`splits` is missing"):
        Manifest.load(tmp_path)


def put(*path, value):
    """Returns an edit: puts a value where a path leads."""

    def change(values):
        for key in path[:-1]:
            values = values[key]
        values[path[-1]] = value

    return change


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (put("splits", value=5), r"`splits` must be an object. Received: 5"),
        (put("splits", value=[]), r"`splits` must be an object"),
        (put("settings", value=None), r"`settings` must be an object"),
        (put("settings", "protocol", value="zzz"), r"holdout.*Received: zzz"),
        (put("settings", "protokoll", value=1), r"Did you mean 'protocol'"),
        (put("splits", "test", value=None), r"`splits.test` must be"),
        (lambda v: v["splits"].pop("train"), r"`splits.train` is missing"),
        (put("log", value={"files": []}), r"`log.clock` is missing"),
        (
            # A file of another folder would be read.
            put(
                "log",
                value={"files": [{"file": "../x"}], "clock": "", "day": None},
            ),
            r"`log.files\[0\].file` must be the name of a file",
        ),
        (
            put("splits", "tets", value={}),
            r"train, validation, test. Rec.*tets",
        ),
        (lambda v: v["splits"]["train"].pop("shards"), r"train.shards` is mi"),
        (lambda v: v["splits"]["train"]["shards"].pop(), r"its 2 records.*: 1"),
        (put("splits", "test", "shards", value=[7]), r"test.shards\[0\]` must"),
        (put("splits", "test", "targets", value=-1), r"an integer from 0"),
        (put("counts", value=[{}]), r"`counts\[0\].step` is missing"),
        (put("density", value="a"), r"`density` must be a number"),
        (put("files", value=["a"]), r"`files` must be an object"),
        *[
            (
                put("splits", "train", "shards", 0, "file", value=name),
                r"shards\[0\].file` must be the name of a file in the folder",
            )
            for name in ("../outside.tfrecord", "/etc/passwd", "..", "", 3)
        ],
    ],
)
def test_an_edited_manifest_is_refused_by_name(tmp_path, change, named):
    example().save(tmp_path)
    edit(tmp_path, change)
    with pytest.raises(InputError, match=rf"(?s)manifest\.json.*{named}"):
        Manifest.load(tmp_path)


def test_a_value_of_the_right_form_is_no_less_found(tmp_path):
    example().save(tmp_path)
    edit(tmp_path, put("settings", "test_fraction", value=0.3), keep_seal=True)
    with pytest.raises(InputError, match="changed after it was written"):
        Manifest.load(tmp_path)


def test_no_flipped_bit_gives_another_manifest(tmp_path):
    example().save(tmp_path)
    path = tmp_path / "manifest.json"
    content = path.read_bytes()
    for place in range(0, len(content), 7):
        damaged = bytearray(content)
        damaged[place] ^= 1 << (place % 8)
        path.write_bytes(damaged)
        try:
            assert Manifest.load(tmp_path) == example()
        except InputError as error:
            assert "manifest.json" in str(error)


def test_a_manifest_of_an_earlier_tfrec_has_no_checksums(tmp_path):
    example().save(tmp_path)
    edit(tmp_path, lambda values: values.pop("files"))
    assert Manifest.load(tmp_path) == example()


def test_the_data_checksum_depends_on_every_file_and_on_no_order():
    splits = {"train": split("a", "b")}
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
