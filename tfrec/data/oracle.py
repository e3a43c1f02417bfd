"""The best possible ranking of the synthetic dataset.

Notation: the history x = x_1 ... x_m of a sequence, its cluster c, its next T
items S = {x_m+1, ..., x_m+T}, which are distinct and not in the history.

Posterior, by Bayes and the first-order transitions:

    p(c | x)  ~  p(c) p(x_1 | c) prod_t p(x_t | x_t-1, c)

where p(x_1 | c) is the same for all items on the ring of c, else 0.

Inclusion. Let j be the d-th item after x_m on the ring of c. It is in S if the
walk takes it and took fewer than T of the d - 1 items before it:

    p(j in S | x, c)  =  appeal(j) p(N_d-1 < T | c)
    p(j in S | x)     =  sum_c p(c | x) p(j in S | x, c)

where N_d, a sum of independent Bernoullis, has its distribution from that of
N_d-1 by p(N_d = n) = (1 - a) p(N_d-1 = n) + a p(N_d-1 = n - 1), a = appeal(j).
(The length of a sequence says nothing about its items. That a walk ends
when it comes round to its start is neglected: it is less likely than 1e-7.)

Optimality. Let a ranking put item i_r at rank r. With T known,

    E[recall@k | x]  =  1/T  sum_r<=k p(i_r in S | x)
    E[ndcg@k | x]    =  1/IDCG_k(T)  sum_r<=k p(i_r in S | x) / log2(r + 1)

Both are sums of p(i_r in S | x) with weights that do not increase with r. So
ranking by p(i in S | x) maximises both, for every k at once, and no scorer,
whatever it was trained on, has a higher expectation. (The observed mean over
the users of a test set scatters around it, and MRR is not such a sum.) With
`leave_one_out`, T = 1 and S is the next item.
"""

from collections.abc import Sequence

import numpy as np

from tfrec.data.config import DataConfig
from tfrec.data.prepared import PreparedDataset
from tfrec.data.sources.synthetic import World, build_world
from tfrec.errors import InputError


class Oracle:
    """Ranks the items of a prepared synthetic dataset as well as possible.

    Args:
        data: Prepared with `--dataset=synthetic`.

    Raises:
        InputError: If it is another dataset, or settings hide a part of the
            histories, which the posterior needs whole.

    Example:

        oracle = Oracle(data)
        for batch in data.evaluation("test").as_numpy_iterator():
            counts = np.count_nonzero(batch.targets, axis=1)
            scores = oracle.score(batch.history, counts)
    """

    def __init__(self, data: PreparedDataset):
        config = DataConfig.from_dict(data.manifest.settings)
        if config.dataset != "synthetic":
            raise InputError(
                "Only the synthetic dataset has a known best ranking. "
                f"Received: {config.dataset}."
            )
        if config.truncate_before_split or config.min_item_count > 1:
            raise InputError(
                "The best ranking is known for whole histories: prepare the "
                "synthetic dataset without `--truncate_before_split` and "
                "`--min_item_count`."
            )
        self._data = data
        self._world = build_world(config)
        # The world's number of each item of the vocabulary.
        numbers = {item: i for i, item in enumerate(self._world.items)}
        self._numbers = np.array([numbers[i] for i in data.vocabulary.items])

    def score(self, history: np.ndarray, counts: np.ndarray) -> np.ndarray:
        """Returns p(i in S | x), which ranks the items best.

        Args:
            history: Item indices [batch, length], 0-padded at the end.
            counts: T, the number of targets of each row [batch].

        Returns:
            Probabilities [batch, num_items]; column j is item j + 1.
        """
        numbers = np.where(history > 0, self._numbers[history - 1], -1)
        return inclusion(self._world, numbers, counts)[:, self._numbers]

    def evaluate(
        self, split: str, cutoffs: Sequence[int] = (5, 10, 20)
    ) -> dict[str, float]:
        """Returns the highest recall and NDCG that can be expected.

        Args:
            split: "validation" or "test".
            cutoffs: The numbers k of items shown.

        Returns:
            `recall@k` and `ndcg@k`: exact expectations over the targets, given
            the histories of the split, averaged over its sequences.
        """
        sums = dict.fromkeys(
            [f"{name}@{k}" for name in ("recall", "ndcg") for k in cutoffs], 0.0
        )
        rows = 0
        for batch in self._data.evaluation(split).as_numpy_iterator():
            counts = np.count_nonzero(batch.targets, axis=1)
            best = -np.sort(-self.score(batch.history, counts), axis=1)
            discounts = 1 / np.log2(np.arange(2, best.shape[1] + 2))
            ideal = discounts.cumsum()
            for k in cutoffs:
                top = best[:, :k]
                recall = top.sum(axis=1) / counts
                ndcg = top @ discounts[:k] / ideal[np.minimum(counts, k) - 1]
                sums[f"recall@{k}"] += recall.sum()
                sums[f"ndcg@{k}"] += ndcg.sum()
            rows += len(counts)
        return {name: float(total / rows) for name, total in sums.items()}


