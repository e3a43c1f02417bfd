"""A day that is added to a prepared log: as if all had been there at once."""

import dataclasses
import random
import shutil

import pyarrow as pa
import pytest

from tests.data.test_preparation import make_lines, names
from tfrec.data import DataConfig, PreparedDataset, append, card, prepare
from tfrec.data.records import ShardWriter
from tfrec.errors import InputError, InputWarning

HEADER = "sequence,item,timestamp,stars"
# Filters that would keep and number other items if each day were filtered for
# itself, and a rule for rows that cannot be read.
FILTERED = {
    "rating_column": "stars",
    "min_item_count": 5,
    "min_sequence_length": 2,
    "bad_rows": "skip",
    "bad_rows_share": 0.1,
}
# Here the first events of the test are known only from the newest day.
TIMED = {
    "protocol": "temporal",
    "timestamps_per_second": 1,
    "test_quantile": 0.8,
    "min_sequence_length": 2,
    "drop_duplicates": True,
}


def make_days(fraction=""):
    """Lines of three days. Some are older than those of the day before.

    Args:
        fraction: What follows a time of the second day.
    """
    draw = random.Random(1)
    lines = [f"{line},{draw.randrange(3, 6)}" for line in make_lines()]
    first, second, third = lines[:90], lines[90:150], lines[150:]
    first, second = first[:70] + second[:9], first[70:] + second[9:]
    # New users and items, and an event of the first day once more.
    second += [f"new,i{n % 4},{999_000 + n},5" for n in range(8)]
    second += [first[0], first[0]]
    third += [f"u{n},late,{2_000_000 + n},5" for n in range(10)]
    second = [
        line.replace(",1000090,", f",1000090{fraction},") for line in second
    ]
    return first, second, third


def write(path, lines):
    path.parent.mkdir(exist_ok=True)
    path.write_text("\n".join([HEADER, *lines]) + "\n")


def found(data):
    """Returns what two datasets of one log have in common."""
    kept = (
        "source",
        "counts",
        "mean_length",
        "density",
        "splits",
        "data_checksum",
        "files",
        "short_sequences",
        "duplicates",
        "bad_rows",
    )
    return {name: getattr(data.manifest, name) for name in kept}


@pytest.fixture(scope="module")
def first_day(tmp_path_factory):
    """A folder that was prepared with its log; the raw file is gone."""
    folder = tmp_path_factory.mktemp("first")
    path = folder / "monday.csv"
    write(path, make_days()[0])
    config = DataConfig(
        dataset="csv",
        raw_dir=str(path),
        data_dir=str(folder / "monday"),
        keep_log=True,
        min_sequence_length=3,
        rank_history=True,
    )
    prepare(config)
    path.unlink()
    return config.data_path


@pytest.fixture
def monday(first_day, tmp_path):
    """That folder, under the name `monday`."""
    folder = tmp_path / "monday"
    shutil.copytree(first_day, folder)
    return PreparedDataset.open(folder)


def tuesday(folder, **given):
    """Appends the second day to the first."""
    path = folder / "tuesday.csv"
    if not path.exists():
        write(path, make_days()[1])
    given = {"raw_dir": path, "data_dir": folder / "tuesday", **given}
    return append(folder / "monday", **given)


@pytest.mark.filterwarnings("ignore::tfrec.errors.InputWarning")
@pytest.mark.parametrize(
    ("settings", "count", "fraction", "bad"),
    [(FILTERED, 2, "", ["u1,,5,5", "u1,i1,5,much"]), (TIMED, 3, ".25", [])],
)
def test_days_give_what_the_whole_log_gives(
    tmp_path, settings, count, fraction, bad
):
    raw, days = tmp_path / "raw", ("1.csv", "2.csv", "3.csv")[:count]
    for name, lines in zip(days, make_days(fraction), strict=False):
        write(raw / name, [*lines[:9], *bad, *lines[9:]])
    base = DataConfig(dataset="csv", **settings)

    def config(name, data_dir, **more):
        return dataclasses.replace(
            base,
            raw_dir=str(raw / name),
            data_dir=str(tmp_path / data_dir),
            **more,
        )

    whole = prepare(config("", "whole"))
    data = prepare(config(days[0], "1", keep_log=True))
    for number in range(2, count + 1):
        # What was read is not read again.
        (raw / days[number - 2]).unlink()
        data = append(
            tmp_path / str(number - 1),
            raw_dir=str(raw / days[number - 1]),
            data_dir=str(tmp_path / str(number)),
        )
    assert found(data) == found(whole)
    assert data.vocabulary.items == whole.vocabulary.items
    assert [file["file"] for file in data.manifest.raw_files] == [*days]
    assert whole.manifest.duplicates == 2
    assert whole.manifest.bad_rows.get("skipped", 0) == count * len(bad)
    data.verify()


