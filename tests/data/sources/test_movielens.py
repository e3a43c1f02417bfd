import re

import pytest

from tfrec.data.config import DataConfig
from tfrec.data.sources import get_source
from tfrec.errors import InputError

LINES = ["1::10::5::978300760", "1::20::3::978302109", "2::10::4::978301968"]


def rows(engine, folder, dataset="ml-1m"):
    config = DataConfig(dataset=dataset, raw_dir=str(folder))
    table = get_source(dataset).read(engine, config).table
    return table.order_by("position").to_pyarrow().to_pylist()


def titles(engine, folder, dataset="ml-1m"):
    config = DataConfig(dataset=dataset, raw_dir=str(folder))
    table = get_source(dataset).titles(engine, config)
    if table is None:
        return None
    return {r["item"]: r["title"] for r in table.to_pyarrow().to_pylist()}


def write(path, lines, end="\n", encoding="utf-8"):
    path.write_bytes("".join(line + end for line in lines).encode(encoding))


def test_ratings_are_read_in_file_order(engine, tmp_path):
    write(tmp_path / "ratings.dat", LINES)
    assert rows(engine, tmp_path) == [
        {
            "sequence": "1",
            "item": "10",
            "timestamp": 978300760,
            "position": 0,
            "rating": 5.0,
        },
        {
            "sequence": "1",
            "item": "20",
            "timestamp": 978302109,
            "position": 1,
            "rating": 3.0,
        },
        {
            "sequence": "2",
            "item": "10",
            "timestamp": 978301968,
            "position": 2,
            "rating": 4.0,
        },
    ]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("1::2::3", "4 fields, user::movie::rating::timestamp"),
        ("1::2::3::4::5", "4 fields, user::movie::rating::timestamp"),
        ("1,2,3,978300760", "4 fields, user::movie::rating::timestamp"),
        ("::2::3::978300760", "4 fields, user::movie::rating::timestamp"),
        ("1::2::3::", "a timestamp, an integer"),
        ("1::2::3::soon", "a timestamp, an integer"),
        ("1::2::3::978300760.5", "a timestamp, an integer"),
        ("1::2::3::99999999999999999999", "a timestamp, an integer"),
        ("1::2::3::-978300760", "a timestamp of at least 0"),
        ("1::2::good::978300760", "a rating, a number"),
        ("1::2::nan::978300760", "a rating, a number"),
        ("1::2\t::3::978300760", "an item id without tabs"),
    ],
)
def test_a_malformed_line_is_named(engine, tmp_path, line, expected):
    write(tmp_path / "ratings.dat", [LINES[0], line, "also wrong", LINES[1]])
    with pytest.raises(InputError) as error:
        rows(engine, tmp_path)
    message = str(error.value)
    assert f"ratings.dat, line 2: expected {expected}" in message
    assert f"Received: {line!r}" in message


def test_a_line_cut_between_fields_is_named(engine, tmp_path):
    (tmp_path / "ratings.dat").write_text("\n".join([*LINES, "2::20"]))
    with pytest.raises(InputError, match=r"line 4: expected 4 fields.*2::20"):
        rows(engine, tmp_path)


@pytest.mark.parametrize(
    ("dataset", "name", "text"),
    [
        ("ml-1m", "ratings.dat", "\n".join(LINES)[:-3]),
        (
            "ml-latest-small",
            "ratings.csv",
            "userId,movieId,rating,timestamp\n1,1,4.0,964982703\n1,3,4.0,96498",
        ),
        ("ml-1m", "ratings.dat", "\n".join(LINES)[:-3] + "é"),
    ],
)
def test_a_file_cut_inside_its_last_timestamp_is_refused(
    engine, tmp_path, dataset, name, text
):
    (tmp_path / name).write_text(text, encoding="latin-1")
    with pytest.raises(InputError, match=r"last line.*seems cut short"):
        rows(engine, tmp_path, dataset)


