"""Ridge regression of items on items, one column at a time."""

import numpy as np


def constrained(
    x: np.ndarray, y: np.ndarray, l2: float, bound: float
) -> np.ndarray:
    """Minimises ||y - x B||^2 + l2 ||B||^2 with diag(B) <= bound.

    A column whose own weight would exceed the bound has it at the bound, and
    the others explain what is left.
    """

    def ridge(inputs, target):
        size = inputs.shape[1]
        return np.linalg.solve(
            inputs.T @ inputs + l2 * np.eye(size), inputs.T @ target
        )

    weights = np.zeros([x.shape[1], y.shape[1]])
    for j in range(y.shape[1]):
        weights[:, j] = ridge(x, y[:, j])
        if weights[j, j] > bound:
            others = np.arange(x.shape[1]) != j
            left = y[:, j] - bound * x[:, j]
            weights[j, j] = bound
            weights[others, j] = ridge(x[:, others], left)
    return weights
