"""The watch, of logs whose drift is known."""

import json

import numpy as np
import pytest

from tests.watching.logs import (
    VERSION,
    answers,
    ids,
    pool,
    request,
    source_of,
    write,
)
from tfrec import watch as command
from tfrec.data.histories import History
from tfrec.errors import InputError
from tfrec.watching import comparing, watching
from tfrec.watching.advice import findings
from tfrec.watching.config import WatchConfig
from tfrec.watching.report import RENDERERS
from tfrec.watching.watching import watch


@pytest.fixture(autouse=True)
def loaded(run, monkeypatch):
    """Has the run loaded that is not on the disk."""
    monkeypatch.setattr(watching, "load_run", lambda *_: run)
    monkeypatch.setattr(watching, "RunSource", source_of)


@pytest.fixture(scope="module")
def test_answers(run):
    """What a server logs that is asked the histories of the test."""
    return answers(run, pool(run))


def watched(path, requests, **settings):
    settings = {"min_rows": 50, "run_dir": "runs/markov", **settings}
    log = write(path / "r.tfrecord", requests)
    return watch(WatchConfig(log=(log,), **settings))


def by_name(things):
    return {thing.name: thing for thing in things}


def test_requests_as_the_test_do_not_drift(run, test_answers, tmp_path):
    found = watched(tmp_path, test_answers * 4)
    assert (found.name, found.version) == ("home", VERSION)
    assert found.agreeing == (64, 64)
    assert found.served.rows == {"serving_default": 240}
    # Half of the requests were logged.
    assert found.served.sampling == 480
    assert (found.pool, found.lengths, found.asked) == ("test", 60, 60)
    assert [one.share.value for one in found.shares] == [0, 0, 0]
    for shift in found.shifts:
        # As many lists are compared of both: of the log some, at random.
        if shift.name != comparing.LIST_ITEMS:
            assert shift.psi == pytest.approx(0, abs=1e-9), shift.name
            assert [4 * n for n in shift.before] == shift.now
        assert shift.verdict == "no"
    assert found.lists == (60, 3)
    assert findings(found) == []
    assert found.failures(WatchConfig(fail_above=0, fail_unknown=0)) == []


def test_what_moved_is_named_with_its_numbers(run, tmp_path):
    """Of each history the last item is sent, and one that is unknown."""
    cut = [History("", 0, history.items[-1:]) for history in pool(run)]
    requests = answers(run, cut, lead=["new"]) * 4
    requests += [request([], ["item 1"], [0.0])] * 10
    requests += [request(["other"], ["item 1"], [0.0])] * 30
    found = watched(tmp_path, requests, fail_above=0.25)
    shares = by_name(found.shares)
    unknown = shares[comparing.UNKNOWN_ITEMS].share
    assert (unknown.hits, unknown.all) == (270, 510)
    assert found.unknown == [("new", 240), ("other", 30)]
    assert shares[comparing.EMPTY].share.value == pytest.approx(10 / 280)
    assert shares[comparing.EMPTY].verdict == "ok"
    assert shares[comparing.LOST].share.value == pytest.approx(30 / 280)
    assert shares[comparing.LOST].verdict == "much"
    lengths = by_name(found.shifts)[comparing.LENGTHS]
    assert lengths.quantiles[1] == [1] * 5
    # All in the first bin; none of the others counts as half a history.
    before = np.array(lengths.before) / 60
    now = np.array([240, *[0.5] * (len(before) - 1)]) / 240
    expected = np.sum((now - before) * np.log(now / before))
    assert lengths.psi == pytest.approx(expected)
    text = "\n".join(findings(found))
    assert "Unknown items, of those in histories: 52.9% [" in text
    assert "Histories whose items are all unknown: 10.7%" in text
    assert "half have up to 1, in the test" in text
    config = WatchConfig(fail_above=0.25, fail_unknown=0.3)
    failures = found.failures(config)
    assert f"{comparing.UNKNOWN_ITEMS}: 52.9%" in failures
    assert any(name.startswith(comparing.LENGTHS) for name in failures)
    assert not any(name.startswith("histories") for name in failures)
    # Those without any item and those of unknown ones together: 40 of 280,
    # of which neither part is above this.
    failures = found.failures(WatchConfig(fail_unknown=0.1))
    assert f"{comparing.NONE_KNOWN}: 14.3%" in failures
    assert len(failures) == 2


def test_lists_of_one_kind_of_history_cover_less(run, tmp_path):
    one = pool(run)[0]
    found = watched(tmp_path, answers(run, [one]) * 100)
    before, now = found.shown
    assert found.lists == (60, 3)
    assert now.coverage == 3 / 12
    assert now.gini == pytest.approx(9 / 12)
    assert now.coverage < before.coverage / 2
    assert f"The lists hold {3 / 12:.1%} of the items" in findings(found)[-1]


def test_twenty_requests_give_no_verdict(run, tmp_path):
    cut = [History("", 0, history.items[-1:]) for history in pool(run)[:20]]
    found = watched(tmp_path, answers(run, cut, lead=["new"]))
    assert findings(found) == []
    assert found.failures(WatchConfig(fail_above=0, fail_unknown=0)) == []
    text = RENDERERS["text"](found)
    assert "Too few requests for a verdict (`--min_rows`): unknown" in text


def test_items_that_rose_are_named(run, test_answers, tmp_path):
    more = [request(["item 9"])] * 200
    found = watched(tmp_path, test_answers + more)
    (first, *_) = found.risen
    assert (first.item, first.title) == ("item 9", "Title 9")
    assert first.before < first.now
    moved = by_name(found.shifts)[comparing.HISTORY_ITEMS]
    assert moved.verdict == "large"