def posterior(world: World, history: np.ndarray) -> np.ndarray:
    """Returns p(c | x) [batch, clusters].

    Args:
        world: The distribution of the sequences.
        history: Numbers of items in `world` [batch, length], -1 at the end.

    Raises:
        ValueError: If a history has probability 0 in every cluster.
    """
    valid = history >= 0
    batch, size = len(history), world.rings.shape[1]
    log = np.empty((batch, len(world.prior)))
    for cluster, ring in enumerate(world.rings):
        places = np.where(valid, _places(world, cluster)[history], -1)
        before, after = places[:, :-1], places[:, 1:]
        # skipped[p] = sum of log(1 - appeal) over the places before p.
        skipped = np.append(0, np.log1p(-world.appeal[ring]).cumsum())
        log_moves = (
            np.log(world.appeal[ring[after]])
            + skipped[after]
            - skipped[before + 1]
            # Past the end of the array the ring goes on at its beginning.
            + np.where(after <= before, skipped[size], 0)
        )
        log_moves = np.where(valid[:, 1:], log_moves, 0)
        on_ring = ((places >= 0) | ~valid).all(axis=1)
        log[:, cluster] = np.where(
            on_ring, np.log(world.prior[cluster]) + log_moves.sum(1), -np.inf
        )
    highest = log.max(axis=1, keepdims=True)
    if np.isneginf(highest).any():
        raise ValueError("A history is impossible in this world.")
    likelihood = np.exp(log - highest)
    return likelihood / likelihood.sum(axis=1, keepdims=True)


def inclusion(
    world: World, history: np.ndarray, counts: np.ndarray
) -> np.ndarray:
    """Returns p(i in S | x) [batch, items].

    Args:
        world: The distribution of the sequences.
        history: Numbers of items in `world` [batch, length], -1 at the end.
        counts: T, the size of S, of each row [batch].
    """
    clusters = posterior(world, history)
    last = history[np.arange(len(history)), (history >= 0).sum(axis=1) - 1]
    included = np.zeros((len(history), len(world.titles)))
    for cluster, ring in enumerate(world.rings):
        (rows,) = np.nonzero(clusters[:, cluster])
        start = _places(world, cluster)[last[rows]]
        # taken[n] = p(N = n) for n < T.
        taken = np.zeros((len(rows), counts.max()))
        taken[:, 0] = 1.0
        below = np.arange(counts.max()) < counts[rows, None]
        for distance in range(1, len(ring)):
            item = ring[(start + distance) % len(ring)]
            appeal = world.appeal[item]
            fewer = (taken * below).sum(axis=1)
            included[rows, item] += clusters[rows, cluster] * appeal * fewer
            one_more = taken * appeal[:, None]
            taken -= one_more
            taken[:, 1:] += one_more[:, :-1]
    return included


def _places(world: World, cluster: int) -> np.ndarray:
    """Returns the place of each item on a ring, -1 if it is not there."""
    places = np.full(len(world.titles), -1)
    places[world.rings[cluster]] = np.arange(world.rings.shape[1])
    return places
