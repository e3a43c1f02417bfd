"""Exact search against a partitioned index, on a large catalogue.

    python -m benchmarks.index
    python -m benchmarks.index --items=100000 --recall=.95
    python -m benchmarks.index --decay=.5

Item vectors are made, not trained: no log of a million items is at hand. They
are a mixture. 200 genres lie at random; round each lie sub-genres (an item in
a hundred), at .7 of the genres' distance, their sizes falling as the root of
their rank; round these the items, at .5 of it; and dimension i counts (i +
1)^-decay. Biases fall as half the logarithm of a random rank of popularity. A
state is the vector of an item with noise of half its length, times ten. The
printed `within` is the share of the spread of the items, as the states see it,
that is left inside the partitions of the index; in two short runs (3 epochs),
VASER on 4,078 items of YOOCHOOSE 1/64 and ACVAE on ML-latest, it was .23 and
.24. What an index gains on a run of yours, `tfrec export` prints.

The model has no encoder, but reads the state from a table, so that what is
timed is the search: ids in, scores, the history left out, the ten best, ids
out. Both SavedModels, as `tfrec export` writes them, are asked in turns in one
process, as `tfrec serve` asks them. Recall is measured over histories that did
not choose the number of probes, by the served lists.
"""

from tfrec import cli, settings

# isort: split
import dataclasses
import tempfile
import time
from pathlib import Path

import numpy as np
import tensorflow as tf

from tfrec.batches import Query
from tfrec.models.base.vector_model import VectorModel
from tfrec.models.configs.next_item import NextItemConfig
from tfrec.serving.exporting import megabytes
from tfrec.serving.indexed_signatures import IndexedSignatures
from tfrec.serving.indexing import index_of
from tfrec.serving.servable import Servable
from tfrec.serving.signatures import Signatures
from tfrec.settings import Settings, setting

_K = 10
_GENRES = 200
_ITEMS_PER_SUBGENRE = 100
_NEAR, _NEARER = 0.7, 0.5
_STATES = 4000
_LENGTH = 10


@dataclasses.dataclass(frozen=True)
class IndexBenchmarkConfig(Settings):
    """What is measured."""

    items: int = setting(1_000_000, "Size of the catalogue.", minimum=10_000)
    dim: int = setting(64, "Numbers of an item vector.", minimum=2)
    recall: float = setting(
        0.99, "As --index_recall of the export.", above=0, maximum=1
    )
    decay: float = setting(
        0.25, "Dimension i of a vector counts (i + 1)^-decay.", minimum=0
    )
    batch_sizes: tuple[int, ...] = setting(
        (1, 32), "Histories of a request.", minimum=1
    )
    requests: int = setting(40, "Requests of each kind.", minimum=1)
    threads: int = setting(2, "Threads that TensorFlow may use.", minimum=1)


class FromTable(VectorModel):
    """A model whose state is a vector of the last item, read from a table."""

    config_class = NextItemConfig

    def __init__(self, num_items, config=None, num_users=0):
        super().__init__(num_items, config, num_users)
        self.make_embedding()
        self.make_head()
        self.build_head(self.config.embedding_dim)
        self.built = True

    def hidden_draws(self, query: Query) -> list[tf.Tensor]:
        """See base class."""
        count = tf.math.count_nonzero(query.history, 1, dtype=tf.int32)
        last = tf.gather(query.history, tf.maximum(count - 1, 0), batch_dims=1)
        return [self.embedding(last)]


def make_model(config: IndexBenchmarkConfig) -> FromTable:
    """Makes the mixture, and states near the items."""
    rng = np.random.default_rng(0)
    items, dim = config.items, config.dim

    def draw(rows: int) -> np.ndarray:
        return rng.standard_normal((rows, dim), dtype=np.float32)

    subgenres = items // _ITEMS_PER_SUBGENRE
    centres = draw(_GENRES)[rng.integers(_GENRES, size=subgenres)]
    centres += _NEAR * draw(subgenres)
    sizes = 1 / np.sqrt(np.arange(1, subgenres + 1))
    chosen = rng.choice(subgenres, items, p=sizes / sizes.sum())
    scale = np.arange(1, dim + 1, dtype=np.float32) ** -config.decay
    vectors = (centres[chosen] + _NEARER * draw(items)) * scale
    vectors /= np.sqrt(np.square(vectors).sum(1).mean())
    biases = -np.log1p(rng.permutation(items)) / 2
    noise = draw(items) * scale / np.sqrt(np.square(scale).sum())

    c = NextItemConfig(embedding_dim=dim, tie_weights=False)
    model = FromTable(items, c)
    states = 10 * (vectors + 0.5 * noise)
    model.embedding.embeddings.assign(np.pad(states, [[1, 0], [0, 0]]))
    model.item_logits.own_kernel.assign(vectors)
    model.item_logits.bias.assign(biases - biases.mean())
    return model


