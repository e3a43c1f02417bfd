"""The generated clicks are of the format of the published ones."""

from benchmarks.yoochoose import write_log
from tfrec.data import DataConfig, prepare


def test_a_generated_log_is_prepared(tmp_path):
    log = tmp_path / "yoochoose-clicks.dat"
    write_log(log, 1000)
    lines = log.read_text().splitlines()
    assert 700 < len(lines) < 1400
    assert lines[0].startswith("1,2014-0")
    data = prepare(
        DataConfig(
            dataset="yoochoose",
            protocol="next_click",
            raw_dir=str(log),
            data_dir=str(tmp_path / "out"),
            min_sequence_length=2,
            # The days are as many as in the whole log.
            test_days=40,
            unseen_items="keep",
        )
    )
    raw, longer, *_ = data.manifest.counts
    assert raw["interactions"] == len(lines)
    assert raw["sequences"] == int(lines[-1].split(",")[0])
    # Sessions of one click, 13.5%.
    assert 0.75 < longer["sequences"] / raw["sequences"] < 0.95
    assert data.examples("train") > data.examples("test") > 0
