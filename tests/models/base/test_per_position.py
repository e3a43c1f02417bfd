"""Tests of models with a latent at each position, of whatever parts."""

import itertools

import numpy as np
import pytest
import tensorflow as tf

from tests.models.small import acvae, batch, chains, per_position, vaser
from tfrec.batches import Query, TrainingBatch
from tfrec.errors import InputError
from tfrec.models.base.per_position import PerPosition
from tfrec.models.configs.per_position import PerPositionConfig

# Without a GRU its size has to be the default.
ENCODERS = {
    "gru": {},
    "attentive_gru": {},
    "none": {"gru_units": 100},
    "transformer": {"gru_units": 100, "heads": 2, "encoder_dropout": 0.0},
}
POSTERIORS = {
    "gaussian": {"kl_weight": 0.1},
    "flow": {"kl_weight": 0.1, "flows": 2},
    "implicit": {"convolution_filters": 5, "kernel_size": 2},
    "recurrent": {"kl_weight": 0.1},
}
CRITICS = {
    "none": {},
    "adversary": {"adversarial_weight": 0.1},
    "contrast": {"contrastive_weight": 0.1},
    "both": {"adversarial_weight": 0.1, "contrastive_weight": 0.1},
}
# Every posterior with all critics and all encoders, every critic with them.
COMBINATIONS = [
    (list(ENCODERS)[(i + j) % 4], posterior, critics)
    for (i, posterior), (j, critics) in itertools.product(
        enumerate(POSTERIORS), enumerate(CRITICS)
    )
]


@pytest.mark.parametrize(("encoder", "posterior", "critics"), COMBINATIONS)
def test_any_parts_train_together(encoder, posterior, critics):
    net = per_position(
        10,
        encoder=encoder,
        posterior=posterior,
        **ENCODERS[encoder],
        **POSTERIORS[posterior],
        **CRITICS[critics],
        learning_rate=0.05,
        embedding_dropout=0.0,
        dropout=0.0,
        # What has no gradient does not move.
        **({"critic_weight_decay": 0.0} if CRITICS[critics] else {}),
    )
    before = [v.numpy() for v in net.trainable_variables]
    # Steps so few and short that tracing would take longer.
    data = chains()
    data, history = data._replace(items=data.items[:, :5]), []
    for _ in range(3):
        net.reset_metrics()
        history.append({n: float(x) for n, x in net.train_step(data).items()})
    for terms in history:
        assert tuple(terms) == net.terms
        assert np.isfinite(list(terms.values())).all(), terms
    for name in ("loss", "reconstruction"):
        assert history[-1][name] < history[0][name]
    for variable, old in zip(net.trainable_variables, before, strict=True):
        assert np.abs(variable.numpy() - old).max() > 0, variable.path
    # The parts are those that were asked for.
    paths = {v.path for v in net.trainable_variables}
    assert any("attention" in path for path in paths) == (
        encoder in ("attentive_gru", "transformer")
    )
    assert any("encoder/gru" in path for path in paths) == (
        encoder in ("gru", "attentive_gru")
    )
    assert ("kl" in net.terms) == (posterior != "implicit")
    judged = {"adversary": "kl_estimate", "contrast": "contrastive"}
    for name, term in judged.items():
        assert (term in net.terms) == (critics in (name, "both"))
    players = ["model"]
    players += ["adversary"] * (critics in ("adversary", "both"))
    players += ["critic"] * (critics in ("contrast", "both"))
    assert list(net.optimizers) == players


@pytest.mark.parametrize("posterior", ["gaussian", "flow"])
def test_a_posterior_of_the_attention_is_judged_with_the_other(posterior):
    net = per_position(
        encoder="attentive_gru",
        attention_posterior=True,
        posterior=posterior,
        adversarial_weight=0.1,
        contrastive_weight=0.1,
    )
    c = net.config
    assert net.posterior.drawn_dim == c.latent_dim + c.gru_units
    with tf.GradientTape() as tape:
        terms = net.objective(batch())
    scale = net.posterior.of_context.log_scale.bias.value
    assert np.abs(tape.gradient(terms["kl_estimate"], scale)).max() > 0