def save(signatures: Signatures, folder: Path) -> Servable:
    """Saves as the export does, and loads as the server does."""
    options = tf.saved_model.SaveOptions(experimental_custom_gradients=False)
    tf.saved_model.save(signatures, str(folder), signatures.trace(), options)
    return Servable(folder.name, 1, folder)


def within(model: FromTable, index, states: np.ndarray) -> float:
    """Returns the share of the spread that is inside the partitions."""
    vectors, offsets = index.vectors.numpy(), index.offsets.numpy()
    owners = np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))
    spreads = []
    for centre in (index.centres.numpy().T[owners], vectors.mean(0)):
        moments = np.cov((vectors - centre).T)
        spreads.append(np.einsum("ni,ij,nj->", states, moments, states))
    return spreads[0] / spreads[1]


def main() -> None:
    """Measures and prints."""
    config = settings.from_flags(IndexBenchmarkConfig)
    tf.config.threading.set_intra_op_parallelism_threads(config.threads)
    tf.config.threading.set_inter_op_parallelism_threads(config.threads)
    rng = np.random.default_rng(1)
    model = make_model(config)
    histories = 1 + rng.integers(config.items, size=[2 * _STATES, _LENGTH])
    states = model.products().states(Query.of(histories[:_STATES])).numpy()
    start = time.perf_counter()
    index, report, _ = index_of(
        model.products().vectors().numpy(),
        states[::2],
        states[1::2],
        histories[1:_STATES:2],
        _K,
        config.recall,
    )
    seconds = time.perf_counter() - start
    print(f"{config.items:,} items of {config.dim} numbers and a bias")
    print(f"{report}\nMade in {seconds:.0f} s.", end=" ")
    print(f"within: {within(model, index, states[:1000]):.2f}", flush=True)
    with tempfile.TemporaryDirectory() as name:
        vocabulary = Path(name, "items.txt")
        vocabulary.write_text("".join(f"{n}\n" for n in range(config.items)))
        popularity = tf.fill([config.items], -np.log(config.items))
        given = model, vocabulary, tf.cast(popularity, tf.float32), _K, True
        served = {
            "exact": save(Signatures(*given), Path(name, "exact")),
            "index": save(
                IndexedSignatures(index, *given), Path(name, "index")
            ),
        }
        sizes = {key: megabytes(Path(name, key)) for key in served}
    print(", ".join(f"{key} {size:.0f} MB" for key, size in sizes.items()))
    del model, index, given
    fresh = (histories[_STATES:] - 1).astype(str).astype(object)
    print(f"{'batch':>5}{'exact ms':>10}{'index ms':>10}{'times':>7}  recall")
    for batch_size in config.batch_sizes:
        measure(served, fresh, batch_size, config.requests)


def measure(
    served: dict[str, Servable],
    histories: np.ndarray,
    batch_size: int,
    requests: int,
) -> None:
    """Asks both in turns and prints the medians."""
    seconds = {key: [] for key in served}
    found = wanted = 0
    for number in range(requests + 1):
        rows = np.arange(number * batch_size, (number + 1) * batch_size)
        inputs = {"history": histories[rows % len(histories)]}
        lists = {}
        for key, servable in served.items():
            signature = servable.signature("serving_default")
            start = time.perf_counter()
            answer = servable.run(signature, inputs, signature.outputs)
            # The first request prepares the graph.
            if number:
                seconds[key].append(time.perf_counter() - start)
            lists[key] = answer["items"]
        for exact, near in zip(lists["exact"], lists["index"], strict=True):
            found += len({*exact} & {*near})
            wanted += len(exact)
    exact, near = (1e3 * np.median(seconds[key]) for key in ("exact", "index"))
    print(
        f"{batch_size:5}{exact:10.1f}{near:10.1f}{exact / near:7.1f}"
        f"  {found / wanted:.4f} of {wanted:,}",
        flush=True,
    )


if __name__ == "__main__":
    cli.run(main, IndexBenchmarkConfig)
