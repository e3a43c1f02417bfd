"""Exports: from a trained run to a version that a server picks up."""

import contextlib
import datetime
import functools
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf.meta_graph_pb2 import TensorInfo
from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

from tfrec.batches import Query
from tfrec.data import PreparedDataset
from tfrec.data.vocabulary import FILE_NAME, USERS
from tfrec.errors import InputError
from tfrec.models.pop import Pop, PopConfig
from tfrec.serving.checksums import write_checksums
from tfrec.serving.indexed_signatures import IndexedSignatures
from tfrec.serving.indexing import (
    Indexed,
    check_products,
    make_index,
    read_report,
)
from tfrec.serving.model_configs import LARGEST_VERSION, version_folders
from tfrec.serving.servable import Servable
from tfrec.serving.signatures import Signatures
from tfrec.serving.verification import verify
from tfrec.serving.warmup import write_warmup
from tfrec.training import Run
from tfrec.training.files import writing
from tfrec.training.run import explained
from tfrec.unfinished import temporary_files_in, unfinished

# It stands in paths and URLs.
_NAME = r"[A-Za-z0-9][A-Za-z0-9_.-]*"


def export(
    run: Run,
    export_dir: str | Path = "export/models",
    name: str = "",
    k: int = 10,
    version: int = 0,
    judge: Callable[[Servable, Path], None] | None = None,
    index_recall: float | None = None,
) -> Path:
    """Writes a run as a SavedModel, once it is seen to answer as the model.

    Written under a temporary name and renamed, so that a server that watches
    the folder never meets half of a version.

    Args:
        run: A trained run.
        export_dir: Folder of all models.
        name: Name of the model in the server; that of its class by default.
        k: Number of items that a request gets.
        version: Number of the version; the time by default, as in
            20250131120000 (UTC), or one more than the newest version.
        judge: Called with the SavedModel and its folder, once it is seen to
            answer as the model. It may raise, which ends the export, and add
            files below `assets.extra`, which servers leave alone.
        index_recall: Share of the best items that an index has to find, in
            whose partitions alone items are scored; None to score all.

    Returns:
        The folder `<export_dir>/<name>/<version>`.

    Raises:
        InputError: If there is such a version, `k` exceeds the number of
            items, the model's scores are not finite, or no products as an
            index needs them, or a file cannot be written.
        DisagreementError: If the SavedModel answers differently than the
            model, or an index finds less than it has to.
    """
    name = name or run.config.model
    if not re.fullmatch(_NAME, name):
        raise InputError(
            "`--name` must be letters, digits and _ . - and not begin with one "
            f"of these. Received: {name}."
        )
    if not 1 <= k <= run.data.num_items:
        raise InputError(
            f"`--k` must be between 1 and the number of items "
            f"({run.data.num_items}). Received: {k}."
        )
    if not 0 <= version <= LARGEST_VERSION:
        raise InputError(
            f"`--version` must be at most {LARGEST_VERSION}, the largest that "
            f"a server takes. Received: {version}."
        )
    folder = Path(export_dir) / name
    final = folder / str(version or _next_version(folder))
    if final.exists():
        raise InputError(
            f"{final} exists, and a version is never changed. Give another "
            "`--version`, or none."
        )
    new_folders = [
        path for path in (folder, *folder.parents) if not path.exists()
    ]
    if index_recall is not None:
        check_products(run)
    popularity = popular_scores(run.data, run.config.fit_on)
    indexed = None
    if index_recall is not None:
        indexed = make_index(run, k, index_recall)
    with contextlib.ExitStack() as stack:
        stack.callback(_remove_empty, final, new_folders)
        with writing(final, "--export_dir"):
            temporary = stack.enter_context(unfinished(final))
            _write(run, temporary, name, k, popularity, indexed)
        servable = Servable(name, int(final.name), temporary)
        try:
            verify(servable, run, popularity, indexed)
            if judge:
                judge(servable, temporary)
                with writing(final, "--export_dir"):
                    write_checksums(temporary)
        finally:
            servable.close()
        with writing(final, "--export_dir"):
            temporary.rename(final)
    return final


