"""Raw files on Spark: in their order, with nothing dropped.

Spark reads a file in blocks, by many tasks, and says little of what it cannot
read. So lines are numbered by block, and a record that another engine might
take otherwise is an error.
"""

import re
import urllib.parse
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
from pyspark import StorageLevel
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from tfrec.errors import InputError

REMEDY = "`--engine=duckdb` reads it"


def lines_of(
    session: SparkSession,
    paths: Sequence[Path],
    encoding: str = "utf-8",
    blank_too: bool = True,
) -> DataFrame:
    """Reads the lines of text files, without their ends.

    Args:
        session: What reads them.
        paths: The files in their order.
        encoding: "utf-8" or "latin-1".
        blank_too: Whether blank lines count.

    Returns:
        Columns `position`, the line's number from 0, `row`, its number in its
        file, `file`, the file's number, and `value`.
    """
    lines = session.read.text(uris(paths), lineSep="\n").select(
        F.col("_metadata.file_path").alias("path"),
        F.col("_metadata.file_block_start").alias("block"),
        _decoded(F.col("value"), encoding).alias("value"),
    )
    if not blank_too:
        lines = lines.filter(lines.value != "")
    # Counts the lines of a block in order, whichever task reads it.
    number = F.monotonically_increasing_id().alias("n")
    lines = checkpoint(lines.select("path", "block", number, "value"))
    lines = placed(lines, paths)
    # A byte order mark is no text.
    unmarked = F.regexp_replace("value", "^\ufeff", "")
    value = F.when(lines.row == 0, unmarked).otherwise(lines.value)
    return lines.select("position", "row", "file", value.alias("value"))


def checkpoint(frame: DataFrame) -> DataFrame:
    """Computes a table; it stays with the executors, in memory or on disk."""
    return frame.localCheckpoint(storageLevel=StorageLevel.MEMORY_AND_DISK)


def uris(paths: Sequence[Path]) -> list[str]:
    """Returns the paths as Spark takes them.

    Raises:
        InputError: If Spark would leave one out.
    """
    for path in paths:
        if path.name.startswith(("_", ".")):
            raise InputError(
                f"{path}: Spark leaves out files whose names begin with _ or "
                f". Give it another name; {REMEDY}."
            )
    # It reads patterns, here of one file each.
    return [
        "file://" + re.sub(r"([*?\[\]{}\\])", r"\\\1", _place(path))
        for path in paths
    ]


def _place(path: Path) -> str:
    """Returns where a file is, as Spark will name it: without `..`."""
    # By the name that was given, which tells the compression.
    return str(path.parent.resolve() / path.name)


def placed(rows: DataFrame, paths: Sequence[Path]) -> DataFrame:
    """Numbers rows in the order of the files and of the rows in them.

    Args:
        rows: Columns `path` and `block`, the file and the block's place in it,
            `n`, which counts the rows of a block one by one, from anywhere,
            and `value`.
        paths: The files in their order.

    Returns:
        Columns `position` and `row`, the row's number from 0 among all and in
        its file, `file`, the number of the file, and `value`.
    """
    blocks = rows.groupBy("path", "block").agg(
        F.min("n").alias("first"), F.count("*").alias("rows")
    )
    numbers = {_place(path): n for n, path in enumerate(paths)}
    found = []
    for path, block, first, count in blocks.collect():
        plain = urllib.parse.unquote(urllib.parse.urlparse(path).path)
        found.append((numbers[plain], block, path, first, count))
    table = {name: [] for name in ("path", "block", "file", "shift", "begin")}
    total = begin = last = 0
    for file, block, path, first, count in sorted(found):
        if file != last:
            begin, last = total, file
        for name, value in zip(
            table, (path, block, file, total - first, begin), strict=True
        ):
            table[name].append(value)
        total += count
    kinds = (pa.string(), pa.int64(), pa.int64(), pa.int64(), pa.int64())
    offsets = rows.sparkSession.createDataFrame(
        pa.table(table, pa.schema(list(zip(table, kinds, strict=True))))
    )
    rows = rows.join(F.broadcast(offsets), ["path", "block"])
    position = rows.n + rows["shift"]
    return rows.select(
        position.alias("position"),
        (position - rows.begin).alias("row"),
        "file",
        "value",
    )


def _decoded(value: Column, encoding: str) -> Column:
    """Returns a line as text, without its end; an error if it is none."""
    if encoding == "latin-1":
        text = F.decode(value.cast("binary"), "ISO-8859-1")
    else:
        wrong = F.raise_error(F.lit("A line is not UTF-8"))
        text = F.when(F.is_valid_utf8(value), value).otherwise(wrong)
    text = F.regexp_replace(text, r"\r\z", "")
    # A line end on some engines.
    inside = F.raise_error(F.lit("A line has a carriage return inside"))
    return F.when(F.instr(text, "\r") == 0, text).otherwise(inside)


def split(line: Column, separator: str, width: int) -> Column:
    """Splits a record into fields; an error if it has not that many."""
    between = re.escape(separator)
    # Quoted, or anything without a separator that does not begin with a quote.
    field = rf'"[^"]*+(?:""[^"]*+)*+"|(?! *")(?:(?!{between}).)*+'
    pattern = F.lit(f"(?s){between}({field})")
    apart = F.regexp_extract_all(
        F.concat(F.lit(separator), line), pattern, F.lit(1)
    )
    plain = F.split(line, between, -1)
    fields = F.when(F.instr(line, '"') == 0, plain).otherwise(apart)
    # A part that is no field is in none of them.
    whole = F.array_join(fields, separator) == line
    message = F.concat(
        F.lit(f"expected {width} fields separated by {separator!r}. Received "),
        line,
        F.lit(
            ". Spark reads no quoted field that goes on in the next line, and "
            f"no text beside the quotes. If there are such, {REMEDY}"
        ),
    )
    return F.when(whole & (F.size(fields) == width), fields).otherwise(
        F.raise_error(message)
    )


def unquoted(field: Column) -> Column:
    """Returns the text of a field, null if it is empty."""
    inside = F.substring(field, F.lit(2), F.length(field) - 2)
    plain = F.replace(inside, F.lit('""'), F.lit('"'))
    text = F.when(field.startswith('"'), plain).otherwise(field)
    return F.nullif(text, F.lit(""))
