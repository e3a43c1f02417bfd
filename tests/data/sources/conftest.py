import ibis
import pytest

from tfrec.data.duckdb_engine import DuckDBEngine


@pytest.fixture
def engine():
    """An engine in memory."""
    connection = ibis.duckdb.connect()
    yield DuckDBEngine(connection)
    connection.disconnect()
