"""What the explorer answers its page, over HTTP."""

import socket
import urllib.request

import numpy as np
import pytest

from tests.explorer.conftest import SCRIPT, get
from tfrec.batches import Query
from tfrec.errors import InputError
from tfrec.explorer import application, engines
from tfrec.explorer.catalogue import Catalogue
from tfrec.explorer.server import ExplorerServer, of_server
from tfrec.models.base.items import EXCLUDED, exclude

HISTORY = ["item 1", "item 2", "item 4"]


def log_probabilities(run, history):
    indices = run.data.vocabulary.index(history)
    return run.model.score(Query.of(indices[None]))[0].numpy()


def test_the_page_may_load_and_ask_nothing_from_elsewhere(explorer):
    for path, kind in (
        ("", "text/html"),
        ("style.css", "text/css"),
        ("main.js", "text/javascript"),
        ("api/about", "application/json"),
    ):
        with urllib.request.urlopen(explorer.url + path) as response:
            assert response.headers["Content-Type"].startswith(kind)
            policy = response.headers["Content-Security-Policy"]
            first, *others = [rule.split() for rule in policy.split("; ")]
            assert first == ["default-src", "'none'"]
            assert {"script-src", "style-src", "connect-src"} <= {
                name for name, *_ in others
            }
            # Frames too, which the first rule is not of.
            assert ["frame-ancestors", "'none'"] in others
            for _, *allowed in others:
                assert allowed in (["'self'"], ["'none'"])
            assert response.headers["X-Content-Type-Options"] == "nosniff"


def test_it_says_what_there_is(ask):
    _, about = ask("about")
    assert [engine["name"] for engine in about["engines"]] == [
        "acvae",
        "markov",
    ]
    assert [engine["latent"] for engine in about["engines"]] == [True, False]
    assert (about["items"], about["people"], about["split"]) == (12, 30, "test")
    assert about["titles"]
    assert about["columns"] == ["kind"]


def test_titles_are_data(ask):
    _, answer = ask("search", q="<script>")
    assert [item["title"] for item in answer["items"]] == [SCRIPT]


@pytest.mark.parametrize("run", [0, 1])
def test_the_list_is_that_of_the_run(ask, runs, run):
    status, answer = ask("recommend", run=run, history=HISTORY, k=5)
    assert status == 200
    best, _ = runs[run].recommend(HISTORY, 5)
    assert [item["id"] for item in answer["items"]] == [
        each.item for each in best
    ]
    scores = [item["score"] for item in answer["items"]]
    np.testing.assert_allclose(scores, [b.score for b in best], rtol=1e-5)


def test_an_empty_history_has_an_answer(ask, runs):
    for run in (0, 1):
        status, answer = ask("recommend", run=run, k=20)
        assert status == 200
        assert len(answer["items"]) == 12
    _, none = ask("why", run=0, item=["item 3"])
    assert none == {"without": []}


def test_an_unknown_item_is_skipped(ask):
    _, known = ask("recommend", history=HISTORY)
    _, answer = ask("recommend", history=["nonsense", *HISTORY])
    assert answer == known
    _, named = ask("items", item=["nonsense", "item 2"])
    assert [item.get("unknown", False) for item in named["items"]] == [
        True,
        False,
    ]


def test_why_is_the_score_without_one_item(ask, runs):
    wanted = ["item 5", "item 6"]
    for run in (0, 1):
        _, answer = ask("why", run=run, history=HISTORY, item=wanted)
        columns = runs[run].data.vocabulary.index(wanted) - 1
        expected = [
            log_probabilities(runs[run], HISTORY[:n] + HISTORY[n + 1 :])
            for n in range(3)
        ]
        np.testing.assert_allclose(
            answer["without"], np.array(expected)[:, columns], rtol=1e-4
        )


