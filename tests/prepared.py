"""Prepared datasets from lists, for tests."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from tfrec.data import DataConfig
from tfrec.data.manifest import Manifest, data_checksum, file_checksums
from tfrec.data.preparation import write_records
from tfrec.data.prepared import PreparedDataset
from tfrec.data.protocols import get_protocol
from tfrec.data.vocabulary import Vocabulary

Rows = Sequence[Sequence[int]]
Pairs = Sequence[tuple[Sequence[int], Sequence[int]]]
# One that the protocol takes.
_DATASETS = {"next_click": "sessions", "temporal": "csv"}


def last_two_out(rows: Rows) -> dict[str, Any]:
    """Splits sequences for `prepare_sequences`: one item each is held out.

    The last item of each is the target of its test, the one before that of
    its validation.
    """
    return {
        "train": [row[:-2] for row in rows],
        "tails": [row[-2:-1] for row in rows],
        "validation": [(row[:-2], row[-2:-1]) for row in rows],
        "test": [(row[:-1], row[-1:]) for row in rows],
    }


def prepare_sequences(
    folder: Path,
    train: Rows,
    validation: Pairs = (),
    test: Pairs = (),
    tails: Rows | None = None,
    num_items: int | None = None,
    protocol: str = "holdout",
    shards: int = 2,
    rank_history: bool = False,
    names: Sequence[str] = (),
    **settings: Any,
) -> PreparedDataset:
    """Writes a prepared dataset from item indices.

    Args:
        folder: Where; made if need be.
        train: The `items` of the training records.
        validation: (history, targets) of each validation record; with
            next_click (session, []).
        test: The same of each test record.
        tails: The `targets` of the training records, one list for each of
            `train`; none by default.
        num_items: Size of the vocabulary; the largest index by default. The
            item with index 7 is called "item 7", and its title "Title 7". Those
            above it in an evaluation are items never seen in training.
        protocol: A value of `--protocol`.
        shards: Number of files in each split.
        rank_history: The setting of that name.
        names: The ids of the items, by index, if they are others.
        **settings: Other settings of the preparation, for the manifest.

    Row i of each split is that of user "u<i>": the training records are of the
    users 1, 2, ..., and with next_click of none.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    config = DataConfig(
        dataset=_DATASETS.get(protocol, "sequences"),
        protocol=protocol,
        rank_history=rank_history,
        **settings,
    )
    kind = get_protocol(config)
    records = {
        **dict.fromkeys(kind.splits, ()),
        "train": list(zip(train, tails or [[]] * len(train), strict=True)),
        "validation": validation,
        "test": test,
    }
    used = [
        item
        for rows in records.values()
        for row in rows
        for part in row
        for item in part
    ]
    num_items = num_items or max(used)
    users = len(train) if kind.has_users else 0
    splits = write_records(
        folder,
        [{split: record_batch(rows, users) for split, rows in records.items()}],
        kind,
        num_items,
        shards,
    )
    names = names or [f"item {i}" for i in range(1, num_items + 1)]
    Vocabulary.write(folder, names)
    (folder / "titles.tsv").write_text(
        "".join(f"{n}\t{n.replace('item', 'Title')}\n" for n in names)
    )
    Manifest(
        source=config.dataset,
        settings=config.to_dict(),
        counts=[
            {
                "step": "raw",
                "interactions": len(used),
                "sequences": len(train),
                "items": len(names),
            }
        ],
        mean_length=len(used) / max(1, len(train)),
        density=0.0,
        splits=splits,
        data_checksum=data_checksum(splits, file_checksums(folder)),
        files=file_checksums(folder),
    ).save(folder)
    return PreparedDataset.open(folder)


def record_batch(
    rows: Sequence[tuple[Sequence[int], Sequence[int]]], users: int = 0
) -> pa.RecordBatch:
    """Returns the Arrow batch of (items, targets), with ids u0, u1, ...

    The first `users` rows are known users, with indices from 1.
    """
    lists = pa.list_(pa.int32())
    return pa.record_batch(
        {
            "id": pa.array([f"u{i}" for i in range(len(rows))], pa.string()),
            "user": pa.array(
                [i + 1 if i < users else 0 for i in range(len(rows))],
                pa.int64(),
            ),
            "items": pa.array([list(items) for items, _ in rows], lists),
            "targets": pa.array([list(tail) for _, tail in rows], lists),
        }
    )
