import keras
import numpy as np
import pytest
import tensorflow as tf

from tfrec.batches import Query
from tfrec.models import ACVAE, VASER, ACVAEConfig, Pop, VASERConfig
from tfrec.models.base.items import EXCLUDED
from tfrec.serving.signatures import Signatures

# Ids as real ones are.
ITEMS = ["item 1", "größe", " a", "a ", "商品", "a,b", '"q"', "7", "#8", "'"]
POPULARITY = np.log(np.arange(1, 11) / 55).astype(np.float32)
READ = 5
SEED = np.array([[3, 4]], np.int64)


def make(folder, model=None, k=4, exclude_history=True):
    path = folder / "items.txt"
    path.write_text("".join(f"{item}\n" for item in ITEMS), encoding="utf-8")
    if not model:
        keras.utils.set_random_seed(0)
        model = ACVAE(
            len(ITEMS),
            ACVAEConfig(
                max_length=READ,
                embedding_dim=6,
                gru_units=5,
                convolution_filters=4,
                latent_dim=3,
                decoder_units=6,
                critic_units=4,
            ),
        )
        # A posterior that is wide enough to see.
        for noise in (
            model.posterior.first_noise,
            model.posterior.second_noise,
        ):
            noise.bend.kernel.assign(100 * noise.bend.kernel)
    signatures = Signatures(model, path, POPULARITY, k, exclude_history)
    return model, signatures.trace()


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return make(tmp_path_factory.mktemp("made"))


@pytest.fixture
def model(made):
    return made[0]


def asking(traced):
    """Returns what asks a signature and returns its outputs, items as text."""

    def asked(name, *histories, **inputs):
        length = max(map(len, histories), default=0)
        rows = [[*row, *[""] * (length - len(row))] for row in histories]
        history = np.array(rows, object).reshape(len(rows), length)
        outputs = traced[name](
            history=tf.constant(history, tf.string),
            **{key: tf.constant(value) for key, value in inputs.items()},
        )
        return {
            key: [[item.decode() for item in row] for row in value.numpy()]
            if value.dtype == tf.string
            else value.numpy()
            for key, value in outputs.items()
        }

    return asked


@pytest.fixture
def ask(made):
    return asking(made[1])


def expected(model, history, k=4):
    items, scores = model.recommend([history], k)
    return [ITEMS[i - 1] for i in items[0]], scores[0]


def check_same(one, other):
    assert one["items"] == other["items"]
    np.testing.assert_allclose(
        one["scores"], other["scores"], rtol=1e-5, atol=1e-6
    )


def test_it_recommends_what_the_model_recommends(model, ask):
    answer = ask("serving_default", ITEMS[1:4], ITEMS[4:6])
    for row, history in enumerate(([2, 3, 4], [5, 6])):
        items, scores = expected(model, history)
        assert answer["items"][row] == items
        np.testing.assert_allclose(
            answer["scores"][row], scores, rtol=1e-5, atol=1e-6
        )


def test_unknown_items_and_empty_places_are_skipped(ask):
    clean = ask("serving_default", [ITEMS[1], ITEMS[4]])
    history = ["a", ITEMS[1], "", "größe ", ITEMS[4], "\n", ""]
    check_same(ask("serving_default", history), clean)


def test_a_repeated_item_is_read_again(model, ask):
    answer = ask("serving_default", [ITEMS[1], ITEMS[1]])
    assert answer["items"][0] == expected(model, [2, 2])[0]
    once = ask("serving_default", [ITEMS[1]])
    assert np.abs(answer["scores"] - once["scores"]).max() > 1e-6


@pytest.mark.parametrize("history", [[], [""], ["no", "such"]])
def test_without_a_known_item_the_popular_ones_are_recommended(history, ask):
    for name, inputs in (
        ("serving_default", {}),
        ("sample", {"seed": SEED}),
    ):
        answer = ask(name, history, **inputs)
        assert answer["items"] == [ITEMS[:5:-1]]
        np.testing.assert_array_equal(answer["scores"], [POPULARITY[:5:-1]])
    scores = ask("score", history, candidates=[[ITEMS[0], "no"]])["scores"]
    np.testing.assert_array_equal(scores, [[POPULARITY[0], EXCLUDED]])
    np.testing.assert_array_equal(ask("encode", history)["latent"], [[0] * 3])


def test_the_newest_items_are_read_and_all_are_excluded(model, ask):
    history = [1, 2, 3, 4, 5, 6, 7, 8]
    answer = ask("serving_default", [ITEMS[i - 1] for i in history])
    scores = model.score(Query.of(np.int32([history[-READ:]])))[0]
    best = sorted((9, 10), key=lambda item: -scores[item - 1])
    names = [ITEMS[item - 1] for item in best]
    # With nothing left to recommend, the list is filled.
    assert answer["items"] == [[*names, "", ""]]
    filled = [*(scores[item - 1] for item in best), EXCLUDED, EXCLUDED]
    np.testing.assert_allclose(answer["scores"], [filled], rtol=1e-5, atol=1e-6)
    drawn = ask("sample", [ITEMS[i - 1] for i in history], seed=SEED)
    assert set(drawn["items"][0]) == {*names, ""}


