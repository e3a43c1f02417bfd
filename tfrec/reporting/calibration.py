"""Whether probabilities are frequencies: calibration of the next item."""

import numpy as np
import tensorflow as tf

from tfrec.batches import thinned
from tfrec.charts import Series, line_chart
from tfrec.models.base.items import exclude
from tfrec.training.run import Run
from tfrec.web_page import heading, note

# Scores that are looked at; rows are left out evenly beyond that.
_MOST_SCORES = 100_000_000
# Those at once: several arrays of eight bytes each.
_AT_ONCE = 5_000_000
# Steps of the logarithm of a probability, and their number.
_STEPS, _BINS = 4, 28
# Frequencies of fewer hits say little.
_LEAST_HITS = 5


def calibration(run: Run) -> list[str]:
    """Returns how often items come next that a run gives some probability.

    Args:
        run: The run. Its scores are taken as log-probabilities of the very
            next item, among those that are ranked.
    """
    examples = run.data.examples("test")
    every = -(-examples * run.data.num_items // _MOST_SCORES)
    expected, hits, numbers = np.zeros([3, _BINS])
    sure, right, looked_at = 0.0, 0, 0
    score = tf.function(run.model.score, reduce_retracing=True, autograph=False)
    rows = max(1, _AT_ONCE // run.data.num_items)
    rows = min(rows, run.config.evaluation_batch_size)
    for batch in thinned(run.data.evaluation("test", rows), every):
        scores = exclude(score(batch.query), batch.excluded)
        p = tf.nn.softmax(scores).numpy().astype(np.float64)
        following = batch.targets.numpy()[:, 0]
        # What is never seen, and what is not there, is none of the items.
        known = (following > 0) & (following <= p.shape[1])
        hit = np.zeros(p.shape, bool)
        hit[np.flatnonzero(known), following[known] - 1] = True
        # Not of items that are not ranked.
        possible = p > 0
        bins = np.log10(p[possible]) * _STEPS + _BINS
        bins = np.clip(bins.astype(np.int64), 0, _BINS - 1)
        numbers += np.bincount(bins, minlength=_BINS)
        expected += np.bincount(bins, p[possible], _BINS)
        hits += np.bincount(bins, hit[possible], _BINS)
        best = p.argmax(1)
        each = np.arange(len(best))
        sure += p[each, best].sum()
        right += int(hit[each, best].sum())
        looked_at += len(best)
    drawn = hits >= _LEAST_HITS
    predicted = expected[drawn] / numbers[drawn]
    observed = hits[drawn] / numbers[drawn]
    xs = np.log10(predicted).tolist()
    part = "" if every == 1 else f" (of {looked_at:,} of {examples:,} examples)"
    return [
        heading("Calibration"),
        note(
            f"The first item of a list has a probability of "
            f"{sure / looked_at:.2%} on average, and comes next in "
            f"{right / looked_at:.2%} of the cases{part}. Below, all items by "
            "the probability that the run gives them: where the line is below "
            "the other, it is too sure. Training to rank, or with smoothed "
            "labels, does not ask for calibration."
        ),
        line_chart(
            "How often an item of some probability comes next",
            [
                Series("observed", xs, np.log10(observed).tolist()),
                Series("as predicted", xs, xs),
            ],
            "log10 of the probability",
            "log10 of the frequency",
        ),
    ]
