import pyarrow as pa
import pyarrow.parquet
import pytest

from tfrec.data.sources.fields import store
from tfrec.data.sources.parquet import Parquet
from tfrec.errors import InputError


def write(path, **columns):
    pa.parquet.write_table(pa.table(columns), path)
    return path


def test_positions_go_on_in_the_next_file(engine, tmp_path):
    paths = [
        write(tmp_path / "z.parquet", a=[7, 8], b=["x", "y"]),
        write(tmp_path / "a.parquet", a=[9], b=["z"]),
    ]
    raw = Parquet(paths, engine)
    assert raw.columns == ["a", "b"]
    table = raw.table(engine, {"number": "a"})
    assert table.order_by("position").to_pyarrow().to_pylist() == [
        {"position": 0, "number": 7},
        {"position": 1, "number": 8},
        {"position": 2, "number": 9},
    ]
    place, text = raw.where([2])[0]
    assert place == f"{paths[1]}, row 1"
    assert text == "{'a': 9, 'b': 'z'}"


def test_files_of_other_columns_are_refused(engine, tmp_path):
    paths = [
        write(tmp_path / "a.parquet", a=[7]),
        write(tmp_path / "b.parquet", a=["7"]),
    ]
    with pytest.raises(InputError, match=r"b\.parquet: .*a int64.*a string"):
        Parquet(paths, engine)


def test_a_name_is_no_pattern(engine, tmp_path):
    write(tmp_path / "x1.parquet", b=["another"])
    (tmp_path / "day=3").mkdir()
    path = write(tmp_path / "day=3" / "x[1].parquet", a=[7])
    raw = Parquet([path], engine)
    assert raw.columns == ["a"]
    table = raw.table(engine, {"number": "a"})
    assert table.number.to_pyarrow().to_pylist() == [7]


def test_damaged_files_are_named(engine, tmp_path):
    whole = write(tmp_path / "a.parquet", a=list(range(5000)))
    content = bytearray(whole.read_bytes())
    # The head of the first page.
    content[4:40] = bytes(36)
    path = tmp_path / "b.parquet"
    path.write_bytes(content)
    raw = Parquet([whole, path], engine)
    with pytest.raises(InputError, match=r"b\.parquet is damaged: "):
        store(engine, "t", raw.table(engine, {"number": "a"}), raw)
