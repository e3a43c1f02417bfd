"""How likely a model finds what was held out, and bounds on that.

    python -m benchmarks.likelihood --run_dirs=runs/gru,runs/cvae

For each user (or prefix) and each item x' of the split, with h the history:

* score: -log p(x' | h) of the scores that rank. Where there is no latent it is
  all that there is to say, and no bound;
* drawn: -log of the mean of p(x' | z) over draws of z from what a
  recommendation draws from, q(z | h), or p(z | h) where the prior is learned;
* bound: the mean over draws from the posterior, q(z | h) or q(z | h, x'), of
  -log p(x' | z) + log q - log p. In expectation at least -log of the integral
  of p(x' | z) over p, which is -log p(x' | h) where the prior is learned, and
  forgets the history where it is N(0, I);
* kl: the mean of log q - log p in it;
* weighted: the importance weighted bound (Burda et al., ICLR'16) on the same,
  -log of the mean over the same draws of p(x' | z) p / q. In expectation it
  lies between, the nearer to the integral the more draws there are.

All in nats, means over the items of a user and then over users, with the 95%
interval over users of `bound`, or of `score` where there is none. Items of the
history, and items that training never saw, have no probability: they are left
out, and counted. A likelihood only where training was on one:
`--loss=softmax`, one target, no label smoothing; others are measured as they
are.
"""

from tfrec import cli, settings

# isort: split
import dataclasses

import numpy as np
import tensorflow as tf
from scipy import stats
from tqdm import tqdm

from tfrec.batches import Query
from tfrec.errors import InputError
from tfrec.models.base.per_position import PerPosition
from tfrec.models.base.recommender import Recommender
from tfrec.settings import Settings, setting
from tfrec.training import load_run

_COLUMNS = ("score", "drawn", "bound", "kl", "weighted")


@dataclasses.dataclass(frozen=True)
class LikelihoodConfig(Settings):
    """What is measured."""

    run_dirs: tuple[str, ...] = setting((), "Folders of runs.", required=True)
    split: str = setting(
        "validation", "What is held out.", choices=("test", "validation")
    )
    draws: int = setting(32, "Draws of z, of each kind.", minimum=1)
    batch_size: int = setting(32, "Histories at a time.", minimum=1)
    seed: int = setting(0, "Of the draws.", minimum=0)


def _shares(scores: tf.Tensor, rows: tf.Tensor, items: tf.Tensor) -> tf.Tensor:
    """Returns log p of items, `[pairs]`, from scores `[rows, num_items]`."""
    shares = tf.nn.log_softmax(scores)
    return tf.gather_nd(shares, tf.stack([rows, items - 1], 1))


def measure(
    model: Recommender,
    query: Query,
    rows: tf.Tensor,
    items: tf.Tensor,
    draws: int,
    seed: tf.Tensor,
) -> dict[str, tf.Tensor]:
    """Measures pairs of a history and an item that came later.

    Args:
        model: Without latents, or with one at each position.
        query: The histories.
        rows: int32 `[pairs]`, which history.
        items: int32 `[pairs]`, what came later.
        draws: Draws of z.
        seed: int32, of the draws: another for each batch.

    Returns:
        Nats by column of the table, float32 `[pairs]` each.
    """
    score = -_shares(model.score(query), rows, items)
    if model.latent() is None:
        return {"score": score}
    users, pairs = (tf.range(tf.shape(x)[0]) for x in (query.history, rows))
    of_pairs = Query(*(tf.gather(part, rows) for part in query))
    states, _, last = model.last_states(model.read_newest(of_pairs))
    states = tf.gather(states, last, batch_dims=1)
    drawn, weights, bounds, kls = [], [], [], []
    for number in range(draws):
        seeds = tf.stack([users, tf.fill(tf.shape(users), number)], 1)
        seeds += [[seed, 0]]
        latent = model.sample(query, seeds)
        drawn.append(_shares(model.decode(latent, query), rows, items))
        noise = tf.random.stateless_normal(
            [tf.size(rows), model.posterior.noise_dim], [seed, number]
        )
        draw = model.draw_posterior(states, items, noise)
        given = _shares(model.decode(draw.latent, of_pairs), pairs, items)
        weights.append(given - draw.kl)
        bounds.append(draw.kl - given)
        kls.append(draw.kl)

    def of_mean(logs):
        return np.log(draws) - tf.reduce_logsumexp(logs, 0)

    return {
        "score": score,
        "drawn": of_mean(drawn),
        "bound": tf.reduce_mean(bounds, 0),
        "kl": tf.reduce_mean(kls, 0),
        "weighted": of_mean(weights),
    }


