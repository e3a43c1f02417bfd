import gzip
from pathlib import Path

import pyarrow as pa
import pytest

from tfrec.data.duckdb_engine import DuckDBEngine
from tfrec.data.sources.fields import store
from tfrec.data.sources.lines import Lines
from tfrec.data.sources.text import (
    MAX_LINE_BYTES,
    check_line_ends,
    decoded_lines,
)
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
    assert Lines(path).where([2])[0] == (f"{path}, line 3", "b c")


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


def damaged(content, how):
    """Returns a compressed file without its end, or with a wrong byte."""
    if how == "cut":
        return content[:-20]
    place = {"data": len(content) // 2, "checksum": -7}[how]
    whole = bytearray(content)
    whole[place] ^= 0xFF
    return bytes(whole)


@pytest.mark.parametrize(
    ("ending", "how"),
    [("gz", "cut"), ("gz", "data"), ("gz", "checksum"), ("zst", "cut")],
)
def test_a_damaged_compressed_file_is_named(engine, tmp_path, ending, how):
    text = "".join(f"u{n} {n * n % 1009}\n" for n in range(5000)).encode()
    path = tmp_path / f"x.txt.{ending}"
    if ending == "gz":
        content = gzip.compress(text)
    else:
        content = pa.compress(text, "zstd", asbytes=True)
    path.write_bytes(content)
    assert list(decoded_lines(path))[-1] == "u4999 98\n"
    assert Lines(path).table(engine).count().to_pyarrow().as_py() == 5000
    path.write_bytes(damaged(content, how))
    pattern = rf"x\.txt\.{ending}.*: .*damaged or cut short"
    with pytest.raises(InputError, match=pattern):
        list(decoded_lines(path))
    with pytest.raises(InputError, match=pattern):
        Lines(path).table(engine)


def test_a_line_that_is_too_long_is_named(engine, tmp_path):
    path = tmp_path / "x.txt"
    path.write_bytes(b"u1 a b\nu2 " + b"x" * MAX_LINE_BYTES + b"\nu3 a b\n")
    lines = Lines(path)
    pattern = r"x\.txt, line 2: it is longer than 4,194,304 bytes"
    with pytest.raises(InputError, match=pattern):
        lines.check()
    if isinstance(engine, DuckDBEngine):
        with pytest.raises(InputError, match=pattern):
            store(engine, "log", lines.table(engine), lines)


def test_lines_that_end_with_carriage_returns_only_are_refused(
    engine, tmp_path
):
    path = tmp_path / "x.txt"
    path.write_bytes(b"u a b\rv c d\ru\r")
    with pytest.raises(InputError, match=r"x\.txt, line 1: a carriage return"):
        Lines(path).table(engine)
    with pytest.raises(InputError, match="fewer than 3 lines"):
        Lines(path).where([2])


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (b"u a\nv b\rc d\nw e\n", 2),
        (b"u a\r\nv b\r\r\nw e\r\n", 2),
        (b"u a\nv b\r", 2),
        # The last byte of what is read at once, or the first of what follows.
        (b"u" + b"a" * ((1 << 20) - 2) + b"\rb\nv\n", 1),
        (b"u" + b"a" * ((1 << 20) - 1) + b"\rb\nv\n", 1),
    ],
)
def test_a_carriage_return_within_a_line_is_named(tmp_path, content, line):
    path = tmp_path / "x.txt"
    path.write_bytes(content)
    with pytest.raises(InputError, match=rf"x\.txt, line {line}: a carriage"):
        check_line_ends(path)
    path.write_bytes(b"u" + b"a" * ((1 << 20) - 2) + b"\r\nv\r\n")
    check_line_ends(path)


@pytest.mark.parametrize("name", ["x[1].txt", "x*.txt", "x?.txt", "~"])
def test_a_name_is_no_pattern(engine, tmp_path, name, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "x1.txt").write_text("another\n")
    (tmp_path / name).write_text("this one\n")
    table = Lines(Path(name)).table(engine)
    assert table.line.to_pyarrow().to_pylist() == ["this one"]


def test_compressed_lines_may_end_with_both_signs(engine, tmp_path):
    path = tmp_path / "x.txt.gz"
    path.write_bytes(gzip.compress(b"a b\r\n\r\nc\r\n"))
    table = Lines(path).table(engine).order_by("position").to_pyarrow()
    assert table["position"].to_pylist() == [0, 2]


def test_what_only_the_engine_minds_is_told_with_the_file(engine, tmp_path):
    """DuckDB refuses bytes that Python takes for Latin-1."""
    path = tmp_path / "movies.dat"
    path.write_bytes(b"1::a\n2::\x80\n")
    lines = Lines(path, "latin-1")
    with pytest.raises(InputError, match=r"movies\.dat cannot be read: .*lat"):
        store(engine, "titles", lines.table(engine), lines)
