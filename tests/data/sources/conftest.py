import ibis
import pytest

from tfrec.data.duckdb_engine import DuckDBEngine


@pytest.fixture
def engine(tmp_path_factory):
    """An engine in memory."""
    connection = ibis.duckdb.connect()
    yield DuckDBEngine(connection, tmp_path_factory.mktemp("engine"))
    connection.disconnect()
