import gzip

import pytest

from tfrec.data.sources.lines import Lines, decoded_lines
from tfrec.errors import InputError


def test_positions_are_numbers_of_lines(engine, tmp_path):
    path = tmp_path / "it's.txt"
    path.write_text("a b\n\n  \nc\n")
    table = Lines(path).table(engine).order_by("position").to_pyarrow()
    assert table.to_pylist() == [
        {"position": 0, "line": "a b"},
        {"position": 3, "line": "c"},
    ]


def test_quotes_commas_and_tabs_are_text_like_any_other(engine, tmp_path):
    lines = ['"a, b', "c\t'd'", "e;f|g::h\\n", "#no comment"]
    path = tmp_path / "x.txt"
    path.write_text("\n".join(lines))
    table = Lines(path).table(engine).order_by("position")
    assert table.line.to_pyarrow().to_pylist() == lines


def test_positions_hold_in_files_that_several_threads_read(engine, tmp_path):
    path = tmp_path / "long.txt"
    path.write_text("".join(f"line {n:020d}\n" for n in range(400_000)))
    table = Lines(path).table(engine)
    number = table.line.split(" ")[1].cast("int64")
    wrong = table.filter(number != table.position).count()
    assert table.count().to_pyarrow().as_py() == 400_000
    assert wrong.to_pyarrow().as_py() == 0


def test_where_gives_the_line_as_an_editor_counts_it(tmp_path):
    path = tmp_path / "x.txt"
    path.write_bytes(b"a\r\n\r\nb c\r\n")
    assert Lines(path).where(2) == (f"{path}, line 3", "b c")


def test_check_names_the_first_line_that_is_not_text(tmp_path):
    path = tmp_path / "x.txt"
    path.write_bytes(b"a\nb\xff\nc\n")
    with pytest.raises(InputError, match=r"x\.txt, line 2: the text must be"):
        Lines(path).check()
    Lines(path, "latin-1").check()


def test_a_byte_order_mark_is_no_text(tmp_path):
    path = tmp_path / "x.txt"
    path.write_bytes(b"\xef\xbb\xbfa\nb\n")
    assert list(decoded_lines(path)) == ["a\n", "b\n"]


def test_a_gzip_file_cut_short_is_named(tmp_path):
    path = tmp_path / "x.csv.gz"
    path.write_bytes(gzip.compress(b"a line of text\n" * 9999)[:-20])
    with pytest.raises(InputError, match=r"x\.csv\.gz, after line .*cut short"):
        list(decoded_lines(path))