def test_a_whole_last_line_needs_no_line_end(engine, tmp_path):
    (tmp_path / "ratings.dat").write_text("\n".join(LINES))
    assert len(rows(engine, tmp_path)) == 3


def test_windows_line_ends_and_blank_lines_are_read(engine, tmp_path):
    write(tmp_path / "ratings.dat", [*LINES[:2], "", LINES[2], ""], "\r\n")
    found = rows(engine, tmp_path)
    assert [row["timestamp"] for row in found] == [
        978300760,
        978302109,
        978301968,
    ]
    assert [row["position"] for row in found] == [0, 1, 3]


def test_text_that_is_not_utf8_is_named(engine, tmp_path):
    write(tmp_path / "ratings.dat", [LINES[0], "1::é::3::4"], "\n", "latin-1")
    with pytest.raises(InputError, match=r"ratings\.dat, line 2.*utf-8"):
        rows(engine, tmp_path)


def test_the_missing_file_is_named_with_its_source(tmp_path):
    config = DataConfig(dataset="ml-1m", raw_dir=str(tmp_path))
    with pytest.raises(InputError, match=r"ratings\.dat.*ml-1m\.zip") as error:
        get_source("ml-1m").files(config)
    assert str(tmp_path) in str(error.value)


def test_a_file_for_a_folder_is_refused_without_a_download(tmp_path):
    write(tmp_path / "ratings.dat", LINES)
    path = tmp_path / "ratings.dat"
    config = DataConfig(dataset="ml-1m", raw_dir=str(path))
    source = get_source("ml-1m")
    source.fetch(config)
    with pytest.raises(InputError, match="must be a folder"):
        source.files(config)


def test_ratings_are_found_where_the_archive_unpacks(engine, tmp_path):
    folder = tmp_path / "ml-10M100K"
    folder.mkdir()
    write(folder / "ratings.dat", ["1::122::3.5::838985046"])
    (row,) = rows(engine, tmp_path, "ml-10m")
    assert row["rating"] == 3.5


def test_csv_ratings_and_quoted_titles_are_read(engine, tmp_path):
    write(
        tmp_path / "ratings.csv",
        ["userId,movieId,rating,timestamp", "1,11,4.0,964982703"],
    )
    write(
        tmp_path / "movies.csv",
        [
            "movieId,title,genres",
            '11,"American President, The (1995)",Comedy',
            '12,"A ""b"" c",Drama',
        ],
    )
    (row,) = rows(engine, tmp_path, "ml-latest-small")
    assert (row["sequence"], row["item"]) == ("1", "11")
    assert titles(engine, tmp_path, "ml-latest-small") == {
        "11": "American President, The (1995)",
        "12": 'A "b" c',
    }


def test_a_csv_header_of_another_kind_is_named(engine, tmp_path):
    write(tmp_path / "ratings.csv", ["user;movie", "1;2"])
    with pytest.raises(
        InputError, match=r"ratings\.csv, line 1: expected the columns userId"
    ):
        rows(engine, tmp_path, "ml-latest-small")


@pytest.mark.parametrize(
    ("dataset", "encoding"), [("ml-1m", "latin-1"), ("ml-10m", "utf-8")]
)
def test_titles_have_their_accents(engine, tmp_path, dataset, encoding):
    lines = ["1::Misérables, Les (1995)::Drama", "2::Heat (1995)::Action"]
    write(tmp_path / "movies.dat", lines, encoding=encoding)
    assert titles(engine, tmp_path, dataset) == {
        "1": "Misérables, Les (1995)",
        "2": "Heat (1995)",
    }


def test_a_malformed_title_is_named(engine, tmp_path):
    write(tmp_path / "movies.dat", ["1::Heat::Action", "2::Jumanji"])
    pattern = re.escape("movies.dat, line 2: expected 3 fields")
    with pytest.raises(InputError, match=pattern):
        titles(engine, tmp_path)


def test_titles_are_optional(engine, tmp_path):
    assert titles(engine, tmp_path) is None