def _remove_empty(version: Path, folders: list[Path]) -> None:
    """Removes the folders that were made for a version that is not there."""
    if not version.exists():
        for path in folders:
            with contextlib.suppress(OSError):
                path.rmdir()


def _next_version(folder: Path) -> int:
    """Returns the time as a number, or more if there is a newer version."""
    now = datetime.datetime.now(datetime.timezone.utc)
    newest = max(version_folders(folder), default=0)
    return max(int(now.strftime("%Y%m%d%H%M%S")), newest + 1)


def popular_scores(data: PreparedDataset, fit_on: str) -> np.ndarray:
    """Returns the log-probabilities that Pop gives, `[num_items]`."""
    pop = Pop(data.num_items, PopConfig())
    pop.compile()
    batches = data.training(
        batch_size=256, max_length=pop.config.max_length, fit_on=fit_on
    )
    with explained(data):
        pop.fit(batches, shuffle=False, verbose=0)
    scores = pop.score(Query.of(tf.zeros([1, 1], tf.int32)))
    return tf.nn.log_softmax(scores)[0].numpy()


def _write(
    run: Run,
    folder: Path,
    name: str,
    k: int,
    popularity: np.ndarray,
    indexed: Indexed | None,
) -> None:
    data, knows_users = run.data, run.model.knows_users
    made = Signatures
    if indexed:
        made = functools.partial(IndexedSignatures, indexed.index)
    signatures = made(
        run.model,
        data.data_dir / FILE_NAME,
        popularity,
        k,
        data.protocol.exclude_history,
        data.data_dir / USERS if knows_users else None,
    )
    traced = signatures.trace()
    # Nobody trains a SavedModel, so it needs no gradients.
    options = tf.saved_model.SaveOptions(experimental_custom_gradients=False)
    with temporary_files_in(folder.parent):  # AutoGraph's.
        tf.saved_model.save(signatures, str(folder), traced, options)
    users = data.users.items if knows_users else ()
    write_warmup(folder, name, traced, data.vocabulary.items, users)
    if indexed:
        indexed.report.write(folder)
    write_checksums(folder)


def describe(version: Path) -> str:
    """Returns the signatures of an export as a table, and its size.

    Args:
        version: What `export` returned.
    """
    saved = SavedModel.FromString((version / "saved_model.pb").read_bytes())
    signatures = saved.meta_graphs[0].signature_def
    lines = []
    for name, signature in sorted(signatures.items()):
        if name.startswith("__"):  # TensorFlow's own.
            continue
        lines.append(name)
        for key, info in sorted(signature.inputs.items()):
            lines.append(_line(f"  {key}", info))
        for key, info in sorted(signature.outputs.items()):
            lines.append(_line(f"  -> {key}", info))
    if "for_user" in signatures:
        lines.append("serving_default answers as for_user an unknown user.")
    if "sample" not in signatures:
        lines.append("No sample and no encode: the model has no latent.")
    report = read_report(version)
    if report:
        lines += [str(report), "Its scores are logits; see docs/operations.md."]
    return "\n".join([*lines, f"{megabytes(version):.1f} MB in {version}"])


def megabytes(version: Path) -> float:
    """Returns the size of all files of an export, in 10^6 bytes."""
    files = [path for path in version.rglob("*") if path.is_file()]
    return sum(path.stat().st_size for path in files) / 1e6


def _line(name: str, info: TensorInfo) -> str:
    sizes = [dim.size for dim in info.tensor_shape.dim[1:]]
    shape = ["batch", *(str(size) if size >= 0 else "any" for size in sizes)]
    return f"{name:<16}{tf.as_dtype(info.dtype).name:<9}[{', '.join(shape)}]"
