"""A soak of the local server: many requests, faults and versions, for long.

    python -m benchmarks.soak
    python -m benchmarks.soak --requests=1000000 --swaps=100 --broken=100 \\
        --minutes=120

Trains a small network on the embedded dataset, exports it after three epochs,
and starts `tfrec serve` as a process of its own. Clients ask it by gRPC and
REST, with histories of random lengths and ids that are of no item. Meanwhile a
share of the requests is faulty: malformed, too large, of an absent version,
reset, cancelled; connections drip or are half-open; new versions appear and
old ones are removed; and versions appear that are broken.

Every answer is compared with those of the versions that may have been serving
at that moment. Prints what the server held along the way (`files` are open
files and connections), and at the end what did not hold, and by how much it
grew between the first and the last fifth after the warm-up, which is the first
fifth. The same --seed draws the same requests for each client, not the moments
at which they come. Exits with 1 if something did not hold.
"""

from tfrec import cli, settings

# isort: split
import dataclasses
import signal
import sys
import tempfile
from pathlib import Path

from tfrec.settings import Settings, setting


@dataclasses.dataclass(frozen=True)
class SoakConfig(Settings):
    """How much is asked, for how long."""

    requests: int = setting(100_000, "Requests, faulty ones too.", minimum=1)
    clients: int = setting(16, "Clients that ask at a time.", minimum=1)
    slow_clients: int = setting(
        20, "Connections beside them that drip or are half-open.", minimum=0
    )
    faults: float = setting(
        0.1, "Share of the requests that are faulty.", minimum=0, maximum=1
    )
    swaps: int = setting(10, "Versions that are taken over.", minimum=0)
    broken: int = setting(8, "Versions that are broken.", minimum=0)
    histories: int = setting(300, "Histories that are asked.", minimum=1)
    request_timeout: float = setting(
        10.0, "`--request_timeout` of the server.", above=0
    )
    minutes: float = setting(
        30.0, "Takes no more requests after so many.", above=0
    )
    most_growth_mb: float = setting(
        32.0, "Memory that the server may grow by after the warm-up.", above=0
    )
    seed: int = setting(0, "Seed of what is drawn.", minimum=0)


def main() -> None:
    """Soaks as the flags say and prints what came of it."""
    config = settings.from_flags(SoakConfig)
    # As Ctrl-C does, so that the server ends with it.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))

    # Only here, so that help and errors need not wait for TensorFlow.
    from benchmarks.server_process import server_process
    from benchmarks.soak import models
    from benchmarks.soak.clients import Addresses
    from benchmarks.soak.soaking import Soak

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        store, items = models.make_versions(folder, 3, config.seed)
        soak = Soak(config, folder / "served" / models.NAME, store, items)
        timeout = f"--request_timeout={config.request_timeout}"
        with server_process(folder / "served", timeout) as server:
            addresses = Addresses(server.grpc_address, server.rest_address)
            soak.run(addresses, server.process.pid)
            soak.read_log(server.log)
        held = soak.verdict()
    sys.stdout.flush()
    if not held:
        sys.exit(1)


def run() -> None:
    """Runs the command."""
    cli.run(main, SoakConfig)


if __name__ == "__main__":
    run()