def test_why_of_a_long_history_is_that_of_its_parts(ask, monkeypatch):
    """Which are asked one after another; an unknown item has no score."""
    history = [f"item {1 + n % 7}" for n in range(70)]
    wanted = ["item 9", "nonsense", "item 12"]
    _, whole = ask("why", history=history, item=wanted)
    assert [row[1] for row in whole["without"]] == [None] * 70
    assert len({row[0] for row in whole["without"]}) > 5
    # 33 at once, of which a query has 34 rows.
    monkeypatch.setattr(engines, "_MOST_SCORES", 33 * 12)
    _, parts = ask("why", history=history, item=wanted)
    for column in (0, 2):
        np.testing.assert_allclose(
            *(
                [row[column] for row in each["without"]]
                for each in (parts, whole)
            ),
            rtol=1e-4,
        )
    intervals = ask("spread", history=history, item=wanted)[1]["intervals"]
    assert [None in each for each in intervals] == [False, True, False]


def test_a_server_is_asked_in_parts(monkeypatch):
    asked = []

    def recommend_many(server, model, histories, timeout):
        asked.append(len(histories))
        return [[(f"of {row[0]}", -1.0)] for row in histories]

    monkeypatch.setattr(engines.client, "recommend_many", recommend_many)
    engine = engines.ServerEngine("localhost:1", "mine", 1.0)
    history = [str(n) for n in range(150)]
    rows = engine.without(history, "", ["of 0", "of 1"])
    assert asked == [64, 64, 22]
    # Without the first item the second is the first.
    assert rows == [[None, -1.0], *[[-1.0, None]] * 149]


def test_the_spread_is_that_of_32_draws_of_the_latent(ask, runs):
    _, answer = ask("spread", history=HISTORY, item=["item 5", "item 6"])
    latent = runs[0].model.latent()
    indices = runs[0].data.vocabulary.index(HISTORY)
    query = Query.of(np.repeat(indices[None], 32, 0))
    seeds = np.stack([np.zeros(32), np.arange(32)], 1).astype(np.int64)
    scores = latent.decode(latent.sample(query, seeds), query).numpy()
    expected = np.quantile(scores[:, [4, 5]], [0.05, 0.95], axis=0).T
    np.testing.assert_allclose(answer["intervals"], expected, rtol=1e-4)
    assert all(low < high for low, high in answer["intervals"])


def test_a_model_without_a_latent_says_so(ask):
    status, answer = ask("spread", run=1, history=HISTORY, item=["item 5"])
    assert (status, answer["error"]) == (
        400,
        "markov has no latent, so no spread.",
    )


