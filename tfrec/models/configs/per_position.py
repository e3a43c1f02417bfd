"""Settings of every model with a latent at each position of a sequence."""

import dataclasses
from typing import ClassVar

from tfrec.errors import InputError
from tfrec.models.configs.space import Between, OneOf, Space
from tfrec.models.configs.transformer import check_heads
from tfrec.models.configs.variational import VariationalConfig
from tfrec.settings import setting


@dataclasses.dataclass(frozen=True)
class PerPositionConfig(VariationalConfig):
    """Encoder, posterior, regularisers, decoder: any can be combined."""

    space: ClassVar[Space] = {
        **VariationalConfig.space,
        "gru_units": OneOf((64, 128, 256)),
        "dropout": Between(0.0, 0.6),
        "target_window": Between(1, 8),
    }

    encoder: str = setting(
        "gru",
        "gru: the state of a GRU. attentive_gru: beside it NARM's attention "
        "over all states so far, which the decoder reads too. transformer: "
        "SASRec's causal self-attention. recurrent_blocks: RecBLR's gated "
        "linear recurrences, of the authors' sizes. none: the item embeddings, "
        "for a posterior that reads alone.",
        choices=(
            "gru",
            "attentive_gru",
            "transformer",
            "recurrent_blocks",
            "none",
        ),
    )
    blocks: int = setting(
        2, "transformer, recurrent_blocks: number of blocks.", minimum=1
    )
    heads: int = setting(
        1,
        "transformer: attention heads; they divide --embedding_dim.",
        minimum=1,
    )
    encoder_dropout: float = setting(
        0.2,
        "transformer, recurrent_blocks: dropout rate on attention weights or "
        "hidden layers, and on what a part of a block adds.",
        minimum=0.0,
        below=1.0,
    )
    encoder_activation: str = setting(
        "linear",
        "What follows the encoder's GRU: the softplus of ACVAE's eq. 11, or "
        "nothing, as in the authors' code, which learns faster.",
        choices=("linear", "softplus"),
    )
    gru_units: int = setting(100, "Size of the encoder's state.", minimum=1)
    posterior: str = setting(
        "gaussian",
        "gaussian: of independent dimensions. flow: one bent by planar flows. "
        "implicit: samples of a network that reads noise, without a density, "
        "so that only an adversary can estimate its KL. recurrent: the units "
        "of a GRU, Gaussian each, whose draws are the state that goes on.",
        choices=("gaussian", "flow", "implicit", "recurrent"),
    )
    flows: int = setting(
        16,
        "flow: number K of planar flows; 0 leaves the Gaussian posterior.",
        minimum=0,
    )
    flow_parameters: str = setting(
        "shared",
        "flow: shared: those of the flows are the same for all states, as "
        "VASER's. amortized: functions of the state, so that each history "
        "bends its posterior in its own way.",
        choices=("shared", "amortized"),
    )
    prior: str = setting(
        "normal",
        "normal: N(0, I). learned: p(z | history), from which a recommendation "
        "draws; the posterior then sees in training what comes next too. For "
        "gaussian and flow.",
        choices=("normal", "learned"),
    )
    prior_flows: int = setting(
        0,
        "learned: number of planar flows that bend the prior, their parameters "
        "functions of the history, so that it may have several modes.",
        minimum=0,
    )
    recognition_units: int = setting(
        0,
        "learned: width of a layer of tanh units between what the posterior "
        "sees and its Gaussian and flows; 0 for none.",
        minimum=0,
    )
    free_bits: float = setting(
        0.0,
        "KL divergence in nats, the mean over the positions of a batch, below "
        "which it counts as this: nothing then draws posterior and prior to "
        "each other.",
        minimum=0.0,
    )
    attention_posterior: bool = setting(
        False,
        "attentive_gru: give the attention vector a posterior with flows of "
        "its own, q(c_K) of VASER's section 4.5.1; otherwise it is "
        "deterministic.",
    )
    convolution_filters: int = setting(
        200, "implicit: channels of the causal convolution.", minimum=1
    )
    kernel_size: int = setting(
        5,
        "implicit: positions that the causal convolution spans; 1 puts a dense "
        "layer in its place (the ablation without convolution).",
        minimum=1,
    )
    dropout: float = setting(
        0.5,
        "Dropout rate at the latent: before it if the posterior is implicit, "
        "otherwise on what the decoder reads.",
        minimum=0.0,
        below=1.0,
    )
    decoder: str = setting(
        "linear",
        "What decodes the latent: linear, or a layer of tanh units.",
        choices=("linear", "tanh"),
    )
    decoder_units: int = setting(
        0,
        "Width of the decoder; 0, and always with --tie_weights: that of an "
        "embedding.",
        minimum=0,
    )
    objective: str = setting(
        "bound",
        "What beta weighs. bound: the KL divergence. printed: what VASER's "
        "eq. 9 prints for it, -log p(z_K) + sum_k log|det|, without log q_0; "
        "nothing keeps the posterior from shrinking to a point.",
        choices=("bound", "printed"),
    )
    regularizer: str = setting(
        "adversary",
        "What --adversarial_weight weighs. adversary: its estimate of the KL, "
        "as in ACVAE. l2: |z|^2 / 2 in its place, the control that has no "
        "adversary. none: nothing.",
        choices=("adversary", "l2", "none"),
    )
    adversarial_weight: float = setting(
        0.0,
        "Weight alpha of --regularizer; 0 trains without it. The 0.05 of "
        "ACVAE's paper weighs the mean over 64 latent dimensions, which is "
        "0.0008 here.",
        minimum=0.0,
    )
    prior_in_adversary: bool = setting(
        True,
        "Add |z|^2 / 2, the known part of log q - log p, to the adversary's "
        "output.",
    )
    alternate_updates: bool = setting(
        False,
        "Update encoder and adversary in turn, as in ACVAE's Algorithm 1; "
        "otherwise both in every step.",
    )
    contrastive_weight: float = setting(
        0.0,
        "Weight beta of ACVAE's contrastive loss; 0 trains without it.",
        minimum=0.0,
    )
    contrast: str = setting(
        "logistic",
        "logistic: tell a user's latent from that of another, ACVAE's eq. 12. "
        "infonce: from those of all others of the batch.",
        choices=("logistic", "infonce"),
    )
    contrast_partners: str = setting(
        "next",
        "logistic: the other user is the next of the batch, whose sequences "
        "are sorted by their lengths, or a random one.",
        choices=("next", "random"),
    )
    critic_units: int = setting(
        128, "Width of the adversary T and of the critic G.", minimum=1
    )
    critic_optimizer: str = setting(
        "sgd",
        "Optimizer of adversary and critic; adam is AdamW, and suits a rate of "
        "1e-3.",
        choices=("sgd", "adam"),
    )
    critic_learning_rate: float = setting(
        5e-4, "Learning rate of adversary and critic.", above=0.0
    )
    critic_weight_decay: float = setting(
        1e-1, "Weight decay of adversary and critic.", minimum=0.0
    )
    posterior_samples: int = setting(
        0,
        "Draws of the latent averaged at evaluation, of the prior where it is "
        "learned; 0 uses the noise-free latent.",
        minimum=0,
    )

    def __post_init__(self):
        super().__post_init__()
        if self.encoder == "transformer":
            check_heads(self.heads, self.embedding_dim)
        if self.prior == "learned":
            self._check_learned_prior()

    def _check_learned_prior(self) -> None:
        """Refuses what does not go with a prior that is learned.

        Raises:
            InputError: If there is anything.
        """
        for name, allowed, why in (
            ("posterior", ("gaussian", "flow"), "its density must be known"),
            (
                "encoder",
                ("gru", "transformer", "recurrent_blocks", "none"),
                "attention would pass the latent by",
            ),
        ):
            if getattr(self, name) not in allowed:
                raise InputError(
                    f"`--prior=learned` needs `--{name}` to be "
                    f"{' or '.join(allowed)}: {why}. Received: "
                    f"{getattr(self, name)}."
                )
        if not self.kl_weight:
            raise InputError(
                "`--prior=learned` needs `--kl_weight` above 0: nothing else "
                "keeps the posterior near the prior, from which a "
                f"recommendation draws. Received: {self.kl_weight}."
            )
        if self.adversarial_weight:
            raise InputError(
                "`--prior=learned` needs `--adversarial_weight=0`: what it "
                "weighs knows the prior N(0, I) only. Received: "
                f"{self.adversarial_weight}."
            )

    def unused(self) -> dict[str, str]:
        """See base class."""
        known = ("gaussian", "flow", "recurrent")
        grus = ("gru", "attentive_gru")
        unused = super().unused() | self.unread(
            [
                ("gru_units", "encoder", grus),
                ("encoder_activation", "encoder", grus),
                ("heads", "encoder", ("transformer",)),
                *(
                    (name, "encoder", ("transformer", "recurrent_blocks"))
                    for name in ("blocks", "encoder_dropout")
                ),
                ("initial_scale", "posterior", known),
                ("flows", "posterior", ("flow",)),
                ("flow_parameters", "posterior", ("flow",)),
                ("convolution_filters", "posterior", ("implicit",)),
                ("kernel_size", "posterior", ("implicit",)),
                ("kl_weight", "posterior", known),
                ("anneal_steps", "posterior", known),
                ("objective", "posterior", known),
                ("objective", "prior", ("normal",)),
                ("prior_flows", "prior", ("learned",)),
                ("recognition_units", "prior", ("learned",)),
                ("free_bits", "posterior", known),
                ("contrast_partners", "contrast", ("logistic",)),
                ("attention_posterior", "encoder", ("attentive_gru",)),
                ("attention_posterior", "posterior", ("gaussian", "flow")),
            ]
        )
        if not self.flows:
            unused.setdefault("flow_parameters", "with --flows=0")
        if not self.kl_weight:
            unused.setdefault("objective", "with --kl_weight=0")
            unused.setdefault("free_bits", "with --kl_weight=0")
        elif self.objective == "printed":
            unused.setdefault("free_bits", "with --objective=printed")
        if self.regularizer == "none":
            unused["adversarial_weight"] = "with --regularizer=none"
        elif not self.adversarial_weight:
            unused["regularizer"] = "with --adversarial_weight=0"
        if not self.has_adversary:
            unused |= dict.fromkeys(
                ("alternate_updates", "prior_in_adversary"),
                "without an adversary",
            )
        if not self.contrastive_weight:
            unused |= dict.fromkeys(
                ("contrast", "contrast_partners"),
                "with --contrastive_weight=0",
            )
            if not self.has_adversary:
                unused |= {
                    f"critic_{name}": "without adversary and critic"
                    for name in (
                        "optimizer",
                        "units",
                        "learning_rate",
                        "weight_decay",
                    )
                }
        return unused

    @property
    def has_adversary(self) -> bool:
        """Whether an adversary estimates the KL."""
        return self.regularizer == "adversary" and self.adversarial_weight > 0
