import numpy as np
import pytest

from tfrec.arrays import load_arrays
from tfrec.errors import InputError


class Intruder:
    """What runs code when it is unpickled."""

    def __reduce__(self):
        return pytest.fail, ("A file that was read was run.",)


def test_what_was_pickled_is_refused(tmp_path):
    path = tmp_path / "ranks.npz"
    np.savez(path, plain=np.arange(3), other=np.array([Intruder()], object))
    (found,) = load_arrays(path, "plain")
    assert found.tolist() == [0, 1, 2]
    with pytest.raises(InputError, match=r"ranks\.npz cannot be read"):
        load_arrays(path, "other")
