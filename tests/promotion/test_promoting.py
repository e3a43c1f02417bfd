"""Tests of the gate, with counts: what passes, what is refused."""

import dataclasses
import json
import re
import shutil

import numpy as np
import pytest
import tensorflow as tf

from tests.models import contract
from tests.promotion.gates import Answering, copying, refused
from tfrec import promote as command
from tfrec.errors import InputError
from tfrec.integrity import file_checksum
from tfrec.metrics.ranks import Ranks
from tfrec.promotion import promoting
from tfrec.promotion.config import PromotionConfig
from tfrec.promotion.promoting import promote
from tfrec.serving import exporting
from tfrec.serving.checksums import check_checksums, write_checksums
from tfrec.serving.config import DestinationConfig
from tfrec.serving.model_config_file import changing
from tfrec.serving.verification import DisagreementError
from tfrec.training import TrainingConfig, train


@pytest.fixture(scope="module", autouse=True)
def quick():
    """Expects as much of every item: to count them is traced each time."""
    with pytest.MonkeyPatch.context() as patch:
        each = np.full(
            contract.NUM_ITEMS, -np.log(contract.NUM_ITEMS), np.float32
        )
        patch.setattr(exporting, "popular_scores", lambda *_: each)
        yield


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run of pop, trained without tracing."""
    folder = tmp_path_factory.mktemp("runs")
    config = TrainingConfig(model="pop", run_dir=folder / "r", verbose="none")
    tf.config.run_functions_eagerly(True)
    try:
        train(contract.prepare(folder / "data"), config)
    finally:
        tf.config.run_functions_eagerly(False)
    return folder / "r"


@pytest.fixture(scope="module")
def first(run, tmp_path_factory):
    """A folder of models with what was promoted first; not to be changed."""
    folder = tmp_path_factory.mktemp("models")
    found = gate(run, folder, label="stable")
    assert found.difference is None
    assert found.labels == {"stable": 1}
    return folder


@pytest.fixture
def models(first, tmp_path):
    """A copy of that folder."""
    shutil.copytree(first, tmp_path / "models")
    return tmp_path / "models"


@pytest.fixture
def better(run, tmp_path):
    """A run that has every target in the first place."""
    shutil.copytree(run, tmp_path / "better")
    ranks = Ranks.load(run / "ranks.npz")
    best = np.minimum(ranks.targets, 1)
    with open(tmp_path / "better" / "ranks.npz", "wb") as file:
        dataclasses.replace(ranks, targets=best).save(file)
    return tmp_path / "better"


def gate(candidate, folder, version=1, **settings):
    settings = {"latency_requests": 3, **settings}
    return promote(
        PromotionConfig(candidate=candidate, **settings),
        DestinationConfig(export_dir=folder, name="home", k=3, version=version),
    )


def test_a_version_has_a_card_and_its_ranks(first, run):
    version = first / "home" / "1"
    card = json.loads((version / "assets.extra" / "card.json").read_text())
    numbers = json.loads((run / "metrics.json").read_text())
    assert card["model"] == "pop"
    assert card["protocol"] == numbers["protocol"]
    assert card["scores"] == numbers["metrics"]
    assert card["data"]["checksum"] == numbers["data_checksum"]
    assert card["data"]["items"] == contract.NUM_ITEMS
    assert card["comparison"] is None
    assert card["latency"]["requests"] == 3
    assert 0 < card["latency"]["p50_ms"] <= card["latency"]["p99_ms"]
    size = exporting.megabytes(version)
    assert 0.5 * size < card["size_mb"] < size
    assert card["versions"]["training"] == numbers["versions"]
    assert card["checksums"] == {
        name: file_checksum(run / name)
        for name in ("config.json", "metrics.json", "ranks.npz")
    }
    assert "--model=pop" in card["commands"]["train"]
    assert "--label=stable" in card["commands"]["promote"]
    assert "--name=home" in card["commands"]["promote"]
    ranks = Ranks.load(version / "assets.extra" / "ranks.npz")
    assert len(ranks.targets) == contract.NUM_USERS


def test_the_checksums_of_a_version_are_those_of_its_card_too(models, run):
    version = models / "home" / "1"
    check_checksums(version)
    lines = (version / "SHA256SUMS").read_text()
    for name in ("card.json", "ranks.npz", "tf_serving_warmup_requests"):
        assert f"  assets.extra/{name}\n" in lines
    assert "SHA256SUMS\n" not in lines
    path = version / "assets.extra" / "card.json"
    path.write_bytes(path.read_bytes().replace(b'"pop"', b'"top"', 1))
    with refused(models, r"card\.json was changed: expected"):
        gate(run, models, 2, against=version)


def test_a_worse_candidate_is_refused(models, run, better):
    message = (
        r"r is worse\. NDCG@10 is \.\d{4} against 1\.0000 of \S+/better: "
        r"-0\.\d{4} \[-0\.\d{4}, -0\.\d{4}\] over 27 users; the upper end must "
        r"be at least 0\. Nothing was exported\."
    )
    with refused(models, message):
        gate(run, models, 2, against=better)
    # As it is against a version with such ranks.
    version = models / "home" / "1"
    shutil.copy(better / "ranks.npz", version / "assets.extra")
    write_checksums(version)
    with refused(models, message.replace("better", "home/1")):
        gate(run, models, 2, against=version)


def test_a_candidate_that_is_as_good_becomes_a_canary(
    models, run, monkeypatch, capsys
):
    monkeypatch.setattr(promoting, "export", copying)
    configs = {
        PromotionConfig: PromotionConfig(
            candidate=run,
            # The version that is stable.
            against=models / "home",
            max_loss=0.01,
            latency_requests=2,
            max_latency_ms=1e9,
            label="canary",
        ),
        DestinationConfig: DestinationConfig(
            export_dir=models, name="home", k=3, version=2
        ),
    }
    monkeypatch.setattr(command.settings, "from_flags", configs.get)
    monkeypatch.setattr(tf.config, "set_visible_devices", lambda *_: None)
    command.main()
    compared, latency, size, *files, canary, stable = (
        capsys.readouterr().out.splitlines()
    )
    assert re.fullmatch(
        r"NDCG@10 is (\.\d{4}) against \1 of \S+/home/1: \+0\.0000 "
        r"\[\+0\.0000, \+0\.0000\] over 27 users: not worse\.",
        compared,
    )
    assert latency.startswith("2 requests, one by one: half take up to ")
    assert latency.endswith("(at most 1e+09 ms).")
    assert size.endswith(" MB (no bound).")
    version = models / "home" / "2"
    card = version / "assets.extra" / "card.json"
    assert files == [f"Answers as {run} does: {version}", f"Its card: {card}"]
    assert canary == "canary: version 2 of home"
    assert stable == "stable: version 1 of home"
    comparison = json.loads(card.read_text())["comparison"]
    assert comparison["against"] == str(models / "home" / "1")
    assert comparison["candidate"] == comparison["incumbent"]

    def label(folder=models, **settings):
        settings = {"against": models / "home", **settings}
        return promote(
            PromotionConfig(candidate=version, **settings),
            DestinationConfig(export_dir=folder),
        )

    with refused(models, "`--label` must be given: "):
        label()
    with refused(models, "or a version below `--export_dir`"):
        label(models / "home", label="stable")
    with refused(models, "and `--max_latency_ms` is 1e-06"):
        label(label="stable", max_latency_ms=1e-6)
    found = label(label="stable", max_loss=0)
    assert found.labels == {"stable": 2, "canary": 2}
    assert (found.version, found.difference.users) == (version, 27)


def test_the_card_says_what_an_index_finds(models, run, monkeypatch):
    monkeypatch.setattr(promoting, "export", copying)
    settings = {"export_dir": models, "index": "partitioned"}
    found = promote(
        PromotionConfig(candidate=run, latency_requests=2),
        DestinationConfig(
            **settings, name="home", k=3, version=2, index_recall=0.9
        ),
    )
    assert (found.index.recall, found.index.least_recall) == (0.93, 0.9)
    card = json.loads(
        (found.version / "assets.extra" / "card.json").read_text()
    )
    assert card["index"] == dataclasses.asdict(found.index)
    assert "--index_recall=0.9" in card["commands"]["promote"]
    with refused(models, "`--index` means nothing with a version as"):
        promote(
            PromotionConfig(candidate=found.version, label="stable"),
            DestinationConfig(**settings),
        )


def test_a_bound_that_is_exceeded_leaves_nothing(run, tmp_path, monkeypatch):
    monkeypatch.setattr(exporting, "verify", lambda *_: None)
    monkeypatch.setattr(exporting, "Servable", lambda *_: Answering())
    # No answer takes a nanosecond.
    match = r"99% of 3 requests take up to \S+ ms, and `--max_latency_ms` is"
    with refused(tmp_path, match):
        gate(run, tmp_path / "new" / "models", max_latency_ms=1e-6)


def test_other_answers_than_the_runs_are_refused(models, run, monkeypatch):
    def differs(*_):
        raise DisagreementError("It differs: expected 1, received 2.")

    # That nothing is left then is tested with the exports.
    monkeypatch.setattr(promoting, "export", differs)
    with refused(models, "expected 1, received 2. Nothing was exported"):
        gate(run, models, 2)


def test_what_is_served_meanwhile_is_kept(models, run, monkeypatch):
    def export(run, export_dir, name, k, version, judge, index_recall):
        with changing(models) as served:
            served.add("another")
        folder = models / name / "5"
        folder.mkdir(parents=True)
        return folder

    monkeypatch.setattr(promoting, "export", export)
    gate(run, models, 5)
    text = (models / "models.config").read_text()
    assert text.count('name: "another"') == text.count('name: "home"') == 1


def test_labels_that_cannot_be_written_leave_nothing(models, run, monkeypatch):
    def export(run, export_dir, name, k, version, judge, index_recall):
        folder = models / name / "5"
        folder.mkdir(parents=True)
        return folder

    monkeypatch.setattr(promoting, "export", export)
    with refused(models, "Cannot write .*no such/x: "):
        promote(
            PromotionConfig(candidate=run, label="stable"),
            DestinationConfig(
                export_dir=models,
                name="new",
                model_config_file=models / "no such" / "x",
            ),
        )


def test_a_version_of_other_data_is_asked(models, run, monkeypatch):
    version = models / "home" / "1"
    path = version / "assets.extra" / "card.json"
    card = json.loads(path.read_text())
    card["run"]["numbers"]["data_checksum"] = "of yesterday"
    path.write_text(json.dumps(card))
    write_checksums(version)

    def ask(incumbent, data, metric):
        assert incumbent.folder == version
        assert data.data_dir == run.with_name("data")
        raise InputError(f"Asked for {metric}.")

    monkeypatch.setattr(promoting, "ask", ask)
    with refused(models, r"Asked for mrr@3\."):
        gate(run, models, 2, against=version, metric="mrr@3")


def test_another_dataset_in_the_place_of_the_candidates_is_refused(
    models, better
):
    path = better / "metrics.json"
    numbers = json.loads(path.read_text())
    path.write_text(json.dumps({**numbers, "data_checksum": "of yesterday"}))
    with refused(models, r"data is not the dataset that \S+better was trained"):
        gate(better, models, 2, against=models / "home" / "1")


def test_what_cannot_be_compared_with_is_named(models, run, better):
    path = better / "metrics.json"
    numbers = json.loads(path.read_text())
    path.write_text(json.dumps({**numbers, "data_checksum": "abc"}))
    with refused(models, r"r has data checksum .*better has abc"):
        gate(run, models, 2, against=better)
    with refused(models, r"must be a run, a version .* Received: \S+/none\."):
        gate(run, models, 2, against=models / "none")
    (models / "home" / "1" / "assets.extra" / "card.json").unlink()
    with refused(models, r"home/1 has no assets\.extra/card\.json"):
        gate(run, models, 2, against=models / "home")
    with refused(models, "which has no config.json"):
        gate(models / "none", models, 2)
