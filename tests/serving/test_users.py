"""Tests of serving a model that has to know who asks."""

import numpy as np
import pytest
import tensorflow as tf

from tests.personal import Personal
from tests.serving.runs import make_run, prepared
from tests.toy import entry
from tfrec.batches import Query
from tfrec.errors import InputError
from tfrec.models import MODELS
from tfrec.serving import client
from tfrec.serving.config import ServerConfig
from tfrec.serving.exporting import describe, export
from tfrec.serving.server import Server

HISTORY = ["item 2", "no such item", "item 3"]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(MODELS, "personal", entry(Personal, "personal"))
        data = prepared(tmp_path_factory.mktemp("data"))
        made = make_run("personal", data)
        # Users that are far apart.
        made.model.users.embeddings.assign(
            9.0 * tf.random.stateless_normal([4, 6], [1, 2])
        )
        yield made


@pytest.fixture(scope="module")
def version(run, tmp_path_factory):
    # Verified against the model, for known and unknown users.
    return export(run, tmp_path_factory.mktemp("models"), k=4)


@pytest.fixture(scope="module")
def ask(version):
    signatures = tf.saved_model.load(str(version)).signatures

    def ask(signature, **inputs):
        answer = signatures[signature](
            **{name: tf.constant(value) for name, value in inputs.items()}
        )
        return [item.decode() for item in answer["items"].numpy()[0]]

    return ask


def test_the_user_has_a_signature_of_its_own(version):
    lines = describe(version).splitlines()
    assert {"among", "for_user"} < set(lines)
    assert "  user          string   [batch]" in lines
    assert "serving_default answers as for_user an unknown user." in lines


def test_users_get_lists_of_their_own(run, ask):
    for number, user in enumerate(run.data.users.items, 1):
        served = ask("for_user", history=[HISTORY], user=[user])
        best, _ = run.recommend(HISTORY, 4, user)
        assert served == [item for item, _, _ in best]
        history = run.data.vocabulary.index(["item 2", "item 3"])
        items, _ = run.model.recommend([history], 4, user=[number])
        assert served == run.data.vocabulary.lookup(items[0])
    lists = {
        tuple(ask("for_user", history=[HISTORY], user=[user]))
        for user in run.data.users.items
    }
    assert len(lists) > 1


def test_an_unknown_user_is_answered_as_the_mean_of_all(ask):
    assert ask("for_user", history=[HISTORY], user=["nobody"]) == ask(
        "serving_default", history=[HISTORY]
    )


def test_a_user_may_be_given_some_items_alone(ask):
    whole = ask("for_user", history=[HISTORY], user=["u1"])
    some = {"allowed": [[whole[3], whole[1]]], "denied": [[""]]}
    found = ask("among", history=[HISTORY], user=["u1"], **some)
    assert found == [whole[1], whole[3], "", ""]


def test_a_known_user_without_a_history_is_answered_too(run, ask):
    user = run.data.users.items[0]
    alone = ask("for_user", history=[[""]], user=[user])
    scores = run.model.score(Query(tf.constant([[0]]), tf.constant([1])))
    expected = np.argsort(-scores.numpy()[0])[:4] + 1
    assert alone == run.data.vocabulary.lookup(expected)


def test_a_server_is_told_who_asks(run, version):
    config = ServerConfig(
        export_dir=version.parents[1], grpc_port=0, rest_port=0
    )
    server = Server(config)
    try:
        address = f"localhost:{server.grpc_port}"
        for user in run.data.users.items:
            best = client.recommend(address, "personal", HISTORY, user)
            expected, _ = run.recommend(HISTORY, 4, user)
            assert [i for i, _ in best] == [i for i, _, _ in expected]
    finally:
        server.stop()


def test_sessions_have_no_users_to_tell_apart(tmp_path):
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(MODELS, "personal", entry(Personal, "personal"))
        run = make_run("personal", prepared(tmp_path / "data", "next_click"))
        lines = describe(export(run, tmp_path / "models", k=4)).splitlines()
    assert "serving_default" in lines and "for_user" not in lines
    with pytest.raises(InputError, match=r"personal, .* sessions, without us"):
        run.recommend(["item 2"], 4, "u1")


def test_a_model_that_asks_for_no_user_refuses_one(run):
    pop = make_run("pop", run.data)
    with pytest.raises(InputError, match="`--user` means nothing with pop"):
        pop.recommend(["item 2"], 2, "u0")
