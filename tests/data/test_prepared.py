import dataclasses
import warnings

import pytest
import tensorflow as tf

from tests.prepared import prepare_sequences
from tfrec.data.manifest import Manifest
from tfrec.data.prepared import PreparedDataset
from tfrec.data.protocols.holdout import Holdout
from tfrec.errors import InputError, InputWarning


@pytest.fixture
def data(tmp_path):
    return prepare_sequences(
        tmp_path,
        train=[[1, 2, 3], [4, 5]] * 50,
        validation=[([1, 2, 3], [4])],
        tails=[[4], []] * 50,
        num_items=7,
    )


def first_shard(data, split="train"):
    return data.data_dir / data.manifest.splits[split]["shards"][0]["file"]


def damage(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def test_open_gives_vocabulary_titles_and_protocol(data):
    opened = PreparedDataset.open(str(data.data_dir))
    assert opened.num_items == opened.vocabulary.size == 7
    assert opened.titles["item 7"] == "Title 7"
    assert isinstance(opened.protocol, Holdout)
    assert (opened.protocol.name, opened.protocol.exclude_history) == (
        "holdout",
        True,
    )
    opened.verify()


def test_a_source_without_titles_has_none(data):
    (data.data_dir / "titles.tsv").unlink()
    dataclasses.replace(data.manifest, files={}).save(data.data_dir)
    assert PreparedDataset.open(data.data_dir).titles == {}


@pytest.mark.parametrize(
    ("protocol", "rank_history", "expected"),
    [
        ("holdout", False, "holdout 0.2, history excluded, 3 users"),
        ("leave_one_out", False, "leave_one_out, history excluded, 3 users"),
        ("leave_one_out", True, "leave_one_out, history ranked, 3 users"),
        ("temporal", False, "temporal 0.9, history excluded, 3 users"),
    ],
)
def test_a_protocol_describes_itself(
    tmp_path, protocol, rank_history, expected
):
    data = prepare_sequences(
        tmp_path,
        [[1, 2]],
        test=[([1], [2])] * 3,
        protocol=protocol,
        rank_history=rank_history,
    )
    assert data.describe("test") == expected


def test_what_is_never_seen_in_training_is_described(tmp_path):
    data = prepare_sequences(
        tmp_path,
        [[1, 2]],
        test=[([1], [2, 3, 4, 4]), ([2], [1])],
        num_items=2,
        protocol="temporal",
    )
    assert data.describe("test") == (
        "temporal 0.9, history excluded, 2 users, 2 of 4 targets never seen in "
        "training"
    )
    (batch,) = data.evaluation("test").as_numpy_iterator()
    # Two items that can only be missed.
    assert batch.targets.tolist() == [[2, 3, 3], [1, 0, 0]]


@pytest.fixture
def sessions(tmp_path):
    return prepare_sequences(
        tmp_path,
        train=[[1, 2, 3], [4, 5]] * 10,
        validation=[([6, 6], [])] * 3,
        test=[([8, 1, 8], []), ([1, 2], [])],
        num_items=7,
        protocol="next_click",
    )


def test_with_whole_sessions_the_examples_are_clicks(sessions):
    assert sessions.examples("test") == 3
    assert sessions.examples("validation") == 3
    expected = "next_click, history ranked, 3 clicks"
    assert sessions.describe("validation") == expected
    expected += ", 1 never seen in training"
    assert sessions.describe("test") == expected


def test_fit_on_all_reads_the_validation_sessions(sessions):
    def read(fit_on):
        stream = sessions.training(batch_size=2, fit_on=fit_on)
        batches = list(stream.as_numpy_iterator())
        assert len(batches) == sessions.steps_per_epoch(2, fit_on)
        rows = [row[row > 0].tolist() for b in batches for row in b.items]
        return sorted(rows)

    train = sorted([[1, 2, 3], [4, 5]] * 10)
    assert read("train") == train
    assert read("all") == sorted([*train, *[[6, 6]] * 3])


def test_open_refuses_a_truncated_shard(data):
    path = first_shard(data)
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(InputError, match=rf"{path.name}.*record 50"):
        PreparedDataset.open(data.data_dir)


def test_open_refuses_another_format_version(data):
    dataclasses.replace(data.manifest, format_version=99).save(data.data_dir)
    with pytest.raises(InputError, match="format version 99"):
        PreparedDataset.open(data.data_dir)


def test_verify_finds_a_corrupt_shard(data):
    damage(first_shard(data))
    opened = PreparedDataset.open(data.data_dir)
    with pytest.raises(InputError, match=rf"{first_shard(data).name}.*record"):
        opened.verify()


@pytest.mark.parametrize("earlier", [False, True])
@pytest.mark.parametrize(
    ("name", "text", "other"),
    [("items.txt", "item 7", "item 8"), ("users.txt", "u7\n", "x7\n")],
)
def test_open_finds_a_changed_vocabulary(data, name, text, other, earlier):
    if earlier:  # Whose manifest has but one checksum of all.
        dataclasses.replace(data.manifest, files={}).save(data.data_dir)
    path = data.data_dir / name
    path.write_text(path.read_text().replace(text, other))
    with pytest.raises(InputError, match=rf"{name}.*was changed"):
        PreparedDataset.open(data.data_dir)
    path.unlink()
    with pytest.raises(InputError, match=rf"{name} cannot be read"):
        PreparedDataset.open(data.data_dir)


def test_open_finds_a_title_that_is_no_text(data):
    path = data.data_dir / "titles.tsv"
    path.write_bytes(path.read_bytes().replace(b"Title 7", b"Title \xb7"))
    with pytest.raises(InputError, match=r"titles\.tsv, line 7 must be UTF-8"):
        PreparedDataset.open(data.data_dir)


def test_open_warns_of_other_titles_but_not_of_more_columns(data):
    path = data.data_dir / "titles.tsv"
    lines = path.read_text().splitlines()
    path.write_text("".join(f"{line}\tblue\n" for line in lines))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert PreparedDataset.open(data.data_dir).columns
    path.write_text("\n".join(lines[1:]))
    with pytest.warns(InputWarning, match=r"titles\.tsv is not what the prep"):
        PreparedDataset.open(data.data_dir)


@pytest.mark.parametrize("harm", ["corrupt", "truncated", "missing"])
@pytest.mark.parametrize("split", ["train", "validation"])
def test_an_error_while_streaming_is_explained(data, harm, split):
    path = first_shard(data, split)
    if harm == "corrupt":
        damage(path)
    elif harm == "truncated":
        path.write_bytes(path.read_bytes()[:-1])
    else:
        path.unlink()
    stream = (
        data.training() if split == "train" else data.evaluation("validation")
    )
    with pytest.raises(tf.errors.OpError) as error:
        list(stream)
    explained = data.explain_read_error(error.value)
    assert isinstance(explained, InputError)
    assert path.name in str(explained)
    assert "prepare the dataset again" in str(explained)
    assert ("(record " in str(explained)) == (harm != "missing")


def test_an_error_with_another_cause_is_left_alone(data):
    damage(first_shard(data))
    assert data.explain_read_error(KeyError("x")) is None


def test_an_error_on_intact_shards_is_left_alone(data):
    error = tf.errors.ResourceExhaustedError(None, None, "no memory")
    assert data.explain_read_error(error) is None


def test_an_empty_split_is_named(data):
    with pytest.raises(InputError, match="no test sequences"):
        data.evaluation("test")


def test_an_unknown_split_is_an_error(data):
    with pytest.raises(InputError, match="Did you mean 'test'"):
        data.evaluation("tset")
    with pytest.raises(InputError, match="train or all"):
        data.training(fit_on="both")


@pytest.mark.parametrize(
    "argument", ["batch_size", "max_length", "epochs", "first_step"]
)
def test_arguments_out_of_range_are_named(data, argument):
    with pytest.raises(InputError, match=f"`{argument}` must be at least"):
        data.training(**{argument: -1})


def test_a_batch_size_below_one_is_refused(data):
    for use in (
        lambda: data.evaluation("validation", 0),
        lambda: data.steps_per_epoch(0),
    ):
        with pytest.raises(InputError, match="`batch_size`"):
            use()


def test_the_manifest_is_that_of_the_folder(data):
    assert Manifest.load(data.data_dir) == data.manifest
