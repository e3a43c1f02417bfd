"""A prepared dataset as a file that RecBole reads: the same sequences."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tfrec.errors import InputError

if TYPE_CHECKING:
    from tfrec.data import PreparedDataset

# How RecBole calls the dataset, its folder and its file.
NAME = "log"
_HEAD = "user_id:token\titem_id:token\ttimestamp:float"


def read_sequences(data: "PreparedDataset") -> list[list[int]]:
    """Returns the items of each user of the test, oldest first.

    The last item of each is the target of the test, the one before it that of
    the validation, and the rest is what is trained on. RecBole divides the
    same sequences in this way (`LS: valid_and_test`).

    Args:
        data: Prepared with `--protocol=leave_one_out`.

    Returns:
        In the order of the test's records.

    Raises:
        InputError: If the splits are not those of the sequences.
    """
    parts: dict[str, dict[int, tuple[int, list[int]]]] = {}
    for split in ("validation", "test"):
        part = parts[split] = {}
        for batch in data.evaluation(split):
            for record, user, history, targets in zip(
                batch.record.numpy().tolist(),
                batch.user.numpy().tolist(),
                batch.history.numpy().tolist(),
                batch.targets.numpy().tolist(),
                strict=True,
            ):
                items = [item for item in history if item] + targets
                part[user] = record, items
    for user, (_, items) in parts["test"].items():
        if items[:-1] != parts["validation"].get(user, (0, []))[1]:
            raise InputError(
                f"{data.data_dir} must hold out the last item and the one "
                "before it of each sequence. Received: another split of user "
                f"{user}. Prepare it with --protocol=leave_one_out and without "
                "sequences of fewer than 4 items."
            )
    return [items for _, items in sorted(parts["test"].values())]


def write_atomic(folder: Path, sequences: Sequence[Sequence[int]]) -> Path:
    """Writes RecBole's "atomic file" of interactions.

    A user's token is the number of its sequence, from 1; an item's is its index
    in the vocabulary; the time is the place in the sequence, so that no tie of
    times can be resolved in another order.

    Args:
        folder: Where the folder `NAME` is made.
        sequences: Items of each user, oldest first.

    Returns:
        The file.
    """
    from tfrec.training.files import write_text

    lines = [_HEAD]
    for user, items in enumerate(sequences, 1):
        lines += [f"{user}\t{item}\t{at}" for at, item in enumerate(items)]
    path = folder / NAME / f"{NAME}.inter"
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, "\n".join(lines) + "\n", "--output")
    return path
