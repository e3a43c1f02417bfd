"""A log of the size and shape of ML-1M, so that benchmarks need no download."""

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from tfrec.data import DataConfig, PreparedDataset, prepare

# ML-1M, ratings above 3, users with 5 of them or more.
USERS, ITEMS = 6034, 3533
# Its sequence lengths: mean 95, median 58, shortest 5, longest 1435.
_LOG_MEAN, _LOG_DEVIATION = 4.1, 0.97
_SHORTEST, _LONGEST = 5, 1435
# Log of how much likelier the most popular item is than the least.
_POPULARITY_RANGE = 4.5


def write_log(path: Path) -> None:
    """Writes a file for `--dataset=sequences`, `user item item ...`.

    A user's items are distinct and follow an item popularity, nothing else:
    there is nothing to learn from them, only work.
    """
    rng = np.random.default_rng(0)
    lengths = rng.lognormal(_LOG_MEAN, _LOG_DEVIATION, USERS)
    lengths = np.clip(lengths, _SHORTEST, _LONGEST).astype(int)
    popularity = _POPULARITY_RANGE * np.linspace(0, 1, ITEMS)
    with open(path, "w", encoding="utf-8") as file:
        for user, length in enumerate(lengths):
            # The largest of Gumbel-perturbed log-weights are a sample
            # without replacement.
            keys = popularity + rng.gumbel(size=ITEMS)
            items = np.argpartition(-keys, length)[:length]
            words = map(str, rng.permutation(items))
            file.write(f"user-{user} {' '.join(words)}\n")


@contextlib.contextmanager
def dataset(data_dir: str = "") -> Iterator[PreparedDataset]:
    """Opens a prepared dataset, or generates one for as long as it is used.

    Args:
        data_dir: The dataset; generated if empty.
    """
    if data_dir:
        yield PreparedDataset.open(data_dir)
        return
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder, "log.txt")
        write_log(log)
        data = prepare(
            DataConfig(
                dataset="sequences",
                raw_dir=log,
                data_dir=Path(folder, "prepared"),
            )
        )
        yield data
