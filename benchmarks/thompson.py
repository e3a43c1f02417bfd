"""Clicks that recommending from the posterior earns, against showing the best.

    python -m benchmarks.thompson --run_dirs=runs/quickstart,runs/wide

In the world of the embedded dataset (tfrec/data/sources/synthetic.py) new
listeners come, of whom one item is known. In each round a listener is shown
one item. It is clicked with the probability that the listener's walk takes the
item among its next T; then the walk goes on from there, and the history is
longer by this item. What was shown without a click leaves no trace in the
history, but is not shown to this listener again (unless --show_again). After
--stay rounds another listener comes.

Policies, each for the same listeners and the same luck:

* greedy: the item that the model puts first;
* thompson: the item that it puts first for one draw of z from q(z | history),
  as the signature `sample` does, with a new draw in each round;
* epsilon 0.1: greedy, but an item at random in a tenth of the rounds;
* draw: an item drawn from p(item | history), which needs no posterior;
* the cluster known: the item with the highest probability of a click.

Prints clicks in --rounds rounds, the mean of --streams independent streams,
with the 95% interval of the mean, and of the difference to greedy, which is
paired (Student's t over streams).
"""

from tfrec import cli, settings

# isort: split
import dataclasses
from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf
from scipy import stats
from tqdm import trange

from tfrec.batches import Query
from tfrec.data.config import DataConfig
from tfrec.data.oracle import inclusion
from tfrec.data.sources.synthetic import World, build_world
from tfrec.errors import InputError
from tfrec.settings import Settings, setting
from tfrec.training import Run, load_run

# What a policy sees: histories, and the streams' clusters and places.
Scores = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]


@dataclasses.dataclass(frozen=True)
class ThompsonConfig(Settings):
    """What is simulated."""

    run_dirs: tuple[str, ...] = setting(
        (),
        "Folders of runs on the embedded dataset, of models with a latent.",
        required=True,
    )
    rounds: int = setting(1000, "Rounds of a stream.", minimum=1)
    streams: int = setting(100, "Independent streams.", minimum=2)
    stay: int = setting(20, "Rounds of a listener.", minimum=1)
    next_items: int = setting(
        10, "T: how far ahead a listener looks for what is shown.", minimum=1
    )
    epsilons: tuple[float, ...] = setting(
        (0.05, 0.1, 0.2), "Shares of rounds with an item at random.", minimum=0
    )
    show_again: bool = setting(
        False, "Show again what was shown without a click."
    )
    seed: int = setting(0, "Of the listeners, their luck and all draws.")


