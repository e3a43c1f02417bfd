"""Where items lie on the map: two dimensions of what a run knows of them."""

import dataclasses
import hashlib
from pathlib import Path

import numpy as np
from scipy.sparse import coo_matrix, diags
from scipy.sparse.linalg import svds

from tfrec.data import PreparedDataset
from tfrec.errors import InputError
from tfrec.models import Recommender
from tfrec.training.files import replacing

# Of how maps are made: those of another one are made anew.
_VERSION = 1
# In the run directory.
FILE_NAME = "explorer.npz"
# Items on the map, the most popular: more make a cloud without points.
MOST_ITEMS = 20_000
# Training sequences that tell which items come together.
_MOST_SEQUENCES = 200_000
_BATCH = 1024
# Of the items, from those sequences.
_VECTORS = 16


@dataclasses.dataclass(frozen=True)
class Layout:
    """Items in two dimensions.

    Attributes:
        method: What the dimensions are, in words.
        places: int64 `[n]`, the items, by index less 1.
        points: float32 `[n, 2]`, within [-1, 1].
    """

    method: str
    places: np.ndarray
    points: np.ndarray


def lay_out(
    model: Recommender, data: PreparedDataset, counts: np.ndarray
) -> Layout:
    """Computes the map of a run.

    Args:
        model: Its vectors are used where it has some.
        data: Else which items come together in its training sequences.
        counts: Interactions of each item; the most popular are on the map.
    """
    places = np.sort(np.argsort(-counts, kind="stable")[:MOST_ITEMS])
    for name, vectors in model.item_vectors().items():
        points = _principal(np.asarray(vectors)[places])
        method = f"the first two principal components of `{name}`"
        return Layout(method, places, _within(points))
    points = _principal(_together(data, places))
    method = "items that share training sequences lie together"
    return Layout(method, places, _within(points))


def cached_layout(
    folder: Path, model: Recommender, data: PreparedDataset, counts: np.ndarray
) -> Layout:
    """Returns the map of a run, computed once and kept with it.

    A run directory that cannot be written has its map computed each time. One
    that was trained further since gets a new map.

    Args:
        folder: The run directory.
        model: Of the run.
        data: Its data.
        counts: See `lay_out`.
    """
    path = folder / FILE_NAME
    digest = hashlib.sha256(
        f"{_VERSION} {data.manifest.data_checksum}".encode()
    )
    for vectors in model.item_vectors().values():
        digest.update(np.ascontiguousarray(vectors))
    made_of = digest.hexdigest()
    try:
        with np.load(path, allow_pickle=False) as saved:
            if str(saved["made_of"]) == made_of:
                return Layout(
                    str(saved["method"]), saved["places"], saved["points"]
                )
    # Absent, of an earlier training, or damaged: it is made anew.
    except Exception:
        pass
    layout = lay_out(model, data, counts)
    try:
        with replacing(path) as file:
            np.savez_compressed(
                file,
                made_of=made_of,
                method=layout.method,
                places=layout.places,
                points=layout.points,
            )
    except InputError:
        pass
    return layout


def _principal(vectors: np.ndarray) -> np.ndarray:
    """Returns the first two principal components of directions, `[n, 2]`."""
    vectors = vectors.astype(np.float64)
    # The length of a vector is mostly the popularity of its item.
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    vectors = vectors / np.maximum(lengths, 1e-12)
    vectors -= vectors.mean(0)
    _, _, axes = np.linalg.svd(vectors.T @ vectors, hermitian=True)
    axes = np.pad(axes[:2], [(0, max(0, 2 - len(axes))), (0, 0)])
    return _upright(vectors @ axes.T)


def _together(data: PreparedDataset, places: np.ndarray) -> np.ndarray:
    """Returns vectors of items, near each other if they share sequences.

    The first singular vectors of the matrix of sequences and items, of which
    rows and columns are divided by the square roots of their sums plus the
    mean sum: without that, the first vectors are of a few items that only
    appear with each other (Chaudhuri et al., COLT'12). The very first has no
    more than the sums, and is left out.
    """
    column = np.full(data.num_items + 1, -1)
    column[places + 1] = np.arange(len(places))
    rows, columns, first = [], [], 0
    for batch in data.training(_BATCH, fit_on="all", epochs=1):
        found = column[batch.items.numpy()]
        row, place = np.nonzero(found >= 0)
        rows.append(row + first)
        columns.append(found[row, place])
        first += len(found)
        if first >= _MOST_SEQUENCES:
            break
    row, place = np.concatenate(rows), np.concatenate(columns)
    shape = (first, len(places))
    vectors = min(_VECTORS + 1, min(shape) - 1)
    if vectors < 2:
        return np.zeros([len(places), 1])
    matrix = coo_matrix((np.ones(len(row)), (row, place)), shape).tocsr()
    # Of an item that comes again and again, once.
    matrix.data[:] = 1.0
    sums = [np.asarray(matrix.sum(axis)).ravel() for axis in (1, 0)]
    scales = [diags(1.0 / np.sqrt(each + each.mean())) for each in sums]
    # Fixed, so that the map is the same each time.
    start = np.ones(min(shape))
    _, values, axes = svds(scales[0] @ matrix @ scales[1], vectors, v0=start)
    order = np.argsort(-values)[1:]
    return (axes[order] * values[order, None]).T


def _upright(points: np.ndarray) -> np.ndarray:
    """Fixes the signs of the axes, which an SVD leaves open."""
    largest = np.abs(points).argmax(0)
    signs = np.sign(points[largest, np.arange(2)])
    return points * np.where(signs == 0, 1.0, signs)


def _within(points: np.ndarray) -> np.ndarray:
    """Scales points to [-1, 1]; a few far ones do not shrink the rest."""
    points = points - np.median(points, 0)
    reach = np.quantile(np.abs(points), 0.995, axis=0)
    points = points / np.where(reach > 0, reach, 1.0)
    return np.clip(points, -1.0, 1.0).astype(np.float32)
