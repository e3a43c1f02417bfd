import dataclasses
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from tests.prepared import prepare_sequences
from tests.toy import toy_data
from tfrec.batches import Query
from tfrec.errors import InputError, InputWarning
from tfrec.models import ACVAEConfig
from tfrec.training import TrainingConfig, load_run
from tfrec.training.run import build, explained


@pytest.fixture(scope="module")
def run(finished_run):
    return load_run(finished_run.run_dir)


def test_a_loaded_run_repeats_its_numbers_exactly(run, finished_run):
    saved = json.loads(Path(finished_run.run_dir, "metrics.json").read_text())
    found = run.evaluate()
    assert found == {name: saved[name] for name in found}
    best = run.evaluate("validation")
    assert best["metrics"]["ndcg@10"] == saved["validation"]["ndcg@10"]
    assert best["split"] == "validation"


def test_a_validation_that_was_trained_on_says_so(run):
    config = dataclasses.replace(run.config, fit_on="all")
    with pytest.warns(InputWarning, match=r"trained on the validation split"):
        dataclasses.replace(run, config=config).evaluate("validation")


def test_recommendations_have_titles_and_leave_out_the_history(run):
    best, unknown = run.recommend(["item 3", "nothing", "item 5"], k=10)
    assert unknown == ["nothing"]
    assert len(best) == 10
    assert {"item 3", "item 5"}.isdisjoint(item for item, _, _ in best)
    assert all(
        title == item.replace("item", "Title") for item, title, _ in best
    )
    scores = [score for _, _, score in best]
    assert scores == sorted(scores, reverse=True)
    expected = run.model.score(Query.of(np.int32([[3, 5]])))[0]
    index = int(best[0].item.split()[1]) - 1
    assert scores[0] == pytest.approx(float(expected[index]))


def test_a_history_without_any_known_item_is_an_error_that_helps(run):
    with pytest.raises(InputError, match=r"such as item 1, item 2.*: x, y\."):
        run.recommend(["x", "y"])


@pytest.mark.parametrize(
    "given", [[["item 1"], ["item 2"]], "item 1", [1, 2], ["item 1", None]]
)
def test_what_is_not_one_history_is_refused(given, run):
    with pytest.raises(InputError, match="must be the item ids of one history"):
        run.recommend(given)


def test_k_is_bounded_by_the_items_left(run):
    with pytest.raises(InputError, match=r"between 1 and 11,.*Received: 12"):
        run.recommend(["item 3", "item 3"], k=12)


def test_data_that_has_moved_can_be_named(copied_run, data, tmp_path):
    moved = tmp_path / "moved"
    shutil.copytree(data.data_dir, moved)
    path = Path(copied_run.run_dir, "config.json")
    saved = json.loads(path.read_text())
    saved["data_dir"] = str(tmp_path / "gone")
    path.write_text(json.dumps(saved))
    with pytest.raises(InputError, match="gone"):
        load_run(copied_run.run_dir)
    run = load_run(copied_run.run_dir, data_dir=moved)
    assert run.data.data_dir == moved


def test_history_that_is_ranked_cannot_be_excluded_in_training(tmp_path):
    sessions = [[1, 2, 3], [2, 3, 1]]
    data = prepare_sequences(
        tmp_path,
        train=sessions,
        validation=[(session, []) for session in sessions],
        test=[(session, []) for session in sessions],
        num_items=3,
        protocol="next_click",
    )
    with pytest.raises(
        InputError, match=r"`--exclude_history`.*history ranked"
    ):
        build(data, TrainingConfig(), ACVAEConfig(exclude_history=True))


def test_an_evaluation_may_take_less_memory(copied_run, monkeypatch):
    run = load_run(
        copied_run.run_dir, evaluation_batch_size=5, evaluation_block_items=3
    )
    assert run.model.evaluation_block_items == 3
    assert run.config.evaluation_batch_size == 5
    whole = load_run(copied_run.run_dir)
    assert run.evaluate() == whole.evaluate()

    def fail(*args, **kwargs):
        raise tf.errors.ResourceExhaustedError(None, None, "OOM")

    monkeypatch.setattr(run.model, "rank", fail)
    # Flags that the command has.
    named = "of `--evaluation_batch_size`, `--evaluation_block_items`. "
    with pytest.raises(InputError, match=named):
        run.evaluate()


def test_a_vocabulary_of_other_data_does_not_match(copied_run, tmp_path):
    other = toy_data(tmp_path / "other", seed=1)
    with pytest.raises(InputError, match="items and sequences do not match"):
        load_run(copied_run.run_dir, data_dir=other.data_dir)


def test_a_folder_that_is_no_run_is_reported(tmp_path):
    with pytest.raises(InputError, match=r"which has no config\.json"):
        load_run(tmp_path)


def test_a_run_of_another_format_is_refused(copied_run):
    path = Path(copied_run.run_dir, "config.json")
    path.write_text(path.read_text().replace('version": 2', 'version": 1'))
    with pytest.raises(InputError, match="format version 1; this tfrec"):
        load_run(copied_run.run_dir)


@pytest.mark.parametrize(
    ("text", "other"),
    [
        ('"seed": 0', '"seed": 4'),
        ('"batch_size": 6', '"batch_size": 7'),
        ('"max_length": 10', '"max_length": 18'),
        ('"protocol": "holdout"', '"protocol": "holdou4"'),
        ('"learning_rate"', '"learning_rave"'),
    ],
)
def test_a_changed_description_is_refused(copied_run, text, other):
    path = Path(copied_run.run_dir, "config.json")
    content = path.read_text()
    assert text in content
    path.write_text(content.replace(text, other))
    with pytest.raises(InputError, match=r"config\.json was changed after"):
        load_run(copied_run.run_dir)


def test_a_description_of_an_earlier_tfrec_has_no_checksum(copied_run):
    path = Path(copied_run.run_dir, "config.json")
    saved = json.loads(path.read_text())
    del saved["checksum"]
    path.write_text(json.dumps(saved))
    load_run(copied_run.run_dir)
    del saved["model"]
    path.write_text(json.dumps(saved))
    with pytest.raises(InputError, match=r"config\.json.*has no model"):
        load_run(copied_run.run_dir)


def test_scores_that_are_no_numbers_are_told(finished_run, monkeypatch):
    run = load_run(finished_run.run_dir)
    monkeypatch.setattr(
        run.model,
        "score",
        lambda query: tf.fill([tf.shape(query.history)[0], 12], np.nan),
    )
    with pytest.raises(InputError, match="scores that are no numbers"):
        run.evaluate("test")


def test_too_little_memory_says_what_to_lower(data):
    error = tf.errors.ResourceExhaustedError(None, None, "OOM when allocating")
    with (
        pytest.raises(InputError, match="Lower one of `--batch_size`, `--x`"),
        explained(data, "batch_size", "x"),
    ):
        raise error


def test_errors_of_the_program_stay_what_they_are(data):
    error = tf.errors.InvalidArgumentError(None, None, "shapes differ")
    with pytest.raises(tf.errors.InvalidArgumentError), explained(data):
        raise error
