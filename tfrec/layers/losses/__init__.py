"""Losses over items, apart from what scores them."""

from tfrec.layers.losses.base import ItemLoss, Targets, coming
from tfrec.layers.losses.binary import BinaryLoss
from tfrec.layers.losses.bpr import BPRLoss
from tfrec.layers.losses.histories import Histories
from tfrec.layers.losses.ranking import RankingLoss
from tfrec.layers.losses.sampler import PopularitySampler
from tfrec.layers.losses.softmax import (
    FullSoftmax,
    SampledSoftmax,
    multinomial_loss,
)

__all__ = [
    "BPRLoss",
    "BinaryLoss",
    "FullSoftmax",
    "Histories",
    "ItemLoss",
    "PopularitySampler",
    "RankingLoss",
    "SampledSoftmax",
    "Targets",
    "coming",
    "multinomial_loss",
]