def test_a_person_has_a_history_and_what_came_next_is_ranked(ask, runs, data):
    _, person = ask("person", name="u7")
    ranks = {}
    for batch in data.evaluation("test"):
        for row, record in enumerate(batch.record.numpy()):
            ranks[int(record)] = batch.history[row], batch.targets[row]
    histories = {
        tuple(data.vocabulary.lookup(h[h > 0])): data.vocabulary.lookup(t)
        for h, t in ((h.numpy(), t.numpy()) for h, t in ranks.values())
    }
    history = [item["id"] for item in person["history"]]
    following = [item["id"] for item in person["next"]]
    assert histories[tuple(history)] == following
    _, answer = ask("recommend", run=1, history=history, next=following, k=12)
    scores = log_probabilities(runs[1], history)[None]
    seen = data.vocabulary.index(history)[None]
    scores = exclude(scores, seen).numpy()[0]
    for each in answer["next"]:
        own = scores[int(data.vocabulary.index([each["id"]])[0]) - 1]
        if own == EXCLUDED:
            assert each["rank"] is None
            continue
        above, ties = np.sum(scores > own), np.sum(scores == own) - 1
        assert each["rank"] == 1 + above + -(-ties // 2)


def test_of_a_person_as_many_items_are_shown_as_may_be_asked_with(
    ask, monkeypatch
):
    _, whole = ask("person", name="u7")
    assert (whole["older"], whole["skipped"], len(whole["history"])) == (
        0,
        0,
        5,
    )
    monkeypatch.setattr(application, "_MOST_HISTORY", 2)
    _, newest = ask("person", name="u7")
    assert newest["history"] == whole["history"][-2:]
    assert newest["older"] == 3


def test_an_unknown_user_is_named_with_some_that_there_are(ask):
    status, answer = ask("person", name="nobody")
    assert status == 400
    assert (
        "no test user or session 'nobody'. There are 30, such as u0"
        in (answer["error"])
    )


def test_anyone_is_one_of_the_data(ask):
    names = {ask("person")[1]["name"] for _ in range(5)}
    assert names <= {f"u{n}" for n in range(30)}


@pytest.mark.parametrize("run", [0, 1])
def test_the_map_is_computed_once_and_kept_with_the_run(ask, runs, run):
    _, answer = ask("map", run=run, column="kind")
    points = np.array(answer["points"])
    assert points.shape == (12, 2)
    assert np.ptp(points, axis=0).min() > 0.5
    assert np.abs(points).max() <= 1
    assert [item["id"] for item in answer["items"]] == runs[
        0
    ].data.vocabulary.items
    assert answer["groups"] == {
        "values": ["even", "odd"],
        "group": [1, 0] * 6,
    }
    path = runs[run].folder / "explorer.npz"
    kept = path.stat().st_mtime_ns
    assert ask("map", run=run)[1]["points"] == answer["points"]
    assert path.stat().st_mtime_ns == kept


@pytest.mark.parametrize(
    ("path", "query", "status", "message"),
    [
        ("recommend", {"run": 7}, 400, "`run` must be an integer from 0 to 1"),
        ("recommend", {"k": "x"}, 400, "`k` must be an integer"),
        ("recommend", {"history": ["a"] * 501}, 400, "500 items at most here"),
        ("nothing", {}, 404, "Not found: /api/nothing"),
    ],
)
def test_a_wrong_question_has_a_message(ask, path, query, status, message):
    found, answer = ask(path, **query)
    assert found == status
    assert message in answer["error"]


def test_a_page_from_elsewhere_gets_nothing(explorer):
    # As after a name of its own was made to lead to this machine.
    status, answer = get(explorer.url, "about", {"Host": "evil.example:80"})
    assert (status, answer["error"]) == (
        403,
        "The host evil.example, or the page that asks, is not of this machine.",
    )


def test_a_taken_port_is_named(explorer, parts):
    port = int(explorer.url.rpartition(":")[2].strip("/"))
    with pytest.raises(InputError, match=rf"127.0.0.1:{port}.*`--port` a free"):
        ExplorerServer(*parts, "127.0.0.1", port)


def test_a_server_that_is_gone_is_named():
    explorer = ExplorerServer(
        *of_server("localhost:1", "mine", 2.0), "127.0.0.1", 0
    )
    try:
        status, answer = get(explorer.url, "recommend", history=["a"])
        assert status == 400
        assert answer["error"].startswith("localhost:1 answered UNAVAILABLE")
        assert get(explorer.url, "about")[1]["items"] == 0
        message = get(explorer.url, "person")[1]["error"]
        assert "no dataset is known" in message
        assert "no map" in get(explorer.url, "map")[1]["error"]
    finally:
        explorer.stop()


def test_a_server_that_answers_too_slowly_is_named():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        explorer = ExplorerServer(
            *of_server(address, "mine", 0.3), "127.0.0.1", 0
        )
        try:
            status, answer = get(explorer.url, "recommend", history=["a"])
        finally:
            explorer.stop()
    assert status == 400
    assert answer["error"].startswith(f"{address} answered DEADLINE_EXCEEDED")


def test_a_catalogue_without_titles_shows_ids():
    catalogue = Catalogue(["a1", "b2"], ["", ""], np.array([1.0, 2.0]))
    found = catalogue.search("a", 5)
    assert found["items"] == [{"id": "a1", "title": "", "count": 1}]
