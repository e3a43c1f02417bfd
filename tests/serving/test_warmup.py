import numpy as np
import tensorflow as tf
from tensorflow_serving.apis.prediction_log_pb2 import PredictionLog

from tfrec.serving.warmup import example_inputs, write_warmup

ITEMS = ["a", "ü", "c d"]


def test_every_signature_is_warmed_up(tmp_path):
    names = ["serving_default", "score", "among", "sample", "encode"]
    write_warmup(tmp_path, "mine", names, ITEMS)
    path = tmp_path / "assets.extra" / "tf_serving_warmup_requests"
    asked = []
    for record in tf.data.TFRecordDataset(str(path)).as_numpy_iterator():
        log = PredictionLog.FromString(record)
        request = log.predict_log.request
        assert request.model_spec.name == "mine"
        asked.append(request.model_spec.signature_name)
        inputs = {k: tf.make_ndarray(v) for k, v in request.inputs.items()}
        rows = {len(value) for value in inputs.values()}
        assert len(rows) == 1
        assert set(inputs["history"].ravel()) <= {i.encode() for i in ITEMS}
    assert asked == [name for name in names for _ in range(2)]
    assert len(asked) <= 1000  # All that servers replay.


def test_inputs_are_padded_at_the_end():
    rng = np.random.default_rng(0)
    inputs = example_inputs("sample", [["a"], [], ["a", "c d"]], ITEMS, rng)
    expected = [["a", ""], ["", ""], ["a", "c d"]]
    assert inputs["history"].tolist() == expected
    assert inputs["seed"].shape == (3, 2)
    assert inputs["seed"].dtype == np.int64
    scored = example_inputs("score", [[]], ITEMS, rng)
    assert scored["history"].shape == (1, 0)
    assert set(scored["candidates"].ravel()) <= set(ITEMS)
    among = example_inputs("among", [[]] * 3, ITEMS, rng, ["u"])
    assert set(among["allowed"][1]) == {""}
    assert set(among["allowed"][::2].ravel()) <= set(ITEMS)
    assert among["denied"].shape == (3, 3)
    assert set(among["user"]) <= {"", "u"}
    assert "user" not in example_inputs("among", [[]], ITEMS, rng)