def test_titles_of_both_are_known(tmp_path):
    ratings = [
        f"{n % 9}::{n * n % 23}::{4 + n % 2}::{978300760 + n // 7}\n"
        for n in range(200)
    ]
    for name, rows, movies in (
        ("old", ratings[:99], range(12)),
        ("new", ratings[99:], range(8, 23)),
        ("whole", ratings, range(23)),
    ):
        folder = tmp_path / f"raw-{name}"
        folder.mkdir()
        (folder / "ratings.dat").write_text("".join(rows))
        lines = [f"{n}::Café {n}::Drama|War\n" for n in movies]
        text = "".join(lines)
        (folder / "movies.dat").write_bytes(text.encode("latin-1"))

    def config(name):
        return DataConfig(
            dataset="ml-1m",
            raw_dir=str(tmp_path / f"raw-{name}"),
            data_dir=str(tmp_path / name),
            protocol="leave_one_out",
            rank_history=True,
            keep_log=name == "old",
        )

    whole = prepare(config("whole"))
    prepare(config("old"))
    data = append(
        tmp_path / "old",
        raw_dir=tmp_path / "raw-new",
        data_dir=tmp_path / "both",
    )
    assert found(data) == found(whole)
    assert data.titles == whole.titles
    assert data.columns == whole.columns
    assert "Café 18" in data.titles.values()


def test_a_table_can_be_the_new_day(tmp_path, monday):
    rows = [line.split(",") for line in make_days()[1]]
    columns = zip(*rows, strict=True)
    frame = pa.table(dict(zip(HEADER.split(","), columns, strict=True)))
    data = append(
        tmp_path / "monday", frame, data_dir=tmp_path / "from-a-table"
    )
    assert found(data) == found(tuesday(tmp_path))


def test_what_was_appended_is_opened_again(tmp_path, monday):
    data = tuesday(tmp_path)
    text = card(data)
    assert f"appended to {tmp_path / 'monday'}" in text
    assert "the log is kept" in text
    written = (data.data_dir / "manifest.json").stat()
    assert tuesday(tmp_path).manifest == data.manifest
    # As training asks for it: with its settings, and perhaps with its files.
    config = DataConfig.from_dict(data.manifest.settings)
    for raw_dir in ("", config.raw_dir):
        again = prepare(dataclasses.replace(config, raw_dir=raw_dir))
        assert again.data_dir == data.data_dir
    assert (data.data_dir / "manifest.json").stat() == written
    # Other rows in it are neither ignored nor prepared without the first day.
    other = tmp_path / "other.csv"
    write(other, make_days()[2])
    changed = dataclasses.replace(config, raw_dir=str(other))
    with pytest.raises(InputError, match=r"other\.csv is new.*`--append`"):
        prepare(changed)
    with pytest.warns(InputWarning, match=r"other\.csv is new"):
        kept = prepare(dataclasses.replace(changed, raw_changed="keep"))
    assert kept.data_dir == data.data_dir
    with pytest.raises(InputError, match="holds another dataset than that"):
        tuesday(tmp_path, raw_dir=other)


def test_a_day_is_not_appended_twice(tmp_path, monday):
    tuesday(tmp_path)
    copy = tmp_path / "copy.csv"
    copy.write_bytes((tmp_path / "tuesday.csv").read_bytes())
    with pytest.raises(
        InputError, match=r"copy\.csv; .*tuesday has it already, as tuesday\.c"
    ):
        append(
            tmp_path / "tuesday", raw_dir=copy, data_dir=tmp_path / "wednesday"
        )
    with pytest.raises(InputError, match=r"stands there twice, as copy\.csv"):
        append(
            tmp_path / "monday",
            raw_dir=tmp_path,
            raw_files="*.csv",
            data_dir=tmp_path / "wednesday",
        )
    assert not (tmp_path / "wednesday").exists()


