"""Ranking metrics over all items."""

from tfrec.metrics.ranking import (
    MRR,
    NDCG,
    NEVER,
    RankingMetric,
    Recall,
    set_scores,
    target_ranks,
)

__all__ = [
    "MRR",
    "NDCG",
    "NEVER",
    "RankingMetric",
    "Recall",
    "set_scores",
    "target_ranks",
]