@pytest.mark.parametrize(
    "wrong",
    [
        {"flows": 3},
        {"flow_parameters": "amortized"},
        {"posterior": "flow", "flows": 0, "flow_parameters": "amortized"},
        {"free_bits": 0.5},
        {"prior_flows": 2},
        {"recognition_units": 3},
        {"prior": "learned", "kl_weight": 1.0, "objective": "printed"},
        {"kernel_size": 2},
        {"encoder": "none", "gru_units": 50},
        {"encoder": "transformer", "gru_units": 50},
        {"heads": 2},
        {"posterior": "implicit", "kl_weight": 0.1},
        {"posterior": "implicit", "initial_scale": 0.5},
        {"attention_posterior": True},
        {
            "encoder": "attentive_gru",
            "posterior": "implicit",
            "attention_posterior": True,
        },
        {"alternate_updates": True},
        {"objective": "printed"},
        {"regularizer": "l2"},
        {"regularizer": "none", "adversarial_weight": 0.1},
        {
            "regularizer": "l2",
            "adversarial_weight": 0.1,
            "prior_in_adversary": False,
        },
        {
            "regularizer": "l2",
            "adversarial_weight": 0.1,
            "alternate_updates": True,
        },
        {"contrast": "infonce"},
        {"contrast_partners": "random"},
        {
            "contrastive_weight": 0.1,
            "contrast": "infonce",
            "contrast_partners": "random",
        },
        {"critic_optimizer": "adam"},
        {"critic_units": 7},
        {"critic_learning_rate": 0.1},
        {"critic_weight_decay": 0.2},
    ],
)
def test_a_setting_that_nothing_reads_is_refused(wrong):
    name = list(wrong)[-1]
    with pytest.raises(InputError, match=f"`--{name}` means nothing"):
        PerPositionConfig(**wrong)


@pytest.mark.parametrize("decoder", ["linear", "tanh"])
def test_the_decoder_has_the_width_that_is_asked_for(decoder):
    untied = {"tie_weights": False, "decoder": decoder}
    assert per_position(**untied).item_logits.kernel.shape == (15, 8)
    wide = per_position(**untied, decoder_units=9)
    assert wide.item_logits.kernel.shape == (15, 9)
    assert per_position(decoder=decoder).decoder.units == 8


@pytest.fixture(name="model", params=[acvae, vaser], ids=["acvae", "vaser"])
def _model(request):
    return request.param


def decoded(net: PerPosition, items: np.ndarray) -> tf.Tensor:
    """Returns the scores at every position, without noise."""
    latent = net.posterior(net.states(Query.of(items)), None).latent
    return net.item_logits(net.decode_states(latent))


def test_noise_changes_the_latent_and_no_noise_does_not(model):
    net = model()
    query = Query.of([[1, 2, 3], [4, 5, 0]])
    noise = net.draw_noise(tf.shape(query.history))
    centre, zeros, drawn = net.latents_after(
        query, [None, tf.zeros_like(noise), noise]
    )
    np.testing.assert_allclose(zeros, centre, rtol=1e-5)
    np.testing.assert_allclose(net.encode(query), centre, rtol=1e-5)
    assert np.abs(drawn - centre).max() > 1e-3


def test_posterior_samples_average_the_predictive_distribution(model):
    net = model(posterior_samples=40)
    query = Query.of([[1, 2, 3]])
    alone = net.score(query)
    both = net.score(Query.of([[4, 5, 6, 7], [1, 2, 3, 0]]))
    np.testing.assert_allclose(np.exp(alone).sum(1), 1.0, rtol=1e-4)
    # The draws are seeded: a history has one answer, whatever is beside it.
    np.testing.assert_allclose(both[1], alone[0], rtol=1e-4, atol=1e-5)
    noise_free = net.decode(net.encode(query), query)
    assert np.abs(noise_free - alone).max() > 1e-4
    # It is the mean of what each draw predicts.
    noises = [net.noise([0, i], query.history)[None] for i in range(40)]
    each = [
        np.exp(net.decode(latent, query))
        for latent in net.latents_after(query, noises)
    ]
    np.testing.assert_allclose(np.exp(alone), np.mean(each, 0), rtol=1e-4)


@pytest.mark.parametrize("rows", [[[]], [[], [1, 2]]])
def test_an_empty_history_has_the_draws_of_padding(model, rows):
    net = model(posterior_samples=3)
    padding = net.score(Query.of([[0]]))
    ragged = tf.ragged.constant(rows, tf.int32, ragged_rank=1).to_tensor()
    found = net.score(Query.of(tf.reshape(ragged, [len(rows), -1])))
    np.testing.assert_allclose(found[0], padding[0], rtol=1e-5)