def test_the_history_may_be_recommended_too(tmp_path):
    pop = Pop(len(ITEMS))
    pop.counts.assign(np.arange(10, 0, -1))
    _, traced = make(tmp_path, pop, exclude_history=False)
    answer = traced["serving_default"](tf.constant([ITEMS[:2]]))
    assert [name.decode() for name in answer["items"].numpy()[0]] == ITEMS[:4]


@pytest.mark.parametrize("name", ["serving_default", "sample", "encode"])
def test_batch_mates_and_padding_change_nothing(name, ask):
    seed = {"seed": np.repeat(SEED, 3, 0)} if name == "sample" else {}
    one = {"seed": SEED} if name == "sample" else {}
    alone = ask(name, ITEMS[2:4], **one)
    among = ask(name, ITEMS[5:], [*ITEMS[2:4], "", ""], ["no"], **seed)
    for key, values in alone.items():
        if key == "items":
            assert among[key][1] == values[0]
        else:
            np.testing.assert_allclose(
                among[key][1], values[0], rtol=1e-5, atol=1e-6
            )


@pytest.mark.parametrize("name", ["serving_default", "sample", "encode"])
def test_a_batch_may_be_empty(name, ask):
    seed = {"seed": np.zeros([0, 2], np.int64)} if name == "sample" else {}
    for values in ask(name, **seed).values():
        assert len(values) == 0


