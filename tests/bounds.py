"""Tests the bounds of setup.py, and writes requirements.lock.

    pip install -e '.[audit]'
    python -m tests.bounds --versions=lowest
    python -m tests.bounds --versions=newest --lock
    python -m tests.bounds --versions=locked

Makes a new environment, installs what setup.py and its extras ask for in the
lowest versions (of what is asked for directly; the newest of the rest), in the
newest, or in those of requirements.lock, and runs tests in it that touch every
dependency but Spark. It takes some minutes, 3.5 GB of disk and the package
index. With `--lock` the core's versions are kept, with hashes, if all passed.
"""

import contextlib
import dataclasses
import importlib.util
import os
import subprocess
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from xml.etree import ElementTree

from tests.requirements import LOCK, ROOT, direct, pins
from tfrec import cli, settings
from tfrec.errors import InputError
from tfrec.settings import Settings, setting
from tfrec.table_text import Table

VERSIONS = ("lowest", "newest", "locked")
EXTRAS = ("dev", "tune", "reproduce", "spark")
# Spark's tests take minutes and Java: `python -m pytest -k spark`.
UNTESTED = frozenset(("pyspark",))
# What uses a dependency: a file of tests, or a command without its Python.
USED_BY: dict[str, str] = {
    "absl-py": "tests/test_cli.py",
    "duckdb": "tests/data/test_duckdb_engine.py",
    "filelock": "tests/training/test_files.py",
    "grpcio": "tests/serving/test_contract_grpc.py",
    "hypothesis": "tests/metrics/test_ranking.py",
    "ibis-framework": "tests/data/protocols/test_temporal.py",
    "keras": "tests/models/test_vaser.py",
    "matplotlib": (
        "-m benchmarks.energies --steps=2 --flows=2 --picture={folder}/e.png"
    ),
    "numpy": "tests/lists/test_making.py",
    "optuna": "tests/training/test_tuning.py",
    "orjson": "tests/serving/test_contract_rest.py",
    "polars": "tests/data/sources/test_frame.py",
    "pooch": "tests/data/test_download.py",
    "prometheus-client": "tests/serving/test_monitoring.py",
    "pyarrow": "tests/data/sources/test_parquet.py",
    "pytest": "tests/test_dependencies.py",
    "pytest-xdist": "tests/test_dependencies.py",
    "pyyaml": "tests/serving/test_operator_files.py",
    "ruff": "-m ruff check .",
    "scikit-learn": "tests/reproduction/test_drawings.py",
    "scipy": "tests/metrics/test_statistics.py",
    "selenium": "tests/explorer/test_browser.py",
    "setuptools": "tests/layers/test_planar_flow.py",
    "tensorboard": "tests/training/test_tensorboard.py",
    "tensorflow": "tests/data/test_records.py",
    "tensorflow-probability": "tests/layers/test_planar_flow.py",
    "tensorflow-serving-api": "tests/serving/test_contract_grpc.py",
    "tf-keras": "tests/layers/test_planar_flow.py",
    "tqdm": "tests/training/test_progress.py",
    "waitress": "tests/serving/test_http.py",
    "werkzeug": "tests/serving/test_contract_rest.py",
}
# By what uses a dependency: how many of its tests passed, failed, ...
Outcomes = Mapping[str, Counter]


@dataclasses.dataclass(frozen=True)
class BoundsConfig(Settings):
    """Which versions to test, and where."""

    versions: str = setting("lowest", "What to install.", choices=VERSIONS)
    python: str = setting("3.11", "Version, or path, of the Python to test.")
    folder: str = setting(
        "",
        "Where to make the environment; a folder that is not there yet. "
        "Empty: a temporary one, which is deleted.",
    )
    processes: int = setting(2, "Test processes at a time.", minimum=1)
    lock: bool = setting(
        False,
        f"Whether to write {LOCK.name} with the newest versions, if the tests "
        "passed: of Python 3.11 on Linux, x86-64.",
    )

    def __post_init__(self):
        super().__post_init__()
        if self.lock and (self.versions, self.python) != ("newest", "3.11"):
            raise InputError(
                "`--lock` keeps what was tested with `--versions=newest` and "
                f"`--python=3.11`. Received: {self.versions}, {self.python}."
            )


def main() -> None:
    """Installs, tests and prints as the flags say."""
    config = settings.from_flags(BoundsConfig)
    if importlib.util.find_spec("uv") is None:
        raise InputError("uv is not installed: pip install -e '.[audit]'")
    with new_folder(config.folder) as folder:
        print(f"Installing the {config.versions} versions into {folder}")
        python = install(config, folder)
        found = installed(python)
        outcomes = run(python, folder, config.processes)
        print(table(config, found, outcomes).render("text"))
        if failed := [name for name, count in outcomes.items() if bad(count)]:
            raise InputError(f"Failed: {', '.join(failed)}")
        if config.lock:
            write_lock(folder / "pins.txt")


@contextlib.contextmanager
def new_folder(name: str) -> Iterator[Path]:
    """Makes the folder of that name; without one a temporary one."""
    if not name:
        with tempfile.TemporaryDirectory(prefix="tfrec-bounds-") as folder:
            yield Path(folder)
        return
    folder = Path(name).resolve()
    try:
        folder.mkdir(parents=True)
    except OSError as error:
        raise InputError(f"`--folder` must be new: {error}.") from error
    yield folder


