"""The settings of data preparation."""

import dataclasses
import hashlib
import json
from pathlib import Path
from typing import Any

from tfrec.errors import InputError
from tfrec.settings import Settings, setting

_SYNTHETIC = (
    "synthetic_users",
    "synthetic_items",
    "synthetic_clusters",
    "synthetic_length",
    "synthetic_seed",
)
# The settings that only some datasets read. Given with another one, they are
# an error: a flag is never silently ignored.
_OWN_SETTINGS = {
    "ml-latest-small": (),
    "ml-1m": (),
    "ml-10m": (),
    "yelp": ("since",),
    "csv": (
        "sequence_column",
        "item_column",
        "timestamp_column",
        "rating_column",
        "separator",
    ),
    "sequences": ("sequence_ids",),
    "synthetic": _SYNTHETIC,
}
DATASETS = tuple(_OWN_SETTINGS)
# Where things lie and what the work may use: no part of a dataset's identity.
_PLACES = ("raw_dir", "data_dir", "memory_limit", "threads")


@dataclasses.dataclass(frozen=True)
class DataConfig(Settings):
    """What to prepare, from where, and how it is filtered and split."""

    dataset: str = setting(
        "ml-latest-small", "The format of the raw log.", choices=DATASETS
    )
    raw_dir: str = setting(
        "",
        "Folder of the raw files (csv, sequences: a file or a folder). Empty: "
        "data/raw/<dataset>, where MovieLens is downloaded.",
    )
    data_dir: str = setting(
        "",
        "Folder of the prepared dataset. Empty: data/<dataset>-<hash of the "
        "settings>.",
    )
    sequence_column: str = setting(
        "sequence", "csv: name of the column of user or session ids."
    )
    item_column: str = setting("item", "csv: name of the column of item ids.")
    timestamp_column: str = setting(
        "timestamp",
        "csv: name of the column of times: integers, or ISO dates and times.",
    )
    rating_column: str = setting(
        "", "csv: name of the column of ratings. Empty: there are none."
    )
    separator: str = setting(",", "csv: text between two fields.")
    sequence_ids: bool = setting(
        True,
        "sequences: each line starts with the id of its sequence. Otherwise "
        "the line's number is its id.",
    )
    since: str = setting(
        "", "yelp: keep reviews from this day on (2018-01-01 in the paper)."
    )
    rating_above: float = setting(
        3.0, "Keep interactions rated strictly above, where there are ratings."
    )
    drop_duplicates: bool = setting(
        False,
        "Keep one of several events with equal sequence, item and timestamp. "
        "They are counted either way.",
    )
    min_item_count: int = setting(
        1, "Keep items with at least this many interactions.", minimum=1
    )
    min_sequence_length: int = setting(
        5,
        "Keep sequences with at least this many interactions after the "
        "filters above.",
        minimum=1,
    )
    truncate_before_split: int = setting(
        0,
        "Keep only the newest N interactions of a sequence, before it is "
        "split. 0: all.",
        minimum=0,
    )
    protocol: str = setting(
        "holdout",
        "How targets are held out: the last test_fraction of each sequence, "
        "or its last item.",
        choices=("holdout", "leave_one_out"),
    )
    test_fraction: float = setting(
        0.2,
        "holdout: part of each sequence that is held out for the test.",
        above=0,
        below=1,
    )
    validation_fraction: float = setting(
        0.1,
        "holdout: part of each training history held out for validation.",
        minimum=0,
        below=1,
    )
    shards: int = setting(8, "Files in each split.", minimum=1)
    synthetic_users: int = setting(
        2000, "synthetic: number of sequences.", minimum=1
    )
    synthetic_items: int = setting(
        500, "synthetic: number of items.", minimum=2
    )
    synthetic_clusters: int = setting(
        10, "synthetic: number of taste clusters.", minimum=1
    )
    synthetic_length: int = setting(
        40, "synthetic: mean length of a sequence.", minimum=2
    )
    synthetic_seed: int = setting(0, "synthetic: seed of the generator.")
    memory_limit: str = setting(
        "2GB",
        "Memory that the preparation engine may use; beyond, it works on "
        "disk, beside data_dir.",
    )
    threads: int = setting(
        0, "Threads of the preparation engine. 0: all cores.", minimum=0
    )

    def __post_init__(self):
        super().__post_init__()
        own = _OWN_SETTINGS[self.dataset]
        foreign = {n for names in _OWN_SETTINGS.values() for n in names}
        for field in dataclasses.fields(self):
            if field.name in foreign.difference(own) and (
                getattr(self, field.name) != field.default
            ):
                raise InputError(
                    f"`--{field.name}` means nothing with "
                    f"--dataset={self.dataset}. Remove it."
                )

    def identity(self) -> dict[str, Any]:
        """Returns the settings that decide what the prepared dataset holds.

        Places, memory and the settings of other datasets are left out.
        """
        own = _OWN_SETTINGS[self.dataset]
        others = {n for names in _OWN_SETTINGS.values() for n in names}
        skipped = others.difference(own).union(_PLACES)
        return {k: v for k, v in self.to_dict().items() if k not in skipped}

    @property
    def raw_path(self) -> Path:
        """Where the raw files are looked for."""
        return Path(self.raw_dir or Path("data", "raw", self.dataset))

    @property
    def data_path(self) -> Path:
        """Where the prepared dataset is, or will be written."""
        if self.data_dir:
            return Path(self.data_dir)
        # Two logs of one format are two datasets: the place tells them apart.
        place = str(self.raw_path.absolute()) if self.raw_dir else ""
        text = json.dumps([self.identity(), place], sort_keys=True)
        digest = hashlib.sha256(text.encode()).hexdigest()[:8]
        return Path("data", f"{self.dataset}-{digest}")
