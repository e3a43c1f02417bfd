"""Losses over items, apart from what scores them."""

from tfrec.layers.losses.base import ItemLoss, Targets, coming
from tfrec.layers.losses.binary import BinaryLoss
from tfrec.layers.losses.histories import Histories
from tfrec.layers.losses.ranking import RankingMax
from tfrec.layers.losses.sampler import PopularitySampler
from tfrec.layers.losses.softmax import (
    FullSoftmax,
    SampledSoftmax,
    multinomial_loss,
)

__all__ = [
    "BinaryLoss",
    "FullSoftmax",
    "Histories",
    "ItemLoss",
    "PopularitySampler",
    "RankingMax",
    "SampledSoftmax",
    "Targets",
    "coming",
    "multinomial_loss",
]
