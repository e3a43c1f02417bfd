"""The log of requests: what it holds, its files, and a disk that is full."""

import contextlib
import resource
import stat
import threading

import numpy as np
import pytest
import tensorflow as tf
from google.protobuf import text_format
from grpc import StatusCode
from tensorflow_serving.apis.model_pb2 import ModelSpec
from tensorflow_serving.apis.prediction_log_pb2 import PredictionLog
from tensorflow_serving.config.model_server_config_pb2 import ModelConfig

from tests.serving.test_monitoring import samples
from tfrec.errors import InputError
from tfrec.serving import request_collector, request_log
from tfrec.serving.config import ServerConfig
from tfrec.serving.monitoring import Monitoring
from tfrec.serving.request_files import LogFiles
from tfrec.serving.request_log import RequestLogs

MODELS = [ModelConfig(name="toy"), ModelConfig(name="other")]
INPUTS = {"history": np.array([[b"a", "größe".encode(), b""]], object)}
OUTPUTS = {
    "items": np.array([[b"c", b"d"]], object),
    "scores": np.array([[-0.5, -1.5]], np.float32),
}


def spec(name="toy", **more):
    found = ModelSpec(name=name, **more)
    found.version.value = 7
    return found


def read(*paths):
    return [
        PredictionLog.FromString(record)
        for path in paths
        for record in tf.data.TFRecordDataset(str(path)).as_numpy_iterator()
    ]


def logs(tmp_path, monitoring=None, **flags):
    flags = {"log_requests": tmp_path / "log" / "r", "log_sampling": 1, **flags}
    found = RequestLogs(ServerConfig(**flags), monitoring or Monitoring())
    found.follow(MODELS)
    return found


def record(log, name="toy", asked=None):
    log.record(asked or spec(name), spec(name), INPUTS, ["items"], OUTPUTS)


def test_a_record_is_what_tensorflow_serving_writes(tmp_path):
    log = logs(tmp_path)
    record(log, asked=ModelSpec(name="toy", version_label="stable"))
    log.close()
    (path,) = (tmp_path / "log").iterdir()
    (found,) = read(path)
    metadata, predict = found.log_metadata, found.predict_log
    assert metadata.model_spec == spec()
    assert metadata.sampling_config.sampling_rate == 1
    assert metadata.timestamp_secs > 1_700_000_000
    assert predict.request.model_spec.version_label == "stable"
    assert predict.request.output_filter == ["items"]
    assert predict.response.model_spec == spec()
    for protos, arrays in (
        (predict.request.inputs, INPUTS),
        (predict.response.outputs, OUTPUTS),
    ):
        assert set(protos) == set(arrays)
        for name, array in arrays.items():
            np.testing.assert_array_equal(tf.make_ndarray(protos[name]), array)


def test_only_the_owner_reads_and_nothing_is_made_before_a_request(tmp_path):
    log = logs(tmp_path)
    assert list((tmp_path / "log").iterdir()) == []
    record(log)
    log.close()
    (path,) = (tmp_path / "log").iterdir()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_off_by_default():
    log = RequestLogs(ServerConfig(), Monitoring())
    assert log.follow(MODELS) == MODELS
    record(log)
    log.close()


def test_a_share_is_logged_and_says_which(tmp_path, monkeypatch):
    drawn = iter([0.0, 0.249, 0.25, 0.9])
    monkeypatch.setattr(request_log.random, "random", lambda: next(drawn))
    log = logs(tmp_path, log_sampling=0.25)
    for _ in range(4):
        record(log)
    log.close()
    found = read(*(tmp_path / "log").iterdir())
    rates = [one.log_metadata.sampling_config.sampling_rate for one in found]
    assert rates == [0.25, 0.25]


def configured(text):
    return [text_format.Parse(f'name: "toy" {text}', ModelConfig())]


def test_models_config_says_what_is_logged_of_a_model(tmp_path):
    prefix = f'log_collector_config {{ filename_prefix: "{tmp_path}/own/x" }}'
    rate = "sampling_config { sampling_rate: 1 }"
    log = logs(tmp_path)
    log.follow(
        [
            *configured(f"logging_config {{ {prefix} {rate} }}"),
            ModelConfig(name="other"),
        ]
    )
    record(log)
    record(log, "other")
    # From now on nothing of the first.
    log.follow(configured(f"logging_config {{ {prefix} }}"))
    record(log)
    log.close()
    (path,) = (tmp_path / "own").iterdir()
    assert path.name.startswith("x-")
    assert [r.log_metadata.model_spec.name for r in read(path)] == ["toy"]
    (path,) = (tmp_path / "log").iterdir()
    assert [r.log_metadata.model_spec.name for r in read(path)] == ["other"]


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ('log_collector_config { type: "x" }', "type 'file'.*type: \"x\""),
        ("sampling_config { attributes: 1 }", "nothing else"),
        ("sampling_config { sampling_rate: 0.5 }", "no prefix and 0.5"),
        (
            'log_collector_config { filename_prefix: "p" } '
            "sampling_config { sampling_rate: 2 }",
            "from 0 to 1. Received: p and 2",
        ),
    ],
)
def test_what_cannot_be_done_is_refused_and_all_stays(tmp_path, text, match):
    log = logs(tmp_path)
    threads = threading.active_count()
    with pytest.raises(InputError, match=match):
        log.follow(configured(f"logging_config {{ {text} }}"))
    assert threading.active_count() == threads
    record(log)
    log.close()
    assert len(read(*(tmp_path / "log").iterdir())) == 1


