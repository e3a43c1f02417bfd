"""What the tests of the gate share: refusals, and exports in no time."""

import contextlib
import shutil
from pathlib import Path

import pytest
from tensorflow.core.protobuf.meta_graph_pb2 import SignatureDef

from tfrec.errors import InputError
from tfrec.serving.checksums import write_checksums
from tfrec.serving.indexing import IndexReport


def listing(folder):
    return {
        str(path.relative_to(folder)): path.is_file() and path.read_bytes()
        for path in folder.rglob("*")
    }


@contextlib.contextmanager
def refused(folder, match):
    """What ends in one line, and leaves a folder as it is."""
    before = listing(folder)
    with pytest.raises(InputError, match=match) as error:
        yield
    assert "\n" not in str(error.value)
    assert listing(folder) == before


class Answering:
    """A servable that answers at once."""

    def signature(self, name):
        assert name == "serving_default"
        return SignatureDef()

    def run(self, signature, inputs, outputs):
        (history,) = inputs.values()
        assert history.dtype == object
        assert history.shape[0] == 1 < history.shape[1]

    def close(self):
        pass


def copying(run, export_dir, name, k, version, judge, index_recall):
    """Exports by a copy of the version 1; an index is only said to be."""
    folder = Path(export_dir, name, str(version))
    shutil.copytree(folder.with_name("1"), folder)
    if index_recall:
        report = IndexReport(40, 2, k, 0.93, index_recall, 0.05, 27)
        report.write(folder)
    judge(Answering(), folder)
    write_checksums(folder)
    return folder
