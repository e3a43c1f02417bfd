"""Tests of the regression of items on items against one column at a time."""

import numpy as np
import pytest

from tests.regression import constrained
from tfrec.errors import InputError
from tfrec.models.base import least_squares
from tfrec.models.base.least_squares import LeastSquares, invert


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    """Several blocks, the last of another size."""
    monkeypatch.setattr(least_squares, "_BLOCK", 3)


def equations(x, y=None):
    """Returns the equations of data, each product added in one piece."""
    made = LeastSquares(x.shape[1], own=y is None)
    first, second = np.indices([x.shape[1]] * 2).reshape(2, -1) + 1
    made.add_inputs(first, second, (x.T @ x).ravel())
    if y is not None:
        made.add_targets(first, second, (x.T @ y).ravel())
    return made


@pytest.mark.parametrize("size", [1, 3, 7])
def test_a_matrix_is_inverted_in_place(size):
    x = np.random.default_rng(0).normal(size=[size + 2, size])
    matrix = x.T @ x + 0.1 * np.eye(size)
    expected = np.linalg.inv(matrix)
    assert invert(matrix) is None
    np.testing.assert_allclose(matrix, expected, rtol=1e-8)


@pytest.mark.parametrize("bound", [0.0, 0.3, 10.0])
@pytest.mark.parametrize("own", [True, False])
def test_each_column_is_a_ridge_regression_with_its_bound(own, bound):
    x, y = np.random.default_rng(1).normal(size=[2, 30, 7])
    y = x if own else y + 0.5 * x
    found = equations(x, None if own else y).solve(2.0, bound)
    expected = constrained(x, y, 2.0, bound)
    np.testing.assert_allclose(found, expected, atol=1e-10)
    diagonal = found.diagonal()
    assert diagonal.max() <= bound + 1e-10
    if bound == 0.3:
        # Some of them are held, and the last case holds none.
        assert np.isclose(diagonal, bound).any()


def test_pairs_that_come_again_add_up():
    made = LeastSquares(3, own=False)
    one, two = np.array([1, 1, 3]), np.array([2, 2, 3])
    made.add_inputs(one, two, np.array([1.0, 0.5, 2.0]))
    made.add_targets(two, one, np.array([1.0, 0.5, 2.0]))
    expected = np.array([[0, 1.5, 0], [0, 0, 0], [0, 0, 2]])
    np.testing.assert_array_equal(made.inputs, expected)
    np.testing.assert_array_equal(made.targets, expected.T)


def test_equations_without_a_solution_are_refused():
    with pytest.raises(InputError, match="larger `--l2_weight`"):
        invert(np.array([[1.0, 2.0], [2.0, 1.0]]))
