"""Settings of an export and of the local server."""

import dataclasses

from tfrec.settings import Settings, setting

EXACT = "exact"


@dataclasses.dataclass(frozen=True)
class DestinationConfig(Settings):
    """Where an export goes, and what it is called there."""

    export_dir: str = setting("export/models", "Folder of all exported models.")
    name: str = setting(
        "", "Name of the model in the server. Empty: that of its class."
    )
    k: int = setting(10, "Number of items that a request gets.", minimum=1)
    version: int = setting(
        0,
        "Number of the version; servers take the largest. 0: the time (UTC), "
        "as in 20250131120000.",
        minimum=0,
        maximum=2**63 - 1,
    )
    model_config_file: str = setting(
        "",
        "File of the models that are served, to which this one is added. "
        "Empty: models.config in --export_dir.",
    )
    index: str = setting(
        EXACT,
        "How items are found. exact: all are scored. partitioned: only those "
        "in the partitions that are nearest to the history, as many as "
        "--index_recall needs; for large catalogues.",
        choices=(EXACT, "partitioned"),
    )
    index_recall: float = setting(
        0.99,
        "Share of the items in exact lists that the index has to find, over "
        "histories of the run's test.",
        above=0,
        maximum=1,
    )

    @property
    def least_recall(self) -> float | None:
        """What an index has to find; None without one."""
        return None if self.index == EXACT else self.index_recall

    def unused(self) -> dict[str, str]:
        """See `Settings`."""
        readers = [("index_recall", "index", ("partitioned",))]
        return self.unread(readers)


@dataclasses.dataclass(frozen=True)
class ServerConfig(Settings):
    """What the local server serves, where, and what it refuses."""

    export_dir: str = setting(
        "export/models", "Folder of models: <name>/<version>/saved_model.pb."
    )
    model_config_file: str = setting(
        "",
        "Models, version policies and labels as TensorFlow Serving reads them; "
        "a base path below /models is looked for below --export_dir. Read "
        "again when it changes. Empty: the newest version of every model in "
        "--export_dir.",
    )
    host: str = setting(
        "127.0.0.1", "Address to listen at. 0.0.0.0 opens it to the network."
    )
    grpc_port: int = setting(
        8500, "Port for gRPC. 0: a free one.", minimum=0, maximum=65535
    )
    rest_port: int = setting(
        8501, "Port for REST. 0: a free one.", minimum=0, maximum=65535
    )
    max_batch_size: int = setting(
        128,
        "Most rows in a request, and in a batch of merged requests.",
        minimum=1,
    )
    max_waiting: int = setting(
        128,
        "Most requests that wait while others are computed. One more is "
        "refused, as UNAVAILABLE or 503.",
        minimum=1,
    )
    max_request_length: int = setting(
        10_000, "Longest row of a request, in columns.", minimum=1
    )
    max_request_bytes: int = setting(
        4 * 2**20, "Largest request, in bytes.", minimum=1
    )
    request_timeout: float = setting(
        30.0,
        "Seconds that a request may take, and a client may be silent.",
        above=0,
    )
    poll_seconds: float = setting(
        1.0, "Seconds between two looks for new versions.", above=0
    )
    log_requests: str = setting(
        "",
        "Path and first letters of files in which a sample of the requests is "
        "logged with the answers, such as logs/requests, for `tfrec watch`; of "
        "every model that has no logging_config in --model_config_file. Empty: "
        "none.",
    )
    log_sampling: float = setting(
        0.01, "The share of the requests that is logged.", above=0, maximum=1
    )
    log_file_mb: int = setting(
        64, "Size at which a new file of the log begins, in MiB.", minimum=1
    )
    log_files: int = setting(
        16,
        "Most files of a log; the oldest are deleted for newer ones.",
        minimum=1,
    )

    def unused(self) -> dict[str, str]:
        """See base class."""
        if self.log_requests:
            return {}
        found = {"log_sampling": "without `--log_requests`"}
        if not self.model_config_file:
            for name in ("log_file_mb", "log_files"):
                found[name] = found["log_sampling"]
        return found
