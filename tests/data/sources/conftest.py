import ibis
import pytest


@pytest.fixture
def connection():
    """An engine in memory."""
    connection = ibis.duckdb.connect()
    yield connection
    connection.disconnect()
