"""Shows in the browser what a model recommends, and why.

    # Search titles, build a history, see the list.
    python -m tfrec.explore --run_dir=runs/first

    # Runs of one dataset, two of them side by side.
    python -m tfrec.explore --run_dir=runs/acvae,runs/markov

    # A model that is served, with the titles and users of a dataset.
    python -m tfrec.explore --server=localhost:8500 --name=acvae \\
        --data_dir=data/ml-latest-small-1a2b3c4d

The page is served by this command, at the loopback address unless told
otherwise, and asks nothing of any other place. It has no authentication.
Ctrl-C ends it. docs/explorer.md tells what is on the page.
"""

import dataclasses

from tfrec import cli, settings
from tfrec.errors import InputError
from tfrec.settings import Settings, setting
from tfrec.training.config import TrainingConfig
from tfrec.training.signals import sleep_until, stop_requested


@dataclasses.dataclass(frozen=True)
class ExplorerConfig(Settings):
    """What to show, and where."""

    run_dir: tuple[str, ...] = setting(
        (), "Folders of the runs, with commas between."
    )
    data_dir: str = setting(
        "",
        "Where their prepared dataset is now. Empty: where it was. With "
        "--server: of what the items and users are. Empty: ids are typed.",
    )
    server: str = setting(
        "", "Instead of runs: host:port of the gRPC port of a server."
    )
    name: str = setting(
        "", "With --server: the model's name there. Empty: acvae."
    )
    timeout: float = setting(
        10.0, "With --server: seconds to wait for an answer.", above=0
    )
    host: str = setting(
        "127.0.0.1", "Address to listen at. 0.0.0.0 opens it to the network."
    )
    port: int = setting(
        8600, "Port of the page. 0: a free one.", minimum=0, maximum=65535
    )

    def unused(self) -> dict[str, str]:
        """See base class."""
        if self.server:
            return {}
        return dict.fromkeys(("name", "timeout"), "without `--server`")


def main() -> None:
    """Shows the page as the flags say."""
    config = settings.from_flags(ExplorerConfig)
    if bool(config.run_dir) == bool(config.server):
        raise InputError("Give one of `--run_dir` and `--server`.")

    # Only here, so that help and errors need not wait for TensorFlow.
    from tfrec.explorer.server import ExplorerServer, of_runs, of_server

    if config.server:
        name = config.name or TrainingConfig.model
        parts = of_server(config.server, name, config.timeout, config.data_dir)
    else:
        parts = of_runs(config.run_dir, config.data_dir)
    with stop_requested() as stop:
        server = ExplorerServer(*parts, config.host, config.port)
        print(f"Explorer at {server.url}", flush=True)
        print("Ctrl-C ends it.", flush=True)
        sleep_until(stop)
        server.stop()


def run() -> None:
    """Runs the command."""
    cli.run(main, ExplorerConfig)


if __name__ == "__main__":
    run()