def test_scores_are_log_probabilities_of_the_full_softmax(model, ask):
    candidates = [[*ITEMS, "no", ""]]
    scores = ask("score", ITEMS[2:4], candidates=candidates)["scores"][0]
    np.testing.assert_allclose(
        np.exp(scores[:10]).sum(), 1.0, rtol=1e-5, atol=1e-6
    )
    own = model.score(Query.of(np.int32([[3, 4]])))[0]
    np.testing.assert_allclose(scores[:10], own, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(scores[10:], [EXCLUDED] * 2)
    best = ask("serving_default", ITEMS[2:4])
    places = [ITEMS.index(item) for item in best["items"][0]]
    np.testing.assert_allclose(
        best["scores"][0], scores[places], rtol=1e-5, atol=1e-6
    )


def test_a_model_that_learned_without_the_history_scores_the_others(tmp_path):
    model = ACVAE(
        len(ITEMS), ACVAEConfig(exclude_history=True, max_length=READ)
    )
    _, traced = make(tmp_path, model, k=8)
    ask = asking(traced)
    # Longer than what the model reads: all of it is left out.
    history = [1, 2, 3, 4, 5, 6]
    names = [ITEMS[i - 1] for i in history]
    scores = ask("score", names, candidates=[[*ITEMS, "no"]])["scores"][0]
    np.testing.assert_array_equal(scores[:6], [EXCLUDED] * 6)
    np.testing.assert_allclose(np.exp(scores[6:10]).sum(), 1.0, rtol=1e-5)
    items, best = expected(model, history)
    for name, inputs in (("serving_default", {}), ("sample", {"seed": SEED})):
        answer = ask(name, names, **inputs)
        assert answer["items"][0][4:] == [""] * 4
        assert set(answer["items"][0][:4]) == set(ITEMS[6:])
        sum_of_all = np.exp(answer["scores"][0][:4]).sum()
        np.testing.assert_allclose(sum_of_all, 1.0, rtol=1e-5)
        if name == "serving_default":
            assert answer["items"][0][:4] == items
            np.testing.assert_allclose(
                answer["scores"][0][:4], best, rtol=1e-5, atol=1e-6
            )


def test_allowed_items_are_the_only_ones_and_denied_ones_are_left_out(
    model, ask
):
    histories = [ITEMS[:2]] * 4 + [[]]
    allowed = [
        ["", ""],
        [ITEMS[5], ""],
        ["", "no such"],
        [ITEMS[0], ITEMS[7]],
        [ITEMS[3], ITEMS[6]],
    ]
    denied = [[""], [""], [""], [ITEMS[0]], ["no such"]]
    denied[0] = [ITEMS[8]]
    answer = ask("among", *histories, allowed=allowed, denied=denied)
    items, scores = model.recommend([[1, 2]], 10)
    best = [i for i in items[0] if i not in (1, 2, 9)]
    assert answer["items"] == [
        [ITEMS[i - 1] for i in best[:4]],
        [ITEMS[5], "", "", ""],
        # None of the allowed ones is known.
        ["", "", "", ""],
        # One is in the history, and denied as well.
        [ITEMS[7], "", "", ""],
        # Without a history by popularity, which rises.
        [ITEMS[6], ITEMS[3], "", ""],
    ]
    own = dict(zip(items[0], scores[0], strict=True))
    wanted = np.full([5, 4], EXCLUDED)
    wanted[0] = [own[i] for i in best[:4]]
    wanted[1, 0], wanted[3, 0] = own[6], own[8]
    wanted[4, :2] = POPULARITY[[6, 3]]
    np.testing.assert_allclose(answer["scores"], wanted, rtol=1e-5, atol=1e-6)


def test_a_latent_is_that_of_the_model(model, ask):
    latent = ask("encode", ITEMS)["latent"]
    own = model.encode(Query.of(np.int32([np.arange(11 - READ, 11)])))
    np.testing.assert_allclose(latent, own, rtol=1e-5, atol=1e-6)


def test_a_sample_repeats_with_its_seed(ask):
    seeds = np.array([[0, 1], [0, 1], [1, 0], [0, 2**40]])
    scores = ask("sample", *[ITEMS[2:5]] * 4, seed=seeds)["scores"]
    np.testing.assert_allclose(scores[0], scores[1], rtol=1e-5, atol=1e-6)
    for other in scores[2:]:
        assert np.abs(other - scores[0]).max() > 1e-3
    again = ask("sample", ITEMS[2:5], seed=seeds[3:])["scores"]
    np.testing.assert_allclose(again[0], scores[3], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", ["acvae", "vaser"])
def test_samples_spread_as_the_posterior_does(name, made, tmp_path):
    model, traced = made
    if name == "vaser":
        config = VASERConfig(
            max_length=READ, embedding_dim=6, gru_units=5, latent_dim=3, flows=2
        )
        model = VASER(len(ITEMS), config)
        # A posterior that is wide enough to see.
        bias = model.posterior.of_state.log_scale.bias
        bias.assign(tf.fill(bias.shape, 1.0))
        model, traced = make(tmp_path, model)
    ask, draws = asking(traced), 2000
    history = tf.constant([[3, 4, 5]] * draws)
    seeds = np.array([[7, i] for i in range(draws)])
    answer = ask("sample", *[ITEMS[2:5]] * draws, seed=seeds)
    query, noise = Query.of(history), model.draw_noise(tf.shape(history))
    drawn = model.decode(model.latents_after(query, [noise])[0], query)
    drawn = np.delete(drawn, [2, 3, 4], axis=1)
    others = np.delete(np.array(ITEMS), [2, 3, 4])
    first = [row[0] for row in answer["items"]]
    served = np.array([first.count(item) for item in others]) / draws
    wanted = np.bincount(drawn.argmax(1), minlength=7) / draws
    assert (wanted > 0.05).sum() >= 2  # There is a spread to match.
    # The standard deviation of such a difference is below 0.016.
    np.testing.assert_allclose(served, wanted, atol=0.06)
    np.testing.assert_allclose(
        answer["scores"][:, 0].std(), drawn.max(1).std(), rtol=0.15
    )


@pytest.mark.parametrize(
    ("name", "inputs"),
    [
        ("sample", {"seed": SEED}),
        ("score", {"candidates": [["a"]] * 3}),
        ("among", {"allowed": [["a"]] * 3, "denied": [[""]] * 2}),
        ("among", {"allowed": [["a"]] * 2, "denied": [[""]] * 3}),
    ],
)
def test_rows_that_do_not_match_are_refused(name, inputs, ask):
    with pytest.raises(
        tf.errors.InvalidArgumentError, match="must have a row for each row"
    ):
        ask(name, ITEMS[:2], ITEMS[:2], **inputs)


def test_a_model_without_a_latent_has_three_signatures(tmp_path):
    pop = Pop(len(ITEMS))
    pop.counts.assign(np.arange(10))
    _, traced = make(tmp_path, pop)
    assert sorted(traced) == ["among", "score", "serving_default"]


def test_an_op_that_servers_lack_is_refused(tmp_path):
    class Scripted(Pop):
        def score(self, query):
            return tf.py_function(
                lambda *query: super(Scripted, self).score(Query(*query)),
                query,
                tf.float32,
            )

    with pytest.raises(ValueError, match="op EagerPyFunc"):
        make(tmp_path, Scripted(len(ITEMS)))


def test_a_compiled_function_is_refused(tmp_path):
    class Compiled(Pop):
        @tf.function(jit_compile=True)
        def score(self, query):
            return tf.zeros([tf.shape(query.history)[0], self.num_items])

    with pytest.raises(ValueError, match="without XLA"):
        make(tmp_path, Compiled(len(ITEMS)))