def uv(*arguments: str | Path) -> str:
    """Runs uv, niced; returns what it prints.

    Raises:
        InputError: If it fails.
    """
    command = ["nice", sys.executable, "-m", "uv", "--quiet", *arguments]
    result = subprocess.run(
        [str(part) for part in command],
        cwd=ROOT,
        text=True,
        stdout=subprocess.PIPE,
    )
    if result.returncode:
        raise InputError(f"uv {' '.join(map(str, arguments[:2]))} failed.")
    return result.stdout


def compiled(python: str, *arguments: str | Path) -> str:
    """Returns the versions that fit setup.py, as pinned requirements."""
    return uv(
        *("pip", "compile", "setup.py"),
        *(f"--python-version={python}", "--no-header", "--no-annotate"),
        *arguments,
    )


def install(config: BoundsConfig, folder: Path) -> Path:
    """Makes the environment; returns its Python."""
    environment, wanted = folder / "environment", folder / "pins.txt"
    # uv would fetch a Python that is not here.
    uv(
        *("venv", "--no-python-downloads"),
        *(f"--python={config.python}", environment),
    )
    python = environment / "bin" / "python"
    version = subprocess.run(
        [python, "-c", "import platform as p; print(p.python_version())"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout.strip()
    choice = {
        "lowest": ["--resolution=lowest-direct"],
        "newest": [],
        "locked": [f"--constraints={LOCK}"],
    }[config.versions]
    extras = [f"--extra={extra}" for extra in EXTRAS]
    wanted.write_text(compiled(version, *choice, *extras))
    into = ("pip", "install", f"--python={python}")
    if config.versions == "locked":
        uv(*into, "--require-hashes", f"--requirements={LOCK}")
    uv(*into, f"--requirements={wanted}")
    # With the setuptools that is to be tested.
    uv(*into, "--no-deps", "--no-build-isolation", "--editable=.")
    uv("pip", "check", f"--python={python}")
    return python


def installed(python: Path) -> dict[str, str]:
    """Returns the versions in an environment, by name."""
    return pins(uv("pip", "freeze", f"--python={python}"))


def run(python: Path, folder: Path, processes: int) -> Outcomes:
    """Runs what uses the dependencies."""
    uses = dict.fromkeys(USED_BY.values())
    files = [use for use in uses if use.endswith(".py")]
    report = folder / "tests.xml"
    tests = [
        *("-m", "pytest", f"--numprocesses={processes}"),
        *("-p", "no:cacheprovider", "--disable-warnings"),
        f"--junit-xml={report}",
        *("--override-ini=junit_family=xunit1", *files),
    ]
    status = _python(python, tests)
    found = dict(read_report(report)) if report.exists() else {}
    if status and not any(map(bad, found.values())):
        found["pytest"] = Counter(error=1)
    for use in uses:
        if use not in files:
            command = use.format(folder=folder).split()
            failed = _python(python, command)
            found[use] = Counter({"failed" if failed else "passed": 1})
    return found


def _python(python: Path, arguments: list[str]) -> int:
    environment = dict(os.environ, TF_CPP_MIN_LOG_LEVEL="2")
    # Nothing from beside the environment.
    environment.pop("PYTHONPATH", None)
    command = ["nice", str(python), *arguments]
    return subprocess.run(command, cwd=ROOT, env=environment).returncode


def read_report(path: Path) -> Outcomes:
    """Counts the outcomes in a report of pytest, by file of tests."""
    found: dict[str, Counter] = defaultdict(Counter)
    for case in ElementTree.parse(path).iter("testcase"):
        others = [child.tag for child in case]
        outcome = next(
            (o for o in ("failure", "error", "skipped") if o in others),
            "passed",
        )
        found[case.get("file") or case.get("name")][outcome] += 1
    return found


def bad(count: Counter) -> bool:
    """Whether a test failed, or none passed or was skipped."""
    return count.total() != count["passed"] + count["skipped"]


def table(
    config: BoundsConfig, found: Mapping[str, str], outcomes: Outcomes
) -> Table:
    """Lays out what was installed, and what became of its tests."""
    rows = []
    for name, requirement in sorted(direct(EXTRAS).items()):
        use = USED_BY.get(name, "not tested here")
        count = outcomes.get(use, {})
        shown = ", ".join(f"{n} {what}" for what, n in sorted(count.items()))
        bounds = str(requirement.specifier)
        rows.append([name, bounds, found.get(name, "-"), shown or "-"])
    tests = sum(outcomes.values(), Counter())
    total = ", ".join(f"{n} {what}" for what, n in sorted(tests.items()))
    return Table(
        f"The {config.versions} versions, Python {config.python}: {total}",
        ["", "asked for", "installed", "tests that use it"],
        rows,
    )


def write_lock(tested: Path) -> None:
    """Writes the core of what was tested, with the hashes of its files."""
    text = compiled(
        "3.11",
        *("--python-platform=x86_64-manylinux_2_28", "--generate-hashes"),
        f"--constraints={tested}",
    )
    LOCK.write_text(
        "# Of Python 3.11 on Linux, x86-64. Written by:\n"
        "#     python -m tests.bounds --versions=newest --lock\n" + text
    )
    print(f"Written: {LOCK.name}")


if __name__ == "__main__":
    cli.run(main, BoundsConfig)
