import duckdb
import pytest

from tfrec.data.config import DataConfig
from tfrec.data.duckdb_engine import connect
from tfrec.errors import InputError


def test_a_stream_is_the_table_in_order_in_small_batches(tmp_path):
    with connect(DataConfig(), tmp_path) as engine:
        table = engine.connection.sql(
            "SELECT i * 7 % 1000 AS n FROM range(100000) t(i)",
            schema={"n": "int64"},
        )
        batches = list(engine.stream(table.order_by("n"), 5000))
    numbers = [n for batch in batches for n in batch["n"].to_pylist()]
    assert numbers == sorted(i * 7 % 1000 for i in range(100000))
    assert max(batch.num_rows for batch in batches) <= 5000


def test_the_settings_reach_the_engine(tmp_path):
    config = DataConfig(memory_limit="300MiB", threads=1)
    with connect(config, tmp_path) as engine:
        (found,) = engine.connection.raw_sql(
            "SELECT current_setting('memory_limit'), current_setting('threads')"
            ", current_setting('temp_directory')"
        ).fetchall()
    assert found == ("300.0 MiB", 1, str(tmp_path / "spill"))


def test_sorting_more_than_memory_works_on_disk(tmp_path):
    config = DataConfig(memory_limit="60MB", threads=1)
    with connect(config, tmp_path) as engine:
        table = engine.connection.sql(
            "SELECT hash(i) AS n, repeat('x', 40) AS text "
            "FROM range(2000000) t(i)",
            schema={"n": "uint64", "text": "string"},
        )
        rows = spilled = 0
        last = -1
        for batch in engine.stream(table.order_by("n"), 50_000):
            rows += batch.num_rows
            assert last <= batch["n"][0].as_py()
            last = batch["n"][-1].as_py()
            files = (tmp_path / "spill").glob("*")
            spilled = max(spilled, sum(f.stat().st_size for f in files))
    assert rows == 2_000_000
    assert spilled > 10_000_000


@pytest.mark.parametrize(
    ("error", "pattern"),
    [
        (duckdb.OutOfMemoryException, "`--memory_limit`=1GB"),
        (duckdb.IOException, "`--data_dir`"),
    ],
)
def test_what_the_engine_lacks_is_an_input_error(tmp_path, error, pattern):
    with (
        pytest.raises(InputError, match=pattern),
        connect(DataConfig(), tmp_path),
    ):
        raise error("none left")
