"""Which models there are: the line that makes a model known by its name.

The model `name` is the class `class_name` of `tfrec.models.<name>`, and its
settings are `<class_name>Config` of `tfrec.models.configs.<name>`. Both are
imported when they are asked for: flags and help need no TensorFlow.
"""

from __future__ import annotations

import importlib
import typing
from typing import NamedTuple

from tfrec.errors import InputError, nearest_names
from tfrec.settings import Settings

if typing.TYPE_CHECKING:
    from tfrec.models.base.recommender import Recommender


class Entry(NamedTuple):
    """A model that commands know.

    Attributes:
        name: What `--model` calls it; its modules are called so too.
        class_name: The name of its class.
        paper: Where it comes from.
        summary: What it is, in a few words.
    """

    name: str
    class_name: str
    paper: str
    summary: str

    @property
    def config_class(self) -> type[Settings]:
        """The dataclass of its settings."""
        module = importlib.import_module(f"tfrec.models.configs.{self.name}")
        return getattr(module, f"{self.class_name}Config")

    @property
    def model_class(self) -> type[Recommender]:
        """The model."""
        module = importlib.import_module(f"tfrec.models.{self.name}")
        return getattr(module, self.class_name)


_ENTRIES = (
    Entry(
        "acvae",
        "ACVAE",
        "Xie et al., WWW'21",
        "sequential VAE with an adversary and a contrastive critic",
    ),
    Entry(
        "vaser",
        "VASER",
        "Zhou et al., WWW'19",
        "session VAE with planar flows and attention",
    ),
    Entry(
        "svae",
        "SVAE",
        "Sachdeva et al., WSDM'19",
        "sequential VAE, the next items as a set",
    ),
    Entry(
        "cvae",
        "CVAE",
        "Sohn et al., NIPS'15, at each position",
        "a learned prior, a posterior that sees the next item",
    ),
    Entry(
        "sasrec",
        "SASRec",
        "Kang and McAuley, ICDM'18",
        "causal self-attention over items and positions",
    ),
    Entry(
        "recblr",
        "RecBLR",
        "Liu et al., CIKM'24",
        "gated linear recurrences over items",
    ),
    Entry(
        "bert4rec",
        "BERT4Rec",
        "Sun et al., CIKM'19",
        "bidirectional self-attention, fills in masked items",
    ),
    Entry(
        "relavar",
        "ReLaVaR",
        "Chatzis et al., 2017",
        "recurrent units that are Gaussian latents",
    ),
    Entry(
        "vrm",
        "VRM",
        "Wang et al., CIKM'18",
        "session VAE, a GRU that writes the session from its latent",
    ),
    Entry(
        "narm",
        "NARM",
        "Li et al., CIKM'17",
        "GRU with attention over the session",
    ),
    Entry(
        "gru4rec",
        "GRU4Rec",
        "Hidasi et al., ICLR'16 and CIKM'18",
        "GRU with ranking losses",
    ),
    Entry(
        "stamp",
        "STAMP",
        "Liu et al., KDD'18",
        "attention that the last click and the mean ask for",
    ),
    Entry(
        "fpmc",
        "FPMC",
        "Rendle et al., WWW'10",
        "a factorised Markov chain beside the user's taste",
    ),
    Entry(
        "caser",
        "Caser",
        "Tang and Wang, WSDM'18",
        "convolutions over the last items, beside the user",
    ),
    Entry("pop", "Pop", "", "the most popular items for everyone"),
    Entry("markov", "Markov", "", "counts of which item comes right after"),
    Entry(
        "rules",
        "Rules",
        "Ludewig and Jannach, 2018",
        "counts of which item comes soon after",
    ),
    Entry(
        "transitions",
        "Transitions",
        "",
        "counts of what follows, decayed over the history",
    ),
    Entry(
        "itemknn",
        "ItemKNN",
        "Sarwar et al., WWW'01",
        "items that occur in the same sequences",
    ),
    Entry(
        "vsknn",
        "VSKNN",
        "Ludewig and Jannach, 2018",
        "what the most similar sequences have",
    ),
    Entry(
        "ease",
        "EASE",
        "Steck, WWW'19",
        "linear, in closed form: items explain each other as a set",
    ),
    Entry(
        "slist",
        "SLIST",
        "Choi et al., WWW'21",
        "linear, in closed form: the past explains what comes",
    ),
    Entry(
        "multvae",
        "MultVAE",
        "Liang et al., WWW'18",
        "VAE of sets, with a multinomial likelihood",
    ),
    Entry(
        "recvae",
        "RecVAE",
        "Shenbin et al., WSDM'20",
        "VAE of sets, its prior the posterior of before",
    ),
    Entry(
        "cfgan",
        "CFGAN",
        "Chae et al., CIKM'18",
        "sets rated by a generator against a discriminator",
    ),
    Entry(
        "blend",
        "Blend",
        "",
        "finished models that recommend together",
    ),
)
MODELS: dict[str, Entry] = {entry.name: entry for entry in _ENTRIES}


def get_entry(name: str) -> Entry:
    """Returns what is known of the model called `name`.

    Raises:
        InputError: If there is none; the nearest names are suggested.
    """
    if name not in MODELS:
        raise InputError(
            f"`--model` must be one of {', '.join(MODELS)}. Received: {name}."
            f"{nearest_names(name, MODELS)}"
        )
    return MODELS[name]


def get_model(name: str) -> type[Recommender]:
    """Returns the class of the model called `name`.

    Raises:
        InputError: If there is none; the nearest names are suggested.
    """
    return get_entry(name).model_class