class Listeners:
    """Streams of listeners, the same for each policy.

    Args:
        world: Where they walk.
        config: What is simulated.

    Attributes:
        clusters: Cluster of each listener, int `[streams, listeners]`.
        places: Where each begins on the ring, int `[streams, listeners]`.
        luck: Uniform numbers, `[streams, rounds]`: below its probability, the
            item of a round is clicked.
        chances: Probability of a click by cluster, place on its ring and item,
            `[clusters, places, items]`.
    """

    def __init__(self, world: World, config: ThompsonConfig):
        rng = np.random.default_rng([config.seed, 0])
        shape = config.streams, -(-config.rounds // config.stay)
        self.clusters = rng.choice(len(world.prior), shape, p=world.prior)
        self.places = rng.integers(world.rings.shape[1], size=shape)
        self.luck = rng.random((config.streams, config.rounds))
        self.chances = chances(world, config.next_items)


def chances(world: World, next_items: int) -> np.ndarray:
    """Returns p(j in S | x, c), see tfrec/data/oracle.py.

    Args:
        world: Where listeners walk.
        next_items: T, the size of S.

    Returns:
        float64 `[clusters, places, items]`; a place is that of the last item.
    """
    counts = np.full(world.rings.shape[1], next_items)
    found = []
    for cluster, ring in enumerate(world.rings):
        known = np.zeros(len(world.prior))
        known[cluster] = 1.0
        with np.errstate(divide="ignore"):  # log 0: no other cluster.
            alone = dataclasses.replace(world, prior=known)
            found.append(inclusion(alone, ring[:, None], counts))
    return np.stack(found)


def simulate(
    world: World,
    listeners: Listeners,
    config: ThompsonConfig,
    policy: Scores,
    name: str = "",
) -> np.ndarray:
    """Shows each listener what a policy puts first.

    Args:
        world: Where they walk.
        listeners: Who comes.
        config: What is simulated.
        policy: Returns scores, float `[streams, items]` by the numbers of the
            world, for histories of such numbers, `[streams, stay + 1]` with -1
            at the end, and the cluster and place of each stream.
        name: Shown while it runs.

    Returns:
        Number of clicks of each stream.
    """
    streams = np.arange(config.streams)
    where = np.full((len(world.rings), len(world.titles)), -1)
    for cluster, ring in enumerate(world.rings):
        where[cluster, ring] = np.arange(len(ring))
    clicks = np.zeros(config.streams, int)
    for number in trange(config.rounds, desc=name, leave=False, disable=None):
        if number % config.stay == 0:
            cluster = listeners.clusters[:, number // config.stay]
            place = listeners.places[:, number // config.stay]
            history = np.full((config.streams, config.stay + 1), -1)
            history[:, 0] = world.rings[cluster, place]
            length = np.ones(config.streams, int)
            gone = np.zeros((config.streams, len(world.titles)), bool)
            gone[streams, history[:, 0]] = True
        scores = policy(history, cluster, place)
        shown = np.where(gone, -np.inf, scores).argmax(1)
        chance = listeners.chances[cluster, place, shown]
        clicked = listeners.luck[:, number] < chance
        gone[streams, shown] |= clicked | (not config.show_again)
        history[streams[clicked], length[clicked]] = shown[clicked]
        length += clicked
        place = np.where(clicked, where[cluster, shown], place)
        clicks += clicked
    return clicks


def policies(
    run: Run, world: World, listeners: Listeners, config: ThompsonConfig
) -> dict[str, Scores]:
    """Returns the policies of a run by name; the first is greedy.

    Raises:
        InputError: If its model has no latent.
    """
    model, latent = run.model, run.model.latent()
    if latent is None:
        raise InputError(
            "`--run_dirs` must be of models with a latent. Received: "
            f"{run.folder}, of {run.config.model}."
        )
    numbers = {item: number for number, item in enumerate(world.items)}
    # The world's number of each item, and the vocabulary's of each number.
    order = np.array([numbers[item] for item in run.data.vocabulary.items])
    index = np.zeros(len(world.items), np.int32)
    index[order] = np.arange(1, len(order) + 1)

    @tf.function
    def mean(history):
        return model.score(Query.of(history))

    @tf.function
    def drawn(history, seeds):
        query = Query.of(history)
        return latent.decode(latent.sample(query, seeds), query)

    def by_number(scores):
        # What training never saw cannot be recommended.
        result = np.full((len(scores), len(world.items)), -np.inf)
        result[:, order] = scores
        return result

    def known(history):
        """Returns indices, without the items that the vocabulary lacks."""
        found = np.where(history >= 0, index[history], 0)
        late = np.argsort(found == 0, axis=1, kind="stable")
        return tf.constant(np.take_along_axis(found, late, 1), tf.int32)

    def greedy(history, cluster, place):
        return by_number(mean(known(history)).numpy())

    def thompson():
        rng = np.random.default_rng([config.seed, 1])

        def scores(history, cluster, place):
            seeds = rng.integers(2**31, size=(len(history), 2))
            seeds = tf.constant(seeds, tf.int64)
            return by_number(drawn(known(history), seeds).numpy())

        return scores

    def epsilon(share):
        rng = np.random.default_rng([config.seed, 2])

        def scores(history, cluster, place):
            best = greedy(history, cluster, place)
            explores = rng.random(len(best)) < share
            return np.where(explores[:, None], rng.random(best.shape), best)

        return scores

    def draw():
        rng = np.random.default_rng([config.seed, 3])

        def scores(history, cluster, place):
            # The largest of log p with Gumbel noise is a draw from p.
            found = greedy(history, cluster, place)
            return found + rng.gumbel(size=found.shape)

        return scores

    return {
        "greedy": greedy,
        "thompson": thompson(),
        **{f"epsilon {share:g}": epsilon(share) for share in config.epsilons},
        "draw": draw(),
        "the cluster known": lambda history, cluster, place: listeners.chances[
            cluster, place
        ],
    }


def mean_and_margin(values: Sequence[float]) -> tuple[float, float]:
    """Returns the mean and half of its 95% interval (Student's t)."""
    error = stats.sem(values)
    return float(np.mean(values)), float(
        error * stats.t.ppf(0.975, len(values) - 1)
    )


def main() -> None:
    """Simulates each policy of each run."""
    config = settings.from_flags(ThompsonConfig)
    for folder in config.run_dirs:
        run = load_run(folder)
        data = DataConfig.from_dict(run.data.manifest.settings)
        if data.dataset != "synthetic":
            raise InputError(
                "`--run_dirs` must be of runs on --dataset=synthetic, whose "
                f"listeners can be simulated. Received: {folder}, of "
                f"{data.dataset}."
            )
        world = build_world(data)
        listeners = Listeners(world, config)
        found = {
            name: simulate(world, listeners, config, policy, name)
            for name, policy in policies(run, world, listeners, config).items()
        }
        print(
            f"{folder}: clicks in {config.rounds} rounds, {config.streams} "
            f"streams, {config.stay} rounds a listener"
        )
        print(f"{'':18}{'clicks':>15}{'beside greedy':>18}")
        for name, clicks in found.items():
            mean, margin = mean_and_margin(clicks)
            line = f"{name:18}{mean:9.1f} ±{margin:4.1f}"
            if name != "greedy":
                mean, margin = mean_and_margin(clicks - found["greedy"])
                line += f"{mean:+12.1f} ±{margin:4.1f}"
            print(line, flush=True)


if __name__ == "__main__":
    cli.run(main, ThompsonConfig)
