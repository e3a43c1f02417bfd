"""Losses, blocks, encoders, posteriors, critics as settings ask for them."""

from typing import Any

from tfrec.layers import posteriors
from tfrec.layers.critics import (
    Adversary,
    ContrastiveCritic,
    Critic,
    InfoNCECritic,
    SquaredNorm,
)
from tfrec.layers.encoders import (
    AttentiveGRUEncoder,
    Encoder,
    GRUEncoder,
    NoEncoder,
    RecurrentBlocksEncoder,
    TransformerEncoder,
)
from tfrec.layers.losses import (
    BinaryLoss,
    BPRLoss,
    FullSoftmax,
    ItemLoss,
    PopularitySampler,
    RankingLoss,
    SampledSoftmax,
)
from tfrec.layers.transformer import TransformerBlock
from tfrec.models.configs.next_item import NextItemConfig
from tfrec.models.configs.per_position import PerPositionConfig
from tfrec.models.configs.transformer import TransformerConfig


def make_loss(config: NextItemConfig, num_items: int) -> ItemLoss:
    """Returns the loss that the settings ask for."""
    c = config
    if c.loss == "softmax":
        return FullSoftmax(c.label_smoothing, c.matmul_dtype, c.exclude_history)
    if c.loss in ("binary", "gbce"):
        calibration = c.calibration if c.loss == "gbce" else 0.0
        return BinaryLoss(num_items, c.draws, calibration, c.exclude_history)
    if c.loss == "bpr":
        return BPRLoss(num_items, c.draws, c.exclude_history)
    sampler = PopularitySampler(num_items, c.draws, c.sampling_power)
    if c.loss == "sampled_softmax":
        return SampledSoftmax(sampler, c.matmul_dtype, c.exclude_history)
    return RankingLoss(
        c.loss,
        sampler,
        c.score_penalty,
        c.score_elu,
        c.matmul_dtype,
        c.exclude_history,
    )


def make_blocks(
    config: TransformerConfig, **kwargs: Any
) -> list[TransformerBlock]:
    """Returns the Transformer blocks that the settings ask for.

    Args:
        config: The settings.
        **kwargs: Arguments of `TransformerBlock` that are no settings.
    """
    c = config
    return [
        TransformerBlock(
            c.heads,
            c.hidden_units or c.embedding_dim,
            dropout=c.dropout,
            kernel_deviation=c.kernel_deviation,
            name=f"block_{i}",
            **kwargs,
        )
        for i in range(c.blocks)
    ]


def make_encoder(config: PerPositionConfig) -> Encoder:
    """Returns the encoder that the settings ask for."""
    c = config
    if c.encoder == "none":
        return NoEncoder(c.embedding_dim, name="encoder")
    if c.encoder == "transformer":
        return TransformerEncoder(
            c.embedding_dim,
            c.max_length,
            c.blocks,
            c.heads,
            c.encoder_dropout,
            # Items of the softmax too are short, as its vectors have to be.
            c.embedding_dim**0.5 if c.tie_weights else 1.0,
            name="encoder",
        )
    if c.encoder == "recurrent_blocks":
        return RecurrentBlocksEncoder(
            c.embedding_dim, c.blocks, c.encoder_dropout, name="encoder"
        )
    made = {"gru": GRUEncoder, "attentive_gru": AttentiveGRUEncoder}[c.encoder]
    return made(c.gru_units, c.encoder_activation, name="encoder")


def make_posterior(config: PerPositionConfig, dim: int) -> posteriors.Posterior:
    """Returns the posterior that the settings ask for.

    Args:
        config: The settings.
        dim: Size of the encoder's states.
    """
    c = config
    # With attention a state is [h; c], of the same size both.
    units = dim // 2 if c.encoder == "attentive_gru" else dim
    flows = c.flows if c.posterior == "flow" else 0
    if c.posterior == "recurrent":
        posterior = posteriors.RecurrentPosterior(
            c.latent_dim, c.initial_scale, name="posterior"
        )
    elif c.posterior == "implicit":
        posterior = posteriors.ImplicitPosterior(
            c.latent_dim,
            units,
            c.convolution_filters,
            c.kernel_size,
            c.dropout,
            name="posterior",
        )
    else:
        # A prior that is learned is what a history alone tells.
        learned = c.prior == "learned"
        posterior = posteriors.FlowPosterior(
            c.latent_dim,
            c.prior_flows if learned else flows,
            c.initial_scale,
            learned or c.flow_parameters == "amortized",
            name="prior" if learned else "posterior",
        )
    if c.encoder != "attentive_gru":
        return posterior
    of_context = None
    if c.attention_posterior:
        of_context = posteriors.FlowPosterior(
            units,
            flows,
            c.initial_scale,
            c.flow_parameters == "amortized",
            name="attention_posterior",
        )
    return posteriors.BesideContext(
        posterior, of_context, units, name="posterior"
    )


def make_recognition(
    config: PerPositionConfig,
) -> "posteriors.Recognition | None":
    """Returns q(u | h, x') where the prior is learned."""
    c = config
    if c.prior != "learned":
        return None
    return posteriors.Recognition(
        c.latent_dim,
        c.flows if c.posterior == "flow" else 0,
        c.flow_parameters == "amortized",
        c.recognition_units,
        name="recognition",
    )


def make_regularizer(config: PerPositionConfig) -> Critic | None:
    """Returns what `adversarial_weight` weighs, if anything."""
    c = config
    if c.has_adversary:
        return Adversary(c.critic_units, c.prior_in_adversary, name="adversary")
    if c.regularizer == "l2" and c.adversarial_weight:
        return SquaredNorm(name="l2")
    return None


def make_critic(config: PerPositionConfig) -> Critic | None:
    """Returns the critic that contrasts users, if they are contrasted."""
    c = config
    if not c.contrastive_weight:
        return None
    if c.contrast == "infonce":
        return InfoNCECritic(c.critic_units, name="critic")
    partners = c.contrast_partners == "random"
    return ContrastiveCritic(c.critic_units, partners, name="critic")
