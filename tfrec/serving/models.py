"""The models that are served: versions come, go and are found by requests."""

import contextlib
import dataclasses
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from grpc import StatusCode
from tensorflow_serving.apis.get_model_status_pb2 import ModelVersionStatus
from tensorflow_serving.apis.model_pb2 import ModelSpec
from tensorflow_serving.config.model_server_config_pb2 import ModelConfig

from tfrec.errors import InputError
from tfrec.serving.model_configs import version_folders, wanted_versions
from tfrec.serving.servable import Servable
from tfrec.serving.statuses import RequestError, first_line, invalid

_Listing = tuple[tuple[str, int, int], ...]


@dataclasses.dataclass
class _Version:
    """What is known of one version.

    Attributes:
        state: As clients are told it.
        servable: While it is available.
        error: Why it cannot be loaded, as clients are told it.
        tried: What its folder held when it could not be loaded.
        seen: What its folder held at the last look.
    """

    state: int
    servable: Servable | None = None
    error: str = ""
    tried: _Listing = ()
    seen: _Listing = ()


class Models:
    """Keeps the versions loaded that the configuration wants.

    A new version is loaded and warmed up while the old one answers; then new
    requests go to the new one, and the old one is closed after its last.
    """

    def __init__(self, read_configs: Callable[[], list[ModelConfig]]):
        """Loads what is there.

        Args:
            read_configs: Returns the models to serve; called in every poll.

        Raises:
            InputError: If `read_configs` does.
        """
        self._read_configs = read_configs
        self._lock = threading.Lock()
        self._versions: dict[str, dict[int, _Version]] = {}
        self._labels: dict[str, dict[str, int]] = {}
        self._complaint = ""
        self._stopped = threading.Event()
        self._poller = None
        self._update(read_configs())

    def start_polling(self, seconds: float) -> None:
        """Looks for new versions in a thread until `close`."""

        def poll():
            while not self._stopped.wait(seconds):
                self.poll()

        self._poller = threading.Thread(target=poll, name="poll", daemon=True)
        self._poller.start()

    def poll(self) -> None:
        """Looks for new versions once.

        A configuration or folder that cannot be read leaves all as it is.
        Whatever else happens: there is another look.
        """
        complaint = ""
        try:
            self._update(self._read_configs())
        except Exception as error:
            expected = isinstance(error, InputError | OSError)
            complaint = str(error) if expected else repr(error)
            if complaint != self._complaint:
                _log(f"{complaint} Serving on as before.")
        self._complaint = complaint

    @contextlib.contextmanager
    def use(self, spec: ModelSpec) -> Iterator[Servable]:
        """Gives the version that a request names, for as long as it runs.

        Raises:
            RequestError: If there is none.
        """
        with contextlib.ExitStack() as stack:
            with self._lock:
                servable = self._find(spec)
                stack.enter_context(servable.usage)
            yield servable

    def status(self, spec: ModelSpec) -> list[ModelVersionStatus]:
        """Returns the states of a model's versions, or of the one named.

        Raises:
            RequestError: If there is none.
        """
        with self._lock:
            versions = self._versions.get(spec.name, {})
            number = self._number(spec)
            if number is not None:
                versions = {n: v for n, v in versions.items() if n == number}
            if not versions:
                raise RequestError(
                    StatusCode.NOT_FOUND,
                    f"Could not find any versions of model {spec.name}"
                    if number is None
                    else f"Could not find version {number} of model "
                    f"{spec.name}",
                )
            statuses = []
            for number in sorted(versions, reverse=True):
                version = versions[number]
                status = ModelVersionStatus(version=number, state=version.state)
                if version.error:
                    status.status.error_code = StatusCode.UNKNOWN.value[0]
                status.status.error_message = version.error
                statuses.append(status)
            return statuses

    def available(self) -> dict[str, list[int]]:
        """Returns the available versions by model."""
        with self._lock:
            return {
                name: sorted(n for n, v in versions.items() if v.servable)
                for name, versions in self._versions.items()
            }

    def close(self) -> None:
        """Stops polling and closes every version after its last request."""
        self._stopped.set()
        if self._poller:
            self._poller.join()
        self._update([])

    def _find(self, spec: ModelSpec) -> Servable:
        if not spec.name:
            raise invalid("ModelSpec has no name specified.")
        available = {
            number: version.servable
            for number, version in self._versions.get(spec.name, {}).items()
            if version.servable
        }
        number = self._number(spec)
        if number is None:
            number = max(available, default=None)
            asked = f"Latest({spec.name})"
        else:
            asked = f"Specific({spec.name}, {number})"
        if number not in available:
            raise RequestError(
                StatusCode.NOT_FOUND, f"Servable not found for request: {asked}"
            )
        return available[number]

    def _number(self, spec: ModelSpec) -> int | None:
        """Returns the version that a request names, None for the newest."""
        if spec.HasField("version"):
            return spec.version.value
        if not spec.version_label:
            return None
        labels = self._labels.get(spec.name, {})
        if spec.version_label not in labels:
            raise invalid(
                f"Unrecognized servable version label: {spec.version_label}"
            )
        return labels[spec.version_label]

    def _update(self, configs: list[ModelConfig]) -> None:
        """Loads what is wanted, then unloads what no longer is."""
        wanted = {config.name: {} for config in configs}
        for config in configs:
            found = version_folders(Path(config.base_path))
            for number in sorted(wanted_versions(config, set(found))):
                wanted[config.name][number] = found[number]
                self._load(config.name, number, found[number])
        with self._lock:
            self._labels = {c.name: dict(c.version_labels) for c in configs}
        for name in set(self._versions) | set(wanted):
            self._unload_all_but(name, set(wanted.get(name, ())))

    def _load(self, name: str, number: int, path: Path) -> None:
        versions = self._versions.get(name, {})
        if number in versions and versions[number].state != _END:
            return
        held = _listing(path)
        if number in versions and versions[number].error:
            # One that failed is tried again when its folder is another, and
            # no copy is under way.
            before, versions[number].seen = versions[number].seen, held
            if held in (versions[number].tried, ()) or held != before:
                return
        version = _Version(ModelVersionStatus.LOADING)
        self._set(name, number, version)
        try:
            version = _Version(_AVAILABLE, Servable(name, number, path))
            _log(f"Loaded version {number} of {name}.")
        # A folder can be broken in any way; those that serve must not care.
        except Exception as error:
            reason = first_line(error)
            _log(f"Cannot load version {number} of {name}: {reason}")
            # Where this machine has its models is nothing for clients.
            reason = reason.replace(f"{path.parent}/", "")
            version = _Version(_END, error=reason, tried=held, seen=held)
        self._set(name, number, version)

    def _unload_all_but(self, name: str, wanted: set[int]) -> None:
        versions = self._versions.get(name, {})
        loaded = {n for n, version in versions.items() if version.servable}
        if wanted and not wanted & loaded:
            return  # Better an old version than none.
        for number in set(versions) - wanted:
            servable = versions[number].servable
            if servable:
                self._set(name, number, _Version(ModelVersionStatus.UNLOADING))
                servable.close()
                _log(f"Unloaded version {number} of {name}.")
            self._set(name, number, _Version(_END))

    def _set(self, name: str, number: int, version: _Version) -> None:
        with self._lock:
            self._versions.setdefault(name, {})[number] = version


_AVAILABLE = ModelVersionStatus.AVAILABLE
_END = ModelVersionStatus.END


def _listing(folder: Path) -> _Listing:
    """Returns the files of a folder with their sizes and times."""
    found = []
    for path in sorted(folder.rglob("*")):
        # It may be gone by now.
        with contextlib.suppress(OSError):
            held = path.stat()
            found.append((str(path), held.st_size, held.st_mtime_ns))
    return tuple(found)


def _log(message: str) -> None:
    print(message, file=sys.stderr, flush=True)
