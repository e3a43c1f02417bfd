"""From a raw log to a prepared dataset."""

import collections
import contextlib
import itertools
import os
import shutil
import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import ibis.expr.types as ir
import pyarrow as pa
from tqdm import tqdm

from tfrec.data import examples, filters
from tfrec.data.config import DataConfig
from tfrec.data.engine import Engine, connect
from tfrec.data.freshness import (
    current_folder,
    refuse_changes,
    refuse_other,
)
from tfrec.data.gaps import GapWriter
from tfrec.data.kept_log import write_log
from tfrec.data.manifest import (
    FILE_NAME,
    Manifest,
    data_checksum,
    file_checksums,
    versions,
)
from tfrec.data.prepared import EVALUATION_SPLITS, PreparedDataset
from tfrec.data.progress import interactions_bar, ticking
from tfrec.data.protocols import Protocol, get_protocol
from tfrec.data.records import ShardWriter
from tfrec.data.sources import Source, get_source
from tfrec.data.sources.frame import frame_source
from tfrec.data.titles import FILE_NAME as TITLES
from tfrec.data.titles import title_line
from tfrec.data.vocabulary import USERS, Vocabulary
from tfrec.errors import InputError, InputWarning
from tfrec.unfinished import sweep, unfinished

# Rows in one Arrow batch: a few MB.
_BATCH_ROWS = 200_000
_SEQUENCES_PER_SHARD = 1000


def prepare(config: DataConfig, table: Any = None) -> PreparedDataset:
    """Prepares a raw log, or opens what was prepared with these settings.

    The work is done out of core, within `config.memory_limit`. The folder
    gets its name when it is complete; a failure leaves nothing behind. A
    progress bar is shown on a terminal.

    Where the raw files no longer hold what the folder was prepared from, a
    folder beside it is prepared and opened, and a warning names both.

    Args:
        config: What to prepare, from where, where to.
        table: The log itself, in place of files: a DataFrame of pandas or
            polars, or a table of Arrow or Ibis. `config` is that of a "csv"
            and names its columns.

    Raises:
        InputError: If the raw log is absent or malformed, if nothing is left
            of it after a filter, if the folder cannot be written, or holds
            something else than these settings prepare.

    Example:

        data = prepare(DataConfig(dataset="ml-1m", raw_dir="ml-1m"))
        print(data.manifest.counts)
    """
    if table is None:
        return _prepare(config, get_source(config.dataset))
    with frame_source(table, config) as source:
        return _prepare(config, source)


def _prepare(config: DataConfig, source: Source) -> PreparedDataset:
    target, raw_files = current_folder(config, source)
    # Whether or not there is anything left to do.
    sweep(target.parent)
    if not (target / FILE_NAME).exists():
        fill(target, source, config, raw_files)
        # Another process may have been quicker, with something else.
        refuse_other(Manifest.load(target), config, target, raw_files)
    return open_prepared(target, config)


def open_prepared(target: Path, config: DataConfig) -> PreparedDataset:
    """Opens what was prepared, now or earlier.

    Raises:
        InputError: See `PreparedDataset.open`; if it should have its log, and
            was prepared without.
    """
    data = PreparedDataset.open(target)
    if config.keep_log and not data.manifest.log:
        raise InputError(
            f"`--keep_log`: {target} was prepared without its log. Delete the "
            "folder to prepare it again, or give another one."
        )
    data.warn_of_history("test")
    return data


def fill(
    target: Path,
    source: Source,
    config: DataConfig,
    raw_files: list[dict[str, Any]],
) -> None:
    """Prepares a folder that is not there yet, or empty.

    Args:
        target: The folder.
        source: Reads the log.
        config: What to prepare.
        raw_files: What `raw_files.describe` says of the files to read.

    Raises:
        InputError: See `prepare`.
    """
    with _new_folder(target) as folder:
        scratch = folder / "scratch"
        scratch.mkdir()
        with interactions_bar() as bar, connect(config, scratch) as engine:
            manifest = _write(engine, source, config, folder, bar, raw_files)
        refuse_changes(raw_files, config, source)
        shutil.rmtree(scratch)
        source.completed(manifest).save(folder)


@contextlib.contextmanager
def _new_folder(target: Path) -> Iterator[Path]:
    """Gives a folder that becomes `target` on success, and else vanishes."""
    try:
        with unfinished(target) as partial:
            yield partial
            try:
                os.replace(partial, target)
            except OSError:
                # Another process may have been quicker with the same work.
                if not (target / FILE_NAME).exists():
                    raise
    except OSError as error:
        raise InputError(
            f"Cannot prepare {target}: {error}. Give `--data_dir` a folder "
            "that can be written, on a disk with space left."
        ) from error


