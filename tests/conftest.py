"""What every test shares: a quiet, small TensorFlow and the real data sets."""

import gc
import os

# Read when TensorFlow is imported, so they come before the import.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("OMP_NUM_THREADS", "2")

import pathlib
import signal
import zlib

import keras
import pytest
import tensorflow as tf

# Small tensors gain nothing from many threads, and processes that run beside
# each other lose by them. Two logical CPU devices let
# MirroredStrategy(["CPU:0", "CPU:1"]) be tested without an accelerator; they
# can only be made before TensorFlow initialises, hence once for all tests.
tf.config.threading.set_intra_op_parallelism_threads(
    1 if "PYTEST_XDIST_WORKER" in os.environ else 2
)
# To optimise a graph takes longer than to run it the few times that a test
# does. What a user starts, tests start as processes: these optimise.
tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})
tf.config.threading.set_inter_op_parallelism_threads(2)
tf.config.set_logical_device_configuration(
    tf.config.list_physical_devices("CPU")[0],
    [tf.config.LogicalDeviceConfiguration()] * 2,
)

# What is imported stays: a collection of garbage need not walk through it,
# and what tests leave is little.
gc.freeze()
gc.set_threshold(20_000, 50, 50)

# A shell without job control starts background jobs deaf to SIGINT, and what
# they start inherits that: the tests of interruptions would wait in vain.
signal.signal(signal.SIGINT, signal.default_int_handler)


# The contracts share models that were trained: one process runs all of a model.
# What takes longest is begun first, so that no process waits long at the end.
_CONTRACTS = "tests/models/test_contract_"
_ORDER = (
    _CONTRACTS,
    "tests/training/",
    "tests/test_",
    "tests/data/test_spark",
    "tests/models/base/",
    "tests/serving/",
    "tests/re",
    "tests/models/",
)


def pytest_addoption(parser):
    """Adds the choice to run what takes long."""
    parser.addoption("--long", action="store_true", help="run long tests too")


# After others have marked theirs.
@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config, items):
    """Lays down the order of the files, and what is left out."""
    if not config.getoption("--long"):
        left = pytest.mark.skip(reason="long: `make test-all` runs it")
        for item in items:
            if item.get_closest_marker("long"):
                item.add_marker(left)

    def place(item):
        starts = map(item.nodeid.startswith, _ORDER)
        return next((i for i, found in enumerate(starts) if found), len(_ORDER))

    items.sort(key=place)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """Gives a process whole files, since their tests share fixtures."""
    from xdist.scheduler import LoadScopeScheduling

    class Files(LoadScopeScheduling):
        def _split_scope(self, nodeid):
            file, _, test = nodeid.partition("::")
            if not file.startswith(_CONTRACTS):
                return file
            # All contracts of a model, and with it of every second one.
            model = test.partition("[")[2].partition("-")[0].rstrip("]")
            return f"{_CONTRACTS}{zlib.crc32(model.encode()) % 2}"

    return Files(config, log)


@pytest.fixture(autouse=True)
def random_seed():
    """Seeds Python, NumPy and TensorFlow, so that a failure repeats."""
    keras.utils.set_random_seed(0)


@pytest.fixture(scope="session")
def real_data() -> pathlib.Path:
    """The folder of real data sets, or a skip that says how to give it."""
    folder = os.environ.get("TFREC_REAL_DATA")
    if not folder:
        pytest.skip("TFREC_REAL_DATA names no folder of real data sets")
    path = pathlib.Path(folder)
    if not path.is_dir():
        pytest.fail(f"TFREC_REAL_DATA names no folder: {folder}")
    return path
