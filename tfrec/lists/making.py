"""Making the lists: block after block of users, each a part of the file."""

import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from tqdm import tqdm

import tfrec
from tfrec.data.histories import Histories
from tfrec.data.titles import FILE_NAME as TITLES
from tfrec.durations import duration
from tfrec.errors import InputError
from tfrec.integrity import file_checksum
from tfrec.lists.candidates import read_ids, refuse_unknown
from tfrec.lists.config import ListsConfig
from tfrec.lists.parts import Parts, part_table
from tfrec.lists.source import Source
from tfrec.training.files import locked

# Users and rows of the largest part, which is made in memory. What a kill
# costs is one part.
_MOST_USERS = 10_000
_MOST_ROWS = 1_000_000
# Parts of a share, at least, where there are enough users.
_FEWEST_PARTS = 8
# Where nobody watches a bar.
_SECONDS_BETWEEN_LINES = 60


class Made(NamedTuple):
    """What was written.

    Attributes:
        path: The file.
        users: Number of lists.
        rows: Number of items in them.
    """

    path: Path
    users: int
    rows: int


class Work:
    """What there is to do: the users, cut into blocks, of which some are ours.

    The blocks depend on the settings alone, so that whoever goes on, or does a
    share, makes the same ones.

    Args:
        source: What answers.
        config: Settings.

    Attributes:
        config: As given.
        histories: Those who get a list.
        numbers: Of the blocks of this share.
        parts: Where they are written.

    Raises:
        InputError: If a file of users cannot be read or names nobody.
    """

    def __init__(self, source: Source, config: ListsConfig):
        self._source, self.config = source, config
        names = read_ids(config.users, "--users") if config.users else None
        self.histories = Histories(source.data, names and list(names))
        refuse_unknown(
            names or {},
            self.histories.missing,
            config.users,
            str(source.data.data_dir),
        )
        share, shares = config.share
        total = len(self.histories)
        self._size = max(
            1,
            min(
                _MOST_USERS,
                _MOST_ROWS // config.k,
                -(-total // (shares * _FEWEST_PARTS)),
            ),
        )
        count = -(-total // self._size)
        self.numbers = list(range(share, count, shares))
        self.parts = Parts(config.path, self._plan())

    def _plan(self) -> dict[str, Any]:
        """Returns what decides the rows of each part."""
        config, data = self.config, self._source.data
        groups = config.groups
        if config.per_group and not groups:
            groups = data.data_dir / TITLES
        files = (config.users, config.allow, config.deny, groups)
        return {
            "tfrec": tfrec.__version__,
            "source": self._source.identity,
            "data": data.manifest.data_checksum,
            # The same files can be ranked in two ways.
            "exclude_history": data.protocol.exclude_history,
            "k": config.k,
            "files": [file and file_checksum(Path(file)) for file in files],
            "per_group": list(config.per_group),
            "users_in_a_part": self._size,
            "shard": config.shard,
        }

    def users_of(self, number: int) -> int:
        """Returns the number of users of a block."""
        start = number * self._size
        return min(self._size, len(self.histories) - start)

    def make(self, numbers: list[int]) -> Iterator[int]:
        """Makes parts, and yields the number of each that is written."""
        wanted = set(numbers)
        blocks = self.histories.blocks(self._size, wanted.__contains__)
        for number, histories in blocks:
            lists = self._source.best(histories)
            self.parts.write(number, part_table(histories, lists))
            yield number


def make_lists(
    source: Source,
    config: ListsConfig,
    run: Callable[[Work, list[int]], Iterator[int]] = Work.make,
) -> Made:
    """Writes the lists of all users, or goes on where it was interrupted.

    The same settings give the same bytes, whatever happened in between. An
    older file of that name stays until the new one is complete.

    Args:
        source: What answers; see `open_source`.
        config: Settings, with `output`.
        run: Makes parts, and yields the number of each that is written.

    Raises:
        InputError: If a file cannot be read or written, or another process is
            writing the same lists.
    """
    work = Work(source, config)
    if not work.numbers:
        raise InputError(
            f"`--shard={config.shard}` has no users: there are "
            f"{len(work.histories)}. Give fewer shards."
        )
    with locked(work.parts.folder, "writing", "--output"):
        if work.parts.begin():
            print(
                f"Removed the parts in {work.parts.folder}, which were made "
                "with other settings."
            )
        left = [n for n in work.numbers if not work.parts.done(n)]
        counts = {number: work.users_of(number) for number in work.numbers}
        total = sum(counts.values())
        done = total - sum(counts[number] for number in left)
        if done:
            print(f"{done:,} of {total:,} users were done before.")
        with _Progress(total, done) as progress:
            for number in run(work, left) if left else ():
                progress.add(counts[number])
        rows = work.parts.join(work.numbers)
    return Made(config.path, total, rows)


class _Progress:
    """Shows how far the lists are: a bar, or a line a minute."""

    def __init__(self, total: int, done: int):
        self._total, self._first, self._done = total, done, done
        self._start = self._last = time.monotonic()
        self._bar = None
        if sys.stdout.isatty():
            self._bar = tqdm(
                desc="lists",
                total=total,
                initial=done,
                unit="user",
                unit_scale=True,
                leave=False,
                file=sys.stdout,
                ascii=" =",
                dynamic_ncols=True,
            )

    def __enter__(self) -> "_Progress":
        return self

    def __exit__(self, *error) -> None:
        if self._bar is not None:
            self._bar.close()

    def add(self, users: int) -> None:
        """Notes that so many users more have their lists."""
        self._done += users
        if self._bar is not None:
            self._bar.update(users)
            return
        now = time.monotonic()
        if now - self._last >= _SECONDS_BETWEEN_LINES:
            self._last = now
            rate = (self._done - self._first) / (now - self._start)
            left = duration((self._total - self._done) / rate)
            print(
                f"{self._done:,} of {self._total:,} users - about {left} left",
                flush=True,
            )
