"""Ridge regression of items on items, solved in closed form and in place."""

import numpy as np
from scipy.linalg import lapack

from tfrec.errors import InputError

# Rows of a matrix that are held a second time while it is changed.
_BLOCK = 512


def invert(matrix: np.ndarray) -> None:
    """Inverts a matrix in place, by LAPACK's Cholesky factors.

    `numpy.linalg.inv` would hold three more matrices.

    Args:
        matrix: float64 `[n, n]`, symmetric and positive definite, row by row.

    Raises:
        InputError: If the matrix is not positive definite in float64.
    """
    # LAPACK counts column by column: for it, the same matrix transposed.
    factor, failed = lapack.dpotrf(matrix.T, lower=0, overwrite_a=True)
    if not failed:
        _, failed = lapack.dpotri(factor, lower=0, overwrite_c=True)
    if failed:
        raise InputError(
            "The items' equations have no unique solution in float64. Give a "
            "larger `--l2_weight`."
        )
    # Its upper half is the lower one here; the other half is as it was.
    for start in range(0, len(matrix), _BLOCK):
        rows = slice(start, start + _BLOCK)
        block = np.tril(matrix[rows, : rows.stop], start)
        matrix[: rows.stop, rows] = block.T
        corner = block[:, start:]
        matrix[rows, rows] = corner + np.tril(corner, -1).T


class LeastSquares:
    """min_B ||Y - X B||^2 + l2 ||B||^2, each diagonal element bounded.

    X and Y, `[rows, num_items]`, are never held: their products X'X and X'Y
    are added up, pair by pair of items. These are 8 bytes for each pair of
    items, and 8 for X'Y if Y differs from X.

    Args:
        num_items: Number of items.
        own: Whether Y = X: the items explain each other.
    """

    def __init__(self, num_items: int, own: bool):
        self.inputs = np.zeros([num_items, num_items])
        self.targets = self.inputs if own else np.zeros_like(self.inputs)

    def add_inputs(
        self, first: np.ndarray, second: np.ndarray, weight: np.ndarray
    ) -> None:
        """Adds to X'X.

        Args:
            first: int `[n]`, items from 1.
            second: int `[n]`, items from 1.
            weight: float64 `[n]`, what each pair of them adds.
        """
        np.add.at(self.inputs, (first - 1, second - 1), weight)

    def add_targets(
        self, first: np.ndarray, second: np.ndarray, weight: np.ndarray
    ) -> None:
        """Adds to X'Y, where Y differs from X; arguments as above."""
        np.add.at(self.targets, (first - 1, second - 1), weight)

    def solve(self, l2: float, bound: float) -> np.ndarray:
        """Returns B, in the memory of the products, which are lost.

        With P = (X'X + l2 I)^-1 and one multiplier m_j >= 0 for each bound,
        the gradient is zero at

            B = P X'Y - P diag(m),  m_j = max(0, (P X'Y)_jj - bound) / P_jj

        If Y = X, then P X'Y = I - l2 P, which needs no product.

        Args:
            l2: Weight of the squares, above 0.
            bound: Largest value of an element of the diagonal of B.

        Returns:
            float64 `[num_items, num_items]`; row i is what item i says of the
            others.
        """
        inverse, size = self.inputs, len(self.inputs)
        own = self.targets is self.inputs
        inverse.flat[:: size + 1] += l2
        invert(inverse)
        scale = inverse.diagonal().copy()
        if own:
            free = 1.0 - l2 * scale
        else:
            for start in range(0, size, _BLOCK):
                block = slice(start, start + _BLOCK)
                self.targets[:, block] = inverse @ self.targets[:, block]
            free = self.targets.diagonal().copy()
        multipliers = np.maximum(0.0, free - bound) / scale
        if own:
            inverse *= -(l2 + multipliers)
        elif multipliers.any():
            for start in range(0, size, _BLOCK):
                block = slice(start, start + _BLOCK)
                self.targets[block] -= inverse[block] * multipliers
        # What the sums above are there, without their rounding.
        self.targets.flat[:: size + 1] = np.minimum(free, bound)
        self.inputs = self.targets
        return self.targets
