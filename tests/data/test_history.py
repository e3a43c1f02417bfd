"""Items of the history among the targets: counted, warned of, or ranked."""

import warnings

import numpy as np
import pytest

from tests.data.protocols.test_next_click import session_config
from tests.data.test_preparation import make_config
from tests.prepared import prepare_sequences
from tfrec.data import DataConfig, PreparedDataset, card, prepare
from tfrec.errors import InputError, InputWarning

# Everybody consumes the same three things again and again.
LINES = [f"u{u},i{n % 3},{n}" for u in range(4) for n in range(20)]


def test_what_can_only_be_missed_is_counted_and_warned_of(tmp_path):
    with pytest.warns(InputWarning) as found:
        data = prepare(make_config(tmp_path, LINES))
    (warning,) = (w for w in found if w.category is InputWarning)
    assert "12 of 12 test targets (100.0%)" in str(warning.message)
    assert "--rank_history" in str(warning.message)
    held = data.manifest.splits
    assert (held["test"]["targets"], held["test"]["targets_in_history"]) == (
        12,
        12,
    )
    text = "that the history holds: validation 4 of 4 (100.0%), test 12 of 12"
    assert text in card(data)
    # Once for each split, of each dataset that is opened.
    opened = PreparedDataset.open(data.data_dir)
    for split in ("validation", "test"):
        with pytest.warns(InputWarning, match=f"{split} targets"):
            opened.evaluation(split)
        with warnings.catch_warnings():
            warnings.simplefilter("error", InputWarning)
            opened.evaluation(split)


def test_a_history_that_is_ranked_is_excluded_nowhere(tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("error", InputWarning)
        data = prepare(make_config(tmp_path, LINES, rank_history=True))
        batches = list(data.evaluation("test").as_numpy_iterator())
    assert not data.protocol.exclude_history
    assert data.describe("test") == "holdout 0.2, history ranked, 4 users"
    assert {batch.excluded.shape[1] for batch in batches} == {0}
    assert sum(np.count_nonzero(batch.targets) for batch in batches) == 12


def test_a_dataset_is_ranked_in_one_way(tmp_path):
    assert "rank_history" in DataConfig().identity()
    prepare(make_config(tmp_path, LINES, rank_history=True))
    with pytest.raises(
        InputError, match=r"rank_history=True .asked for: False"
    ):
        prepare(make_config(tmp_path))


@pytest.mark.filterwarnings("error::tfrec.errors.InputWarning")
def test_no_repetition_no_warning(tmp_path):
    data = prepare_sequences(tmp_path, [[1, 2]], test=[([1, 2], [3])])
    data.evaluation("test")


@pytest.mark.filterwarnings("error::tfrec.errors.InputWarning")
def test_sessions_rank_the_history_and_count_it(tmp_path):
    config = session_config(tmp_path, ["a b a"] * 20, ["a b a a"])
    data = prepare(config)
    data.evaluation("test")
    assert data.manifest.splits["test"]["targets_in_history"] == 2
    assert "test 2 of 3 (66.7%)" in card(data)
    with pytest.raises(InputError, match="`--rank_history` means nothing with"):
        DataConfig(protocol="next_click", rank_history=True)
