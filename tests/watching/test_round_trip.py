"""From a request to the report: served, logged, watched."""

import pytest

from tests.serving.conftest import RunningServer
from tests.watching.logs import ids, pool
from tfrec.errors import InputError
from tfrec.serving.config import ServerConfig
from tfrec.serving.exporting import export
from tfrec.serving.server import Server
from tfrec.watching.comparing import UNKNOWN_ITEMS
from tfrec.watching.config import WatchConfig
from tfrec.watching.watching import watch


@pytest.fixture(scope="module")
def folder(run, tmp_path_factory):
    """A folder of models, with the run in its version 5."""
    folder = tmp_path_factory.mktemp("models")
    export(run, folder, name="home", k=3, version=5)
    return folder


def test_what_grpc_and_rest_answer_is_logged_and_watched(run, folder, tmp_path):
    log = tmp_path / "logs" / "requests"
    server = Server(
        ServerConfig(
            export_dir=folder,
            grpc_port=0,
            rest_port=0,
            log_requests=log,
            log_sampling=1,
        )
    )
    client = RunningServer(
        f"localhost:{server.grpc_port}",
        f"localhost:{server.rest_port}",
        None,
        None,
    )
    histories = [ids(run, history) for history in pool(run)[:6]]
    path = "/v1/models/home:predict"
    with client.channel:
        for history in histories[:3]:
            rows = [history, ["new"] * len(history)]
            client.predict({"history": rows}, name="home")
        for history in histories[3:]:
            body = {"instances": [{"history": history}]}
            assert client.rest("POST", path, body)[0] == 200
        # What fails is no answer, and is not logged.
        assert client.rest("POST", path, {"instances": [1]})[0] == 400
    server.stop()
    config = WatchConfig(
        log=(str(log),), export_dir=folder, data_dir=run.data.data_dir
    )
    found = watch(config)
    assert (found.name, found.version) == ("home", 5)
    assert found.served.requests == {"serving_default": 6}
    assert found.served.rows == {"serving_default": 9}
    assert found.agreeing == (6, 6)
    assert found.of == str(folder / "home" / "5")
    (unknown,) = (s.share for s in found.shares if s.name == UNKNOWN_ITEMS)
    assert unknown.hits == sum(map(len, histories[:3]))
    assert unknown.all == unknown.hits + sum(map(len, histories))
    # Without the dataset of a version that has no card.
    with pytest.raises(
        InputError, match=r"`--data_dir` must be.*tfrec promote"
    ):
        watch(WatchConfig(log=(str(log),), export_dir=folder))
