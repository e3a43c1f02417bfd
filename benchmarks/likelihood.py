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

With `--window=w` x' is w items that were held out one after the other, and
p(x' | z) the product of theirs: a latent may know what they have in common,
and scores without one can not. The more items, the further above the integral
is `drawn`: few of its draws find them all.

All in nats, means over the windows of a user and then over users, with the 95%
interval over users of `bound`, or of `score` where there is none, and of its
difference to that of the first run. Items of the history, and items that
training never saw, have no probability: they are left out, and counted, and so
are those that fill no window. A likelihood only where training was on one:
`--loss=softmax`, no label smoothing, `--target_window=w` without a decay, and
beta = 1 / w, as the loss is a mean over the window; others are measured as they
are.
"""

from tfrec import cli, settings

# isort: split
import dataclasses
from pathlib import Path
from typing import NamedTuple

import numpy as np
import tensorflow as tf
from scipy import stats
from tqdm import tqdm

from benchmarks import kept_likelihoods as kept
from tfrec.batches import Query
from tfrec.errors import InputError
from tfrec.models.base.per_position import PerPosition
from tfrec.models.base.recommender import Recommender
from tfrec.settings import Settings, setting
from tfrec.training import load_run


class Found(NamedTuple):
    """What was measured of a run.

    Attributes:
        nats: By column of the table, a value for each user whose items fill a
            window, float64 `[users]`.
        users: Their places in the split, int `[users]`.
        left_out: Number of items that count in no window.
        checksum: Of the data.
    """

    nats: dict[str, np.ndarray]
    users: np.ndarray
    left_out: int
    checksum: str

    @property
    def best(self) -> np.ndarray:
        """The bound, or the score where there is none."""
        return self.nats.get("bound", self.nats["score"])

    def apart(self, first: "Found") -> np.ndarray:
        """Returns by how much `best` is above another run's, user by user.

        Raises:
            InputError: If the runs are of different data.
        """
        if self.checksum != first.checksum:
            raise InputError(
                "`--run_dirs` must be runs of the same data. Received: "
                f"checksum {self.checksum}, and {first.checksum} of the first "
                "run."
            )
        _, own, others = np.intersect1d(
            self.users, first.users, return_indices=True
        )
        return self.best[own] - first.best[others]


@dataclasses.dataclass(frozen=True)
class LikelihoodConfig(Settings):
    """What is measured."""

    run_dirs: tuple[str, ...] = setting((), "Folders of runs.", required=True)
    split: str = setting(
        "validation", "What is held out.", choices=("test", "validation")
    )
    window: int = setting(
        1, "Held-out items whose joint probability is measured.", minimum=1
    )
    draws: int = setting(32, "Draws of z, of each kind.", minimum=1)
    batch_size: int = setting(32, "Histories at a time.", minimum=1)
    seed: int = setting(0, "Of the draws.", minimum=0)
    keep: bool = setting(
        False,
        "Write result files, and the tables of docs/studies.md anew; the runs "
        "must be in folders <study>/<row>/seed_<seed>.",
    )


def _likelihood(
    scores: tf.Tensor, rows: tf.Tensor, items: tf.Tensor
) -> tf.Tensor:
    """Returns log p of each row of items `[pairs, window]`, `[pairs]`.

    Args:
        scores: `[histories, num_items]`.
        rows: int32 `[pairs]`, which scores.
        items: int32 `[pairs, window]`.
    """
    shares = tf.nn.log_softmax(scores)
    found = tf.gather(tf.gather(shares, rows), items - 1, batch_dims=1)
    return tf.reduce_sum(found, 1)


def measure(
    model: Recommender,
    query: Query,
    rows: tf.Tensor,
    items: tf.Tensor,
    draws: int,
    seed: tf.Tensor,
) -> dict[str, tf.Tensor]:
    """Measures pairs of a history and items that came later.

    Args:
        model: Without latents, or with one at each position.
        query: The histories.
        rows: int32 `[pairs]`, which history.
        items: int32 `[pairs, window]`, what came later.
        draws: Draws of z.
        seed: int32, of the draws: another for each batch.

    Returns:
        Nats by column of the table, float32 `[pairs]` each.
    """
    score = -_likelihood(model.score(query), rows, items)
    if model.latent() is None:
        return {"score": score}
    users, pairs = (tf.range(tf.shape(x)[0]) for x in (query.history, rows))
    of_pairs = Query(*(tf.gather(part, rows) for part in query))
    states, _, last = model.last_states(model.read_newest(of_pairs))
    states = tf.gather(states, last, batch_dims=1)

    def one(number):
        numbers = tf.fill(tf.shape(users), number)
        latent = model.sample(query, tf.stack([users + seed, numbers], 1))
        prior = _likelihood(model.decode(latent, query), rows, items)
        noise = tf.random.stateless_normal(
            [tf.size(rows), model.posterior.noise_dim],
            tf.stack([seed, number]),
        )
        draw = model.draw_posterior(states, items, noise)
        given = model.decode(draw.latent, of_pairs)
        return prior, _likelihood(given, pairs, items), draw.kl

    # A loop: the graph of so many draws with flows takes minutes to build.
    prior, given, kl = tf.map_fn(
        one, tf.range(draws), fn_output_signature=(tf.float32,) * 3
    )

    def of_mean(logs):
        return np.log(draws) - tf.reduce_logsumexp(logs, 0)

    return {
        "score": score,
        "drawn": of_mean(prior),
        "bound": tf.reduce_mean(kl - given, 0),
        "kl": tf.reduce_mean(kl, 0),
        "weighted": of_mean(given - kl),
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


def _windows(items: np.ndarray, counts: np.ndarray, size: int) -> np.ndarray:
    """Returns the items that count, `[n, size]`, without the last few."""
    kept = items[counts]
    return kept[: len(kept) // size * size].reshape(-1, size)


def measure_run(config: LikelihoodConfig, folder: str) -> Found:
    """Measures a run.

    Args:
        config: What is measured.
        folder: Of the run.

    Returns:
        Nats of each user whose items fill a window.

    Raises:
        InputError: If there is none, or the model has no such likelihood.
    """
    run = load_run(folder)
    _check(run.model, folder)
    measured = tf.function(measure, reduce_retracing=True)
    found: dict[str, list[float]] = {}
    users: list[int] = []
    left_out = 0
    batches = run.data.evaluation(config.split, batch_size=config.batch_size)
    for place, batch in enumerate(
        tqdm(batches, desc=folder, leave=False, disable=None)
    ):
        targets, excluded = batch.targets.numpy(), batch.excluded.numpy()
        counts = (targets > 0) & (targets <= run.model.num_items)
        counts &= ~(targets[:, :, None] == excluded[:, None, :]).any(2)
        windows = [
            _windows(*each, config.window)
            for each in zip(targets, counts, strict=True)
        ]
        items = np.concatenate(windows)
        left_out += int((targets > 0).sum() - items.size)
        rows = np.repeat(np.arange(len(windows)), [len(w) for w in windows])
        if not len(rows):
            continue
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
        users.extend(place * config.batch_size + np.flatnonzero(many))
    if not found:
        raise InputError(
            f"`--split` must hold {config.window} items of some user that "
            f"{folder} gives a probability. Received: {config.split}, whose "
            f"{left_out:,} items are too few, of histories, or never seen."
        )
    return Found(
        {name: np.array(values) for name, values in found.items()},
        np.array(users),
        left_out,
        run.data.manifest.data_checksum,
    )


def _margin(values: np.ndarray) -> float:
    """Returns half of the 95% interval of the mean over users."""
    return stats.sem(values) * stats.t.ppf(0.975, len(values) - 1)


def main() -> None:
    """Prints the table of the runs, and keeps them."""
    config = settings.from_flags(LikelihoodConfig)
    print(f"{'':32}" + "".join(f"{name:>10}" for name in kept.COLUMNS))
    # Before the work, so that a wrong name costs none.
    rows = [kept.place(Path(f)).name for f in config.run_dirs if config.keep]
    first = None
    for folder in config.run_dirs:
        found = measure_run(config, folder)
        nats = {name: values.mean() for name, values in found.nats.items()}
        line = (
            f"{nats[name]:10.4f}" if name in nats else f"{'-':>10}"
            for name in kept.COLUMNS
        )
        print(f"{folder[-31:]:32}{''.join(line)}", flush=True)
        kind = "bound" if "bound" in nats else "score"
        print(
            f"{'':6}± {_margin(found.best):.4f} for {kind}, "
            f"{len(found.users):,} users, {found.left_out:,} items left out"
        )
        first = first or found
        apart = found.apart(first)
        if found is not first:
            print(
                f"{'':6}{apart.mean():+.4f} ± {_margin(apart):.4f} to the "
                f"first run, {len(apart):,} users of both"
            )
        if config.keep:
            measured = {
                "split": config.split,
                "window": config.window,
                "draws": config.draws,
                "draws_seed": config.seed,
                "nats": nats,
                "margin": _margin(found.best),
                "users": len(found.users),
                "left_out": found.left_out,
                "first": rows[0],
                "apart": {"mean": apart.mean(), "margin": _margin(apart)},
            }
            print(f"{'':6}Written: {kept.keep(Path(folder), measured)}")
    if config.keep:
        kept.write_tables()


if __name__ == "__main__":
    cli.run(main, LikelihoodConfig)