@pytest.mark.parametrize(
    ("given", "pattern"),
    [
        (
            {"min_sequence_length": 5},
            "`--min_sequence_length` must be left out, or be what .*monday was "
            "prepared with: 3. .* Received: 5",
        ),
        ({"dataset": "yelp"}, "`--dataset` must be left out"),
        ({"raw_changed": "keep"}, "`--raw_changed` means nothing"),
        ({"synthetic_users": 9}, "`--synthetic_users` means nothing with"),
        ({"raw_dir": ""}, "`--raw_dir` must be given"),
        ({"raw_dir": "typo.csv"}, r"`--raw_dir` must be there.*typo\.csv"),
        ({"data_dir": ""}, "`--data_dir` must be a folder of its own"),
    ],
)
def test_settings_that_cannot_be_are_named(tmp_path, monday, given, pattern):
    with pytest.raises(InputError, match=pattern):
        tuesday(tmp_path, **given)
    assert names(tmp_path) == ["monday", "tuesday.csv"]


def test_a_setting_may_be_repeated(tmp_path, monday):
    data = tuesday(tmp_path, min_sequence_length=3, keep_log=False)
    assert not data.manifest.log
    with pytest.raises(InputError, match="without `--keep_log`") as error:
        append(data.data_dir, raw_dir="x.csv", data_dir=tmp_path / "x")
    assert (
        f"--append={tmp_path / 'monday'} --raw_dir={tmp_path / 'tuesday.csv'}"
        in str(error.value)
    )
    assert f"--data_dir={data.data_dir} --keep_log" in str(error.value)


def test_a_day_without_events_is_no_error(tmp_path):
    """Also where numbers would need a unit that ISO times must not have."""
    rows = [
        f"u{n % 9},i{n % 5},2024-01-{1 + n // 9:02d} 12:00:{n % 9:02d},5"
        for n in range(180)
    ]
    write(tmp_path / "days" / "one.csv", rows)
    write(tmp_path / "days" / "two.csv", [])
    config = DataConfig(
        dataset="csv",
        raw_dir=tmp_path / "days" / "one.csv",
        data_dir=tmp_path / "one",
        keep_log=True,
        protocol="temporal",
        test_quantile=0.8,
    )
    before = prepare(config)
    after = append(
        before.data_dir,
        raw_dir=tmp_path / "days" / "two.csv",
        data_dir=tmp_path / "two",
    )
    assert after.manifest.splits == before.manifest.splits


def test_times_of_another_kind_are_refused(tmp_path, monday):
    write(tmp_path / "tuesday.csv", ["u1,i1,2024-01-07,5"])
    with pytest.raises(InputError, match=r"tuesday\.csv.*: numbers.*ISO dates"):
        tuesday(tmp_path)


def test_a_log_that_was_changed_is_refused(tmp_path, monday):
    path = tmp_path / "monday" / "log.parquet"
    path.write_bytes(path.read_bytes()[::-1])
    with pytest.raises(InputError, match=r"log\.parquet is damaged"):
        tuesday(tmp_path)
    with pytest.raises(InputError, match=r"log\.parquet is damaged"):
        monday.verify()
    path.unlink()
    # Whoever does not append does without.
    monday.verify()
    with pytest.raises(InputError, match=r"log\.parquet"):
        tuesday(tmp_path)
    assert names(tmp_path) == ["monday", "tuesday.csv"]


def test_an_interruption_leaves_nothing(tmp_path, monday, monkeypatch):
    def stop(self, batch):
        raise KeyboardInterrupt

    monkeypatch.setattr(ShardWriter, "write", stop)
    with pytest.raises(KeyboardInterrupt):
        tuesday(tmp_path)
    assert names(tmp_path) == ["monday", "tuesday.csv"]


def test_a_folder_that_is_not_prepared_is_named(tmp_path):
    for folder in ("", tmp_path):
        with pytest.raises(InputError, match="`--append` must be a prepared"):
            append(folder, raw_dir="x.csv", data_dir="x")


def test_a_log_without_times_has_nothing_to_append_to(tmp_path):
    path = tmp_path / "log.txt"
    path.write_text("".join(f"u{n} a b c d e f\n" for n in range(9)))
    config = DataConfig(
        dataset="sequences", raw_dir=str(path), data_dir=str(tmp_path / "out")
    )
    with pytest.raises(InputError, match="`--keep_log` means nothing with"):
        dataclasses.replace(config, keep_log=True)
    prepare(config)
    with pytest.raises(InputError, match=r"events have times.*of sequences"):
        append(tmp_path / "out", raw_dir=path, data_dir=tmp_path / "more")
    csv = tmp_path / "log.csv"
    write(csv, make_days()[0])
    plain = DataConfig(
        dataset="csv",
        raw_dir=str(csv),
        data_dir=str(tmp_path / "plain"),
        min_sequence_length=3,
    )
    prepare(plain)
    # A log that is asked for later is not there.
    with pytest.raises(InputError, match=r"`--keep_log`: .*without its log"):
        prepare(dataclasses.replace(plain, keep_log=True))
