import collections

from benchmarks.pipeline import read, repeat
from tests.prepared import prepare_sequences


def test_a_repeated_data_set_has_each_sequence_equally_often(tmp_path):
    rows = [[i + 1, i + 2, i + 3] for i in range(20)]
    data = prepare_sequences(tmp_path / "data", rows)
    size = sum(s["bytes"] for s in data.manifest.splits["train"]["shards"])
    large = repeat(data, tmp_path / "large", shards=3, size=6.2 * size)
    stream = large.training(8)
    found = collections.Counter(
        tuple(row)
        for batch in stream.as_numpy_iterator()
        for row in batch.items.tolist()
    )
    assert found == {tuple(row): 6 for row in rows}
    assert len(stream) == large.steps_per_epoch(8)
    assert read(stream)[1:] == (120, 360)