def test_versions_signatures_and_times_are_told_apart(
    run, test_answers, tmp_path
):
    day = 86_400
    older = answers(run, pool(run)[:9], version=2, seconds=1_699_900_000)
    scored = [request(["item 1"], signature="score")] * 4
    late = answers(run, pool(run)[:5], seconds=1_700_000_000 + 9 * day)
    requests = [*older, *test_answers, *scored, *late]
    found = watched(tmp_path, requests)
    assert list(found.versions) == [2, 3]
    assert found.version == 3
    assert found.served.rows == {"serving_default": 65, "score": 4}
    # Histories of every signature count, answers of those that recommend.
    assert found.served.lengths.total() == 69
    assert found.served.answers["serving_default"].added == 65
    text = RENDERERS["text"](found)
    assert "* is watched: 2023-11-14 22:13 to 2023-11-23 22:13 UTC" in text
    assert "\n2023-11-23     5" in text
    found = watched(tmp_path, requests, version=2)
    assert found.served.rows == {"serving_default": 9}


def test_users_are_known_or_not(run, tmp_path):
    requests = [
        request(
            ["item 1"],
            signature="for_user",
            inputs={"user": np.array([user], object)},
        )
        for user in (b"u1", b"u2", b"", b"somebody")
    ]
    found = watched(tmp_path, requests)
    share = by_name(found.shares)[comparing.UNKNOWN_USERS].share
    assert (share.hits, share.all) == (1, 3)


def test_a_log_without_answers_has_no_scores(run, tmp_path):
    found = watched(tmp_path, [request(["item 1"])])
    assert found.shown is None
    assert found.agreeing == (0, 0)
    names = set(by_name(found.shifts))
    assert names == {comparing.LENGTHS, comparing.HISTORY_ITEMS}
    for render in RENDERERS.values():
        assert render(found)


def test_another_models_log_is_refused(run, test_answers, tmp_path):
    wrong = [
        request(ids(run, history), ["item 12", "item 1"], [5.0, 4.0])
        for history in pool(run)
    ]
    with pytest.raises(InputError, match=r"not those of runs/markov: of 60 hi"):
        watched(tmp_path, wrong)
    # A few only are said.
    found = watched(tmp_path, [*test_answers, *wrong[:10]])
    assert "Version 3 may not be this model" in findings(found)[0]
    with pytest.raises(InputError, match=r"they are a, b, ..., and those of"):
        watched(tmp_path, [request(["a"]), request(["b"])])


def test_logits_are_not_compared_with_log_probabilities(run, tmp_path):
    model, histories = run.model, pool(run)
    found = [
        [x[0] for x in model.recommend([history.items], 3)]
        for history in histories
    ]
    logits = [
        request(
            ids(run, history),
            run.data.vocabulary.lookup(items),
            [float(score) + 3.0 + n % 5 for score in scores],
        )
        for n, (history, (items, scores)) in enumerate(
            zip(histories, found, strict=True)
        )
    ]
    with pytest.raises(InputError, match=r"version 3 are logits.*`--export_d"):
        watched(tmp_path, logits)


def test_a_log_of_several_models_needs_a_name(run, test_answers, tmp_path):
    requests = [*test_answers, request(["x"], name="other")]
    assert watched(tmp_path, requests, name="home").name == "home"
    with pytest.raises(
        InputError, match=r"to home and to other .*d 61.*`--name`"
    ):
        watched(tmp_path, requests)
    with pytest.raises(InputError, match=r"no requests to none.*home, other"):
        watched(tmp_path, requests, name="none")
    with pytest.raises(InputError, match=r"`--version` must be one.*: 3. Rec"):
        watched(tmp_path, test_answers, version=9)


@pytest.mark.parametrize(
    ("inputs", "match"),
    [
        (
            {"history": np.array([1.0])},
            "record 1 must have the input `history`",
        ),
        ({"history": np.array([b"a"], object)}, "strings of rows and columns"),
    ],
)
def test_other_requests_are_refused(run, tmp_path, inputs, match):
    with pytest.raises(InputError, match=match):
        watched(tmp_path, [request(["a"], inputs=inputs)])


def test_the_command_writes_and_fails_as_it_is_told(
    run, test_answers, tmp_path, monkeypatch, capsys
):
    log = write(tmp_path / "r.tfrecord", [*test_answers, *[request(["x"])] * 9])

    def main(**settings):
        config = WatchConfig(
            log=(log,), run_dir="runs/markov", min_rows=9, **settings
        )
        monkeypatch.setattr(command.settings, "from_flags", lambda _: config)
        command.main()
        return capsys.readouterr().out

    text = main()
    assert text.startswith("Requests to home\nversion")
    assert "\nx         9\n" in text
    assert max(map(len, text.splitlines())) <= 79
    out = tmp_path / "d.json"
    assert main(output=str(out)) == f"Written: {out}\n"
    values = json.loads(out.read_text())
    assert values["unknown_items"] == [{"item": "x", "times": 9}]
    assert values["shifts"][0]["psi"] == pytest.approx(0, abs=1e-9)
    main(output=str(tmp_path / "d.html"))
    page = (tmp_path / "d.html").read_text()
    assert page.startswith("<!DOCTYPE html>")
    assert page.count("<figure>") == 5
    with pytest.raises(SystemExit) as end:
        main(fail_unknown=0.01)
    assert end.value.code == 2
    assert "Too much: unknown items" in capsys.readouterr().err
    for wrong in ({}, {"run_dir": "a", "export_dir": "b"}):
        with pytest.raises(InputError, match="Give one of `--run_dir`"):
            WatchConfig(**wrong).check_choice()
