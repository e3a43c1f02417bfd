import re
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from tests.serving.runs import make_run, prepared
from tfrec.errors import InputError
from tfrec.serving import exporting
from tfrec.serving.checksums import check_checksums
from tfrec.serving.exporting import describe, export
from tfrec.serving.statuses import RequestError
from tfrec.serving.warmup import write_warmup


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return prepared(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def pop(data):
    return make_run("pop", data)


def signature_names(version):
    return re.findall(r"^\w+", describe(version), re.MULTILINE)


def test_a_model_that_averages_draws_is_exported_and_verified(data, tmp_path):
    # That each model is, is a contract of all, see tests/models.
    version = export(make_run("vaser", data, posterior_samples=2), tmp_path)
    assert version.parent == tmp_path / "vaser"
    names = ["among", "encode", "sample", "score", "serving_default"]
    assert signature_names(version)[:5] == names


def test_an_export_is_laid_out_as_servers_read_it(exported):
    run, version = exported
    files = {
        str(path.relative_to(version))
        for path in version.rglob("*")
        if path.is_file()
    }
    assert files >= {
        "saved_model.pb",
        "variables/variables.index",
        "assets/items.txt",
        "assets.extra/tf_serving_warmup_requests",
    }
    lines = (version / "SHA256SUMS").read_text().splitlines()
    assert {line[66:] for line in lines} == files - {"SHA256SUMS"}
    check_checksums(version)
    items = (version / "assets" / "items.txt").read_text().splitlines()
    assert items == run.data.vocabulary.items
    assert list(version.parent.iterdir()) == [version]


def test_the_table_names_every_tensor(exported):
    version = exported[1]
    assert describe(version).splitlines() == [
        "among",
        "  allowed       string   [batch, any]",
        "  denied        string   [batch, any]",
        "  history       string   [batch, any]",
        "  -> items      string   [batch, 3]",
        "  -> scores     float32  [batch, 3]",
        "encode",
        "  history       string   [batch, any]",
        "  -> latent     float32  [batch, 3]",
        "sample",
        "  history       string   [batch, any]",
        "  seed          int64    [batch, 2]",
        "  -> items      string   [batch, 3]",
        "  -> scores     float32  [batch, 3]",
        "score",
        "  candidates    string   [batch, any]",
        "  history       string   [batch, any]",
        "  -> scores     float32  [batch, any]",
        "serving_default",
        "  history       string   [batch, any]",
        "  -> items      string   [batch, 3]",
        "  -> scores     float32  [batch, 3]",
        describe(version).splitlines()[-1],
    ]
    assert re.search(rf"\d\.\d MB in {version}$", describe(version))


# `steps` and `adapted`, and the states of random generators.
_COUNTERS = 2


def test_only_the_weights_of_serving_are_kept(exported):
    run, version = exported
    stored = tf.train.load_checkpoint(str(version / "variables/variables"))
    sizes = [
        np.prod(shape, dtype=int)
        for name, shape in stored.get_variable_to_shape_map().items()
        if "OBJECT_GRAPH" not in name
    ]
    model = run.model
    unused = (model.adversary, model.critic)
    critics = sum(layer.count_params() for layer in unused)
    served = model.count_params() - critics - _COUNTERS
    assert critics > 0
    # And the popularity of the items.
    assert sum(sizes) == served + 12


ALONE = """
import sys
for name in ("tfrec", "tensorflow_probability", "tf_keras"):
    sys.modules[name] = None  # An import of it fails.
import tensorflow as tf
history = tf.constant([["item 3", "no such", "item 5"]])
seed = tf.constant([[1, 2]], tf.int64)
for version in sys.argv[1:]:
    signatures = tf.saved_model.load(version).signatures
    answer = signatures["sample"](history=history, seed=seed)
    assert answer["items"].shape == (1, 3)
    answer = signatures["encode"](history=history)
    assert answer["latent"].shape[0] == 1
    answer = signatures["score"](history=history, candidates=history)
    assert answer["scores"].shape == (1, 3)
    print(signatures["serving_default"](history=history)["items"].numpy()[0])
"""


def test_tensorflow_alone_can_serve_it(exported, data, tmp_path):
    # The planar flows of VASER are bijectors of TFP.
    vaser = make_run("vaser", data)
    exports = [exported, (vaser, export(vaser, tmp_path, k=3))]
    result = subprocess.run(
        [sys.executable, "-c", ALONE, *(str(path) for _, path in exports)],
        capture_output=True,
        text=True,
        cwd="/",
    )
    assert result.returncode == 0, result.stderr
    for (run, _), answer in zip(
        exports, result.stdout.splitlines(), strict=True
    ):
        items, _ = run.model.recommend([[3, 5]], k=3)
        names = run.data.vocabulary.lookup(items[0])
        assert answer == str(np.array([n.encode() for n in names], object))


def test_a_version_is_never_overwritten(pop, tmp_path):
    version = export(pop, tmp_path, "mine", version=7)
    assert version == tmp_path / "mine" / "7"
    before = (version / "saved_model.pb").stat()
    with pytest.raises(InputError, match=r"mine/7 exists.*`--version`"):
        export(pop, tmp_path, "mine", version=7)
    assert (version / "saved_model.pb").stat() == before


def test_a_version_that_no_server_takes_is_refused(pop, tmp_path):
    with pytest.raises(InputError, match=r"`--version` must be at most 92233"):
        export(pop, tmp_path, version=2**63)
    assert not list(tmp_path.iterdir())


def test_a_new_version_is_the_newest(pop, tmp_path):
    first = export(pop, tmp_path)
    assert re.fullmatch(r"20\d{12}", first.name)
    future = tmp_path / "pop" / "99991231000000"
    first.rename(future)
    (tmp_path / "pop" / "notes").touch()
    (tmp_path / "pop" / ("9" * 30)).mkdir()
    assert export(pop, tmp_path).name == "99991231000001"


def test_an_export_that_fails_leaves_nothing(pop, tmp_path, monkeypatch):
    def fail(*arguments):
        assert len(list((tmp_path / "pop").iterdir())) == 1
        raise RuntimeError("It differs.")

    monkeypatch.setattr(exporting, "verify", fail)
    with pytest.raises(RuntimeError, match="It differs"):
        export(pop, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_warm_up_request_that_fails_ends_the_export(
    pop, tmp_path, monkeypatch
):
    def write(folder, name, signatures, items, users):
        write_warmup(folder, name, [*signatures, "no such"], items, users)

    monkeypatch.setattr(exporting, "write_warmup", write)
    with pytest.raises(RequestError, match='key "no such" not found'):
        export(pop, tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("k", [0, 13])
def test_k_is_at_most_the_number_of_items(k, pop, tmp_path):
    with pytest.raises(InputError, match=rf"\(12\)\. Received: {k}\."):
        export(pop, tmp_path, k=k)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["../up", "a b", ".x", "a/b"])
def test_a_name_stands_in_a_path_and_a_url(name, pop, tmp_path):
    with pytest.raises(InputError, match=re.escape(f"Received: {name}.")):
        export(pop, tmp_path, name)


def test_a_folder_that_cannot_be_written_is_named(pop, tmp_path):
    (tmp_path / "pop").touch()
    with pytest.raises(InputError, match=r"Cannot write .*`--export_dir`"):
        export(pop, tmp_path)


def test_a_history_may_be_ranked_where_the_protocol_ranks_it(tmp_path):
    run = make_run("pop", prepared(tmp_path / "data", "next_click"))
    version = export(run, tmp_path / "models", k=1)
    signatures = tf.saved_model.load(str(version)).signatures
    history = tf.constant([["item 2"]])
    answer = signatures["serving_default"](history=history)
    assert answer["items"].numpy() == [[b"item 2"]]


def test_a_run_on_several_devices_is_exported(data, tmp_path):
    run = make_run("pop", data, distribution="mirrored")
    assert export(run, tmp_path).exists()
