"""Posteriors q(z | x), each given noise a draw at every position."""

from tfrec.layers.posteriors.base import BesideContext, Draw, Posterior
from tfrec.layers.posteriors.flow import FlowPosterior
from tfrec.layers.posteriors.implicit import ImplicitPosterior
from tfrec.layers.posteriors.recurrent import RecurrentPosterior

__all__ = [
    "BesideContext",
    "Draw",
    "FlowPosterior",
    "ImplicitPosterior",
    "Posterior",
    "RecurrentPosterior",
]
