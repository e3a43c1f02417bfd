"""The explorer of runs, or of a server, at a port of this machine."""

import threading
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from tfrec.data import PreparedDataset
from tfrec.data.people import People
from tfrec.errors import InputError
from tfrec.explorer.application import Explorer
from tfrec.explorer.catalogue import Catalogue
from tfrec.explorer.engines import Engine, RunEngine, ServerEngine
from tfrec.serving import client
from tfrec.serving.http import HttpServer
from tfrec.serving.listening import address
from tfrec.training import load_run

# Seconds that a client may be silent, and that answers in progress may take.
_TIMEOUT = 30.0
_GRACE = 2.0

Parts = tuple[Sequence[Engine], Catalogue, People | None]


def of_runs(folders: Sequence[str | Path], data_dir: str | Path = "") -> Parts:
    """Loads runs of one dataset.

    Args:
        folders: Run directories.
        data_dir: Where their dataset is now; where it was by default.

    Raises:
        InputError: If one is no run, its data is not there, or they are of
            several datasets.
    """
    runs = [load_run(folder, data_dir) for folder in folders]
    first = runs[0].data
    for run in runs[1:]:
        checksum = run.data.manifest.data_checksum
        if checksum != first.manifest.data_checksum:
            raise InputError(
                "Runs can be explored side by side that were trained on the "
                f"same dataset. {runs[0].folder} has data checksum "
                f"{first.manifest.data_checksum}, and {run.folder} has "
                f"{checksum}."
            )
    names = [Path(folder).resolve().name for folder in folders]
    if len(set(names)) < len(names):
        names = [str(folder) for folder in folders]
    engines = [
        RunEngine(run, name) for run, name in zip(runs, names, strict=True)
    ]
    return engines, Catalogue.of(first), People(first)


def of_server(
    server: str, name: str, timeout: float, data_dir: str | Path = ""
) -> Parts:
    """Prepares to ask a server; nothing is asked yet.

    Args:
        server: host:port of its gRPC port.
        name: The model's name there.
        timeout: Seconds to wait for an answer.
        data_dir: A prepared dataset with the titles and users; none by
            default.

    Raises:
        InputError: If the address is none, or there is no such dataset.
    """
    client.check_address(server)
    engines = [ServerEngine(server, name, timeout)]
    if not data_dir:
        return engines, Catalogue([], [], np.zeros(0)), None
    data = PreparedDataset.open(data_dir)
    return engines, Catalogue.of(data), People(data)


class ExplorerServer:
    """Serves the page.

    Attributes:
        url: Where it is.
    """

    def __init__(
        self,
        engines: Sequence[Engine],
        catalogue: Catalogue,
        people: People | None,
        host: str,
        port: int,
    ):
        """Starts listening.

        Args:
            engines: See `Explorer`.
            catalogue: See `Explorer`.
            people: See `Explorer`.
            host: Address to listen at.
            port: Port; 0 for a free one.

        Raises:
            InputError: If the port is taken.
        """
        application = Explorer(engines, catalogue, people, host)
        self._http = HttpServer(application, host, port, _TIMEOUT, "--port")
        self.url = f"http://{address(host, self._http.port)}/"
        self._warming = threading.Thread(
            target=_warm_up, args=(engines, catalogue), daemon=True
        )
        self._warming.start()

    def stop(self) -> None:
        """Takes no more requests, and ends."""
        self._http.stop(_GRACE)


def _warm_up(engines: Sequence[Engine], catalogue: Catalogue) -> None:
    """Makes what the first click would wait for."""
    catalogue.search("a", 1)
    for engine in engines:
        if isinstance(engine, RunEngine):
            engine.warm_up()
