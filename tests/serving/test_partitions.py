import numpy as np
import pytest

from tfrec.serving import partitions
from tfrec.serving.partitions import partition


def draw(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def groups(count, each, seed=0):
    """Tight groups of vectors far apart, shuffled; and the group of each."""
    owners = np.random.default_rng(seed).permutation(count * each) % count
    centres = 10 * np.eye(count, 3 + count, dtype=np.float32)
    return centres[owners] + 0.01 * draw(len(owners), 3 + count), owners


@pytest.mark.parametrize("count", [1, 7, 40])
def test_each_item_is_in_one_partition_that_is_not_too_large(count):
    vectors = draw(200, 5)
    made = partition(vectors, draw(50, 5, seed=1), count)
    assert sorted(made.order) == list(range(200))
    assert made.offsets[0] == 0
    assert made.offsets[-1] == made.sizes.sum() == 200
    assert 1 <= made.sizes.min() <= made.sizes.max() <= 2 * 200 / count
    for n, (start, stop) in enumerate(
        zip(made.offsets, made.offsets[1:], strict=False)
    ):
        inside = made.order[start:stop]
        assert (np.diff(inside) > 0).all()
        assert (made.owners[inside] == n).all()
        np.testing.assert_allclose(
            made.centres[n], vectors[inside].mean(0), atol=1e-6
        )


def test_items_that_are_alike_are_together():
    vectors, owners = groups(4, 25)
    made = partition(vectors, draw(100, 7), 12)
    # A partition has items of one group.
    for part in np.split(made.order, made.offsets[1:-1]):
        assert len({*owners[part]}) == 1


def test_what_the_states_do_not_see_divides_nothing():
    seen, owners = groups(3, 30)
    unseen = 20 * draw(90, 1, seed=2)
    states = np.concatenate([draw(100, 6), np.zeros([100, 1])], 1)
    vectors = np.concatenate([seen, unseen], 1).astype(np.float32)
    made = partition(vectors, states.astype(np.float32), 9)
    for part in np.split(made.order, made.offsets[1:-1]):
        assert len({*owners[part]}) == 1


def test_equal_items_and_no_states_are_divided_all_the_same():
    made = partition(np.ones([100, 3], np.float32), np.zeros([0, 3]), 10)
    assert made.sizes.max() <= 20
    np.testing.assert_allclose(made.centres, 1.0)


def test_centres_are_found_from_a_sample(monkeypatch):
    monkeypatch.setattr(partitions, "_SAMPLED", 10)
    vectors, owners = groups(4, 100)
    made = partition(vectors, draw(100, 7), 4)
    assert sorted(made.order) == list(range(400))
    owner, near = owners[made.order], made.offsets[1:-1]
    assert all(len({*part}) == 1 for part in np.split(owner, near))