def test_a_sample_depends_on_its_history_and_its_seed_alone(model):
    latent = model().latent()
    rows = Query.of([[1, 2, 3], [4, 5, 0], [1, 2, 3]])
    seeds = tf.constant([[0, 7], [0, 7], [0, 8]], tf.int64)
    together = latent.sample(rows, seeds)
    alone = latent.sample(Query.of([[1, 2, 3, 0]]), seeds[:1])
    np.testing.assert_allclose(together[0], alone[0], rtol=1e-4, atol=1e-6)
    assert np.abs(together[0] - together[2]).max() > 1e-3
    np.testing.assert_array_equal(latent.sample(rows, seeds), together)
    assert latent.encode(rows).shape == together.shape
    log_p = latent.decode(together, rows)
    np.testing.assert_allclose(np.exp(log_p).sum(1), 1.0, rtol=1e-4)


def test_posterior_draws_are_those_at_every_position(model):
    net = model()
    query, seed = Query.of([[1, 2, 3], [4, 5, 0]]), tf.constant([1, 2])
    net_seed = net.noise_seed.state.numpy()
    draws, centres = net.latent().posterior_draws(query, seed)
    assert draws.shape == centres.shape == (5, net.posterior.drawn_dim)
    # The last of each history is what `encode` reads.
    drawn = net.posterior.drawn_dim
    last = tf.gather(centres, [2, 4])
    np.testing.assert_allclose(last, net.encode(query)[:, :drawn], rtol=1e-4)
    assert np.abs(draws - centres).max(1).min() > 1e-4
    # Training draws what it would have drawn.
    np.testing.assert_array_equal(net.noise_seed.state, net_seed)


def test_the_cosine_softmax_ignores_the_length_of_item_vectors(model):
    net = model(cosine_scale=5.0, tie_weights=True)
    query = Query.of([[1, 2, 3]])
    latent = net.encode(query)
    before = net.decode(latent, query)
    net.embedding.embeddings.assign(7.0 * net.embedding.embeddings)
    np.testing.assert_allclose(net.decode(latent, query), before, rtol=1e-5)


@pytest.mark.parametrize("draws", [0, 3])
def test_items_of_the_history_have_no_probability_if_it_is_excluded(
    model, draws
):
    net = model(exclude_history=True, posterior_samples=draws)
    query = Query.of([[1, 2, 2, 3], [4, 5, 0, 0], [0, 0, 0, 0]])
    scores = net.score(query).numpy()
    lowest = np.float32(tf.float32.min)
    for row, left_out in zip(scores, [[1, 2, 3], [4, 5], []], strict=True):
        at = np.array(left_out, int) - 1
        np.testing.assert_array_equal(row[at], lowest)
        np.testing.assert_allclose(np.exp(row).sum(), 1.0, rtol=1e-4)
        assert (np.delete(row, at) > -100).all()
    # Evaluation reads the scores in blocks: the same ranking. With draws, whose
    # distributions are added up there, the same but for their number.
    blocks = net.block_scores(query)
    found = np.concatenate([blocks(0, 7), blocks(7, 15)], 1)
    found = np.where(scores > lowest, found, lowest)
    if draws:
        mean = np.where(scores > lowest, found - np.log(draws), lowest)
        np.testing.assert_allclose(mean, scores, rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(
        np.argsort(found, 1, "stable"), np.argsort(scores, 1, "stable")
    )


def test_a_history_of_every_item_leaves_nothing(model):
    everything = Query.of(tf.range(1, 16)[None])
    scores = model(exclude_history=True).score(everything)
    np.testing.assert_array_equal(scores, np.full([1, 15], tf.float32.min))


def test_excluding_the_history_trains_on_the_rest(model):
    items = tf.constant([[1, 2, 3, 4], [5, 6, 7, 0]])
    data = TrainingBatch.of(items)

    def reconstruction(net):
        return net.objective(data, training=False)["reconstruction"]

    paper, ours = model(), model(exclude_history=True)
    ours.set_weights(paper.get_weights())
    assert reconstruction(ours) < reconstruction(paper)


def test_heads_that_do_not_divide_an_embedding_are_refused():
    with pytest.raises(InputError, match=r"--heads.*--embedding_dim=100.*3\."):
        PerPositionConfig(encoder="transformer", heads=3)