def _check(model: Recommender, folder: str) -> None:
    """Refuses a model whose likelihood this cannot measure.

    Raises:
        InputError: If it has a latent of another kind, or one whose density is
            not known.
    """
    known = isinstance(model, PerPosition) and (
        model.posterior.knows_density and model.posterior.reach == 1
    )
    if model.latent() is not None and not known:
        raise InputError(
            "`--run_dirs` must be of models without a latent, or with one at "
            "each position whose density is known (--posterior=gaussian or "
            f"flow). Received: {folder}."
        )


def measure_run(config: LikelihoodConfig, folder: str) -> dict[str, np.ndarray]:
    """Measures a run.

    Args:
        config: What is measured.
        folder: Of the run.

    Returns:
        Nats by column, a value for each user with an item that counts; and
        `left_out`, the items that do not, `[1]`.
    """
    run = load_run(folder)
    _check(run.model, folder)
    measured = tf.function(measure, reduce_retracing=True)
    found: dict[str, list[float]] = {}
    left_out = 0
    batches = run.data.evaluation(config.split, batch_size=config.batch_size)
    for place, batch in enumerate(
        tqdm(batches, desc=folder, leave=False, disable=None)
    ):
        targets, excluded = batch.targets.numpy(), batch.excluded.numpy()
        counts = (targets > 0) & (targets <= run.model.num_items)
        counts &= ~(targets[:, :, None] == excluded[:, None, :]).any(2)
        left_out += int((targets > 0).sum() - counts.sum())
        rows, places = np.nonzero(counts)
        if not len(rows):
            continue
        items = targets[rows, places]
        nats = measured(
            run.model,
            batch.query,
            tf.constant(rows, tf.int32),
            tf.constant(items, tf.int32),
            config.draws,
            # Users of a batch, and batches, each have draws of their own.
            tf.constant(config.seed + place * config.batch_size),
        )
        many = np.bincount(rows)
        for name, values in nats.items():
            means = np.bincount(rows, values.numpy())[many > 0] / many[many > 0]
            found.setdefault(name, []).extend(means)
    if not found:
        raise InputError(
            f"`--split` must hold items that {folder} gives a probability. "
            f"Received: {config.split}, whose {left_out:,} items are of "
            "histories, or were never seen."
        )
    result = {name: np.array(values) for name, values in found.items()}
    return {**result, "left_out": np.array([left_out])}


def main() -> None:
    """Prints the table of the runs."""
    config = settings.from_flags(LikelihoodConfig)
    print(f"{'':32}" + "".join(f"{name:>10}" for name in _COLUMNS))
    for folder in config.run_dirs:
        found = measure_run(config, folder)
        left_out = int(found.pop("left_out")[0])
        line = f"{folder[-31:]:32}"
        for name in _COLUMNS:
            line += (
                f"{found[name].mean():10.4f}" if name in found else "         -"
            )
        print(line, flush=True)
        kind = "bound" if "bound" in found else "score"
        best = found[kind]
        margin = stats.sem(best) * stats.t.ppf(0.975, len(best) - 1)
        print(
            f"{'':6}± {margin:.4f} for {kind}, {len(best):,} users, "
            f"{left_out:,} items left out"
        )


if __name__ == "__main__":
    cli.run(main, LikelihoodConfig)
