"""Ridge regression of items on items, solved in closed form and in place."""

import numpy as np

# Rows of a matrix that are held a second time while it is changed.
_BLOCK = 512


def invert(matrix: np.ndarray) -> None:
    """Inverts a matrix in place: Gauss-Jordan elimination, block by block.

    Beside the matrix, a few blocks of rows are held; `numpy.linalg.inv` holds
    three more matrices. Eliminating block k takes

        A_ij <- A_ij - A_ik A_kk^-1 A_kj,  A_ik <- A_ik A_kk^-1,
        A_kk <- -A_kk^-1

    which keeps the matrix symmetric: n^3 operations, on its lower half alone.
    When all are eliminated, it is the inverse, negated.

    Args:
        matrix: float64 `[n, n]`, symmetric and positive definite, for which no
            pivots have to be searched.
    """
    size = len(matrix)
    starts = range(0, size, _BLOCK)
    for start in starts:
        block = slice(start, start + _BLOCK)
        columns = np.concatenate(
            [matrix[block, :start].T, matrix[start:, block]]
        )
        pivot = np.linalg.inv(columns[block])
        product = columns @ pivot
        for first in starts:
            part = slice(first, first + _BLOCK)
            matrix[part, : part.stop] -= product[part] @ columns[: part.stop].T
        matrix[block, :start] = product[:start].T
        matrix[start:, block] = product[start:]
        matrix[block, block] = -pivot
    for first in starts:
        part = slice(first, first + _BLOCK)
        matrix[part, : part.stop] *= -1.0
        matrix[: part.stop, part] = matrix[part, : part.stop].T


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