def test_a_prefix_that_cannot_be_is_named(tmp_path):
    with pytest.raises(InputError, match=r"`--log_requests` must be a folder"):
        logs(tmp_path, log_requests=tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=r"`--log_requests` must be in.*file"):
        logs(tmp_path, log_requests=tmp_path / "file" / "r")
    with pytest.raises(InputError, match="`--log_sampling` means nothing"):
        ServerConfig(log_sampling=0.5)


def test_files_are_rotated_and_the_oldest_deleted(tmp_path):
    other = tmp_path / "r-mine.tfrecord"
    other.touch()
    files = LogFiles(str(tmp_path / "r"), 250, 3, "")
    for number in range(20):
        files.write(b"%03d" % number * 28)
    files.close()
    paths = sorted(path for path in tmp_path.iterdir() if path != other)
    # Two records of 84 bytes, and 16 around each, are in a file.
    assert [path.stat().st_size for path in paths] == [200, 200, 200]
    found = [
        int(record[:3])
        for path in paths
        for record in tf.data.TFRecordDataset(str(path)).as_numpy_iterator()
    ]
    assert found == [14, 15, 16, 17, 18, 19]
    assert other.exists()


@contextlib.contextmanager
def full_disk(size):
    """Has the system refuse to let a file grow beyond a size."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_full_disk_is_counted_said_once_and_survived(
    tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr(request_collector, "_PAUSE_SECONDS", 0.0)
    monitoring = Monitoring()
    log = logs(tmp_path, monitoring)
    seen = threading.Semaphore(0)
    observe = monitoring.observe_log

    def observed(*what):
        observe(*what)
        seen.release()

    (collector,) = log._collectors.values()
    monkeypatch.setattr(collector, "_observe", observed)

    def one():
        record(log)
        assert seen.acquire(timeout=30)

    one()
    (path,) = (tmp_path / "log").iterdir()
    size = path.stat().st_size
    with full_disk(size + 10):
        one()
        # It fits into a file of its own.
        one()
    assert path.stat().st_size == size
    with full_disk(10):
        one()
        one()
    one()
    log.close()
    assert len(read(*(tmp_path / "log").iterdir())) == 3
    found = samples(monitoring.text().decode())
    count = ":tensorflow:serving:request_log_count"
    toy = ("model_name", "toy")
    assert found[count, toy, ("status_code", "OK")] == 3
    assert found[count, toy, ("status_code", "UNAVAILABLE")] == 3
    first, *lines = capsys.readouterr().err.splitlines()
    assert first == f"Requests are logged in {tmp_path}/log/r-*.tfrecord."
    assert [line.partition(";")[0].partition(":")[0] for line in lines] == [
        "Requests cannot be logged",
        "Requests are logged again",
    ] * 2
    assert lines[1].endswith("; 1 were not.")
    assert lines[3].endswith("; 2 were not.")


def test_a_bug_with_one_request_does_not_end_the_log(tmp_path, monkeypatch):
    monkeypatch.setattr(request_collector, "_PAUSE_SECONDS", 0.0)
    counted = []
    collector = request_collector.Collector(
        LogFiles(str(tmp_path / "r"), 2**20, 2, ""),
        lambda _, code: counted.append(code),
    )
    wrong = {"history": np.array([[{}]], object)}
    for inputs in (INPUTS, wrong, INPUTS):
        collector.put(
            request_collector.Answered(spec(), spec(), inputs, [], OUTPUTS)
        )
    collector.close()
    assert counted == [StatusCode.OK, StatusCode.INTERNAL, StatusCode.OK]
    assert len(read(*tmp_path.iterdir())) == 2


def test_more_than_can_wait_is_dropped_and_counted(tmp_path, monkeypatch):
    class Stuck(LogFiles):
        go = threading.Event()

        def write(self, record):
            self.go.wait(30)
            super().write(record)

    counted = []
    collector = request_collector.Collector(
        Stuck(str(tmp_path / "r"), 2**20, 2, ""),
        lambda _, code: counted.append(code),
    )
    answered = request_collector.Answered(spec(), spec(), INPUTS, [], OUTPUTS)
    monkeypatch.setattr(request_collector, "_MOST_BYTES", 2 * answered.size + 1)
    for _ in range(9):
        collector.put(answered)
    dropped = len(counted)
    assert 6 <= dropped <= 7
    Stuck.go.set()
    collector.close()
    assert counted.count(StatusCode.OK) == 9 - dropped
    assert counted.count(StatusCode.RESOURCE_EXHAUSTED) == dropped
    assert len(read(*tmp_path.iterdir())) == 9 - dropped
    # One that was being answered when the log was closed.
    collector.put(answered)
    assert counted[-1] == StatusCode.UNAVAILABLE


def test_what_waits_is_counted_in_bytes():
    long = {"history": np.array([[b"x" * 10**6]], object)}
    answered = request_collector.Answered(spec(), spec(), long, [], OUTPUTS)
    assert 10**6 < answered.size < 1.001 * 10**6