def _write(
    engine: Engine,
    source: Source,
    config: DataConfig,
    folder: Path,
    bar: tqdm,
    raw_files: list[dict[str, Any]],
) -> Manifest:
    """Writes all files but the manifest, which it returns."""
    bar.set_description_str(f"reading {config.dataset}")
    protocol = get_protocol(config)
    read = source.read(engine, config)
    log, day = read.table, read.day
    if source.bad_rows.skipped:
        warnings.warn(str(source.bad_rows), InputWarning, stacklevel=5)
    titles = source.titles(engine, config)
    kept = {}
    if config.keep_log:
        bar.set_description_str("keeping the log")
        kept = write_log(engine, read, titles, folder)
    numbers = itertools.count(1)

    def store(table: ir.Table) -> ir.Table:
        return engine.store(f"step_{next(numbers)}", table)

    counts = []
    for step in protocol.steps(log, day, store):
        bar.set_description_str(f"counting: {step.name}")
        counts.append(_count(step, counts, config))
    left = counts[-1]
    table = step.table if step.stored else store(step.table)
    bar.set_description_str("numbering items")
    items = engine.store("items", examples.number_items(table))
    vocabulary = items.filter(~items.held_out)
    ordered = engine.stream(vocabulary.order_by("index"), _BATCH_ROWS)
    Vocabulary.write(
        folder, (i for batch in ordered for i in batch["item"].to_pylist())
    )
    if titles is not None:
        _write_titles(engine, titles, vocabulary, folder)
    bar.set_description_str("ordering")
    rows = examples.order_rows(table, items, protocol)
    bar.reset(left["interactions"])
    splits = write_records(
        folder,
        examples.group_rows(
            ticking(engine.stream(rows, _BATCH_ROWS), bar), protocol
        ),
        protocol,
        vocabulary.count().to_pyarrow().as_py(),
        min(config.shards, -(-left["sequences"] // _SEQUENCES_PER_SHARD)),
        day,
    )
    files = file_checksums(folder)
    trained = sum(splits[s]["records"] for s in protocol.training_splits("all"))
    return Manifest(
        source=config.dataset,
        settings=config.to_dict(),
        counts=counts,
        mean_length=left["interactions"] / left["sequences"],
        density=left["interactions"] / (left["sequences"] * left["items"]),
        splits=splits,
        data_checksum=data_checksum(splits, files),
        files=files,
        # Whole sessions are all used: shorter ones were filtered.
        short_sequences=(
            left["sequences"] - trained if protocol.has_users else 0
        ),
        duplicates=filters.count_duplicates(log).to_pyarrow().as_py(),
        raw_files=raw_files,
        bad_rows=source.bad_rows.summary(),
        log=kept,
        created_with=versions(config.engine),
    )


def write_records(
    folder: Path,
    records: Iterable[dict[str, pa.RecordBatch]],
    protocol: Protocol,
    num_items: int,
    shards: int,
    day: int | None = None,
) -> dict[str, dict[str, Any]]:
    """Writes the shards and the gaps of all splits, and `users.txt`.

    Args:
        folder: An existing folder.
        records: What `examples.group_rows` yields.
        protocol: Names the splits.
        num_items: Size of the vocabulary.
        shards: Number of files in each split.
        day: What `timestamp` counts in a day; None if that is not known.

    Returns:
        What the manifest says of each split.
    """
    targets = {name: collections.Counter() for name in EVALUATION_SPLITS}
    gaps = {name: GapWriter(folder, name, day) for name in EVALUATION_SPLITS}
    with contextlib.ExitStack() as stack:
        writers = {
            split: stack.enter_context(ShardWriter(folder, split, shards))
            for split in protocol.splits
        }
        for batches in records:
            for split, writer in writers.items():
                writer.write(batches[split])
            users = batches["train"]["id"].to_pylist()
            Vocabulary.write(folder, users if protocol.has_users else (), USERS)
            for split, total in targets.items():
                total.update(protocol.count_targets(batches[split], num_items))
                gaps[split].write(batches[split])
    more = {
        name: {**targets[name], "gaps": gaps[name].close()}
        for name in EVALUATION_SPLITS
    }
    return {
        split: {**writer.summary, **more.get(split, {})}
        for split, writer in writers.items()
    }


def _count(
    step: filters.Step, before: list[dict[str, Any]], config: DataConfig
) -> dict[str, Any]:
    """Counts what a step left.

    Raises:
        InputError: If it left nothing: which filter, which flag.
    """
    table = step.table
    counted = table.aggregate(
        interactions=table.count(),
        sequences=table.sequence.nunique(),
        items=table["item"].nunique(),
    )
    (values,) = counted.to_pyarrow().to_pylist()
    if values["interactions"]:
        return {"step": step.name, **values}
    if not before:
        raise InputError(
            f"The raw log has no interactions: {config.raw_dir}. (Read as "
            f"`--dataset={config.dataset}`.)"
        )
    raise InputError(
        f"No interactions are left after the filter '{step.name}'; after "
        f"'{before[-1]['step']}' there were {before[-1]['interactions']} of "
        f"{before[-1]['sequences']} sequences. Change `--{step.flag}`."
    )


def _write_titles(
    engine: Engine, titles: ir.Table, items: ir.Table, folder: Path
) -> None:
    """Writes `titles.tsv` for the items that have a title; see `titles`."""
    known = items.join(titles, "item")
    names = [name for name in titles.columns if name != "item"]
    known = known.group_by(["index", "item"]).agg(
        **{name: known[name].min() for name in names}
    )
    known = known.filter(known.title.notnull()).order_by("index")
    with open(folder / TITLES, "w", encoding="utf-8", newline="") as file:
        if len(names) > 1:
            file.write(title_line("#item", names))
        for batch in engine.stream(known, _BATCH_ROWS):
            for row in batch.to_pylist():
                values = [row[name] or "" for name in names]
                file.write(title_line(row["item"], values))
