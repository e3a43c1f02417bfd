"""Critics: networks that judge whether a latent belongs to a sequence."""

from tfrec.layers.critics.adversary import Adversary
from tfrec.layers.critics.base import Critic, Pairs
from tfrec.layers.critics.contrast import ContrastiveCritic, InfoNCECritic
from tfrec.layers.critics.squared_norm import SquaredNorm

__all__ = [
    "Adversary",
    "ContrastiveCritic",
    "Critic",
    "InfoNCECritic",
    "Pairs",
    "SquaredNorm",
]
