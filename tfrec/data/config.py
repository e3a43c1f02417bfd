"""The settings of data preparation."""

import dataclasses
import datetime
import hashlib
import json
import re
from pathlib import Path
from typing import Any

from tfrec.data.datasets import DATASETS
from tfrec.data.protocols import PROTOCOLS, get_protocol
from tfrec.errors import InputError
from tfrec.settings import Settings, setting

# The settings that only some choices read; see `unused`.
_OWN_SETTINGS = {
    "dataset": {d.name: d.settings for d in DATASETS.values()},
    "protocol": {p.name: p.own_settings for p in PROTOCOLS.values()},
    "engine": {"duckdb": ("threads",), "pyspark": ("engine_url",)},
}
ENGINES = tuple(_OWN_SETTINGS["engine"])
# Where things lie, what else is kept, when to stop and what the work may use:
# no part of a dataset's identity.
_PLACES = (
    "raw_dir",
    "raw_files",
    "data_dir",
    "raw_changed",
    "bad_rows_share",
    "keep_log",
    "engine",
    "engine_url",
    "memory_limit",
    "threads",
)
# The default of `memory_limit` in earlier versions.
_FORMER_MEMORY_LIMIT = "2GB"
_MEMORY = re.compile(r"[0-9]+([.][0-9]+)? *[KMGT]i?B")
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_LOCAL_SPARK = re.compile(r"local(\[([1-9][0-9]*|[*])\])?")
_SPARK = re.compile(r"spark://.+|k8s://.+|yarn")


@dataclasses.dataclass(frozen=True)
class DataConfig(Settings):
    """What to prepare, from where, and how it is filtered and split."""

    dataset: str = setting(
        "ml-latest-small", "The format of the raw log.", choices=tuple(DATASETS)
    )
    raw_dir: str = setting(
        "",
        "Folder of the raw files (csv, sequences, yelp: a file or a folder). "
        "MovieLens is downloaded to it if absent. On a cluster, a path that "
        "all machines share; no hdfs:// or s3://. A path that has * or [ in it "
        "is that path. Empty: data/raw/<dataset>.",
    )
    raw_files: str = setting(
        "",
        "csv: pattern of the files below raw_dir to read as one log: * and ? "
        "stand for what has no /, [ab] for one character, ** for folders of "
        "any depth (2024-*/*.csv.gz, **/*.parquet). Names that begin with . or "
        "_ are left out. Empty: raw_dir, or the files in it.",
    )
    data_dir: str = setting(
        "",
        "Folder of the prepared dataset. Empty: data/<dataset>-<hash of the "
        "settings>.",
    )
    raw_changed: str = setting(
        "prepare",
        "What to do when the raw files no longer hold what data_dir was "
        "prepared from: prepare them beside it, in <data_dir>-<hash of their "
        "content>, and use that; stop; or keep to what was prepared, to resume "
        "a run.",
        choices=("prepare", "stop", "keep"),
    )
    bad_rows: str = setting(
        "stop",
        "What to do with a row that cannot be read: stop, with its place, or "
        "skip it. Skipped rows are counted by what is wrong with them.",
        choices=("stop", "skip"),
    )
    bad_rows_share: float = setting(
        0.01,
        "With --bad_rows=skip: stop if more than this part of all rows cannot "
        "be read.",
        minimum=0,
        maximum=1,
    )
    keep_log: bool = setting(
        False,
        "csv, MovieLens, yelp, yoochoose: keep the whole log in data_dir, as "
        "it was before the filters, compressed. `prepare --append` adds later "
        "files to it without reading the earlier ones again.",
    )
    sequence_column: str = setting(
        "sequence", "csv: name of the column of user or session ids."
    )
    item_column: str = setting("item", "csv: name of the column of item ids.")
    timestamp_column: str = setting(
        "timestamp",
        "csv: name of the column of times: numbers, or ISO dates and times.",
    )
    rating_column: str = setting(
        "", "csv: name of the column of ratings. Empty: there are none."
    )
    separator: str = setting(",", "csv: text between two fields.")
    timestamps_per_second: int = setting(
        0,
        "csv: what times that are numbers count in a second: 1, or 1000 for "
        "milliseconds. next_click and temporal need it, and the report of a "
        "run, to tell the time between events. 0: times are ISO dates or "
        "times, or nobody knows.",
        minimum=0,
    )
    sequence_ids: bool = setting(
        True,
        "sequences: each line starts with the id of its sequence. Otherwise "
        "the line's number is its id.",
    )
    train_file: str = setting(
        "train_sessions.txt",
        "sessions: file of raw_dir with a training session in each line.",
    )
    test_file: str = setting(
        "test_sessions.txt",
        "sessions: file of raw_dir with a test session in each line.",
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
        "filters above; next_click: never fewer than 2; temporal: before the "
        "test.",
        minimum=1,
    )
    repeat_filters: bool = setting(
        False,
        "next_click: repeat the filters of items and sequences until neither "
        "drops anything; otherwise sequences, items, sequences once, as in the "
        "preparations of YOOCHOOSE that others publish.",
    )
    truncate_before_split: int = setting(
        0,
        "Keep only the newest N interactions of a sequence, before it is "
        "split; temporal: of those before the test. 0: all.",
        minimum=0,
    )
    protocol: str = setting(
        "holdout",
        "What is held out: the last test_fraction of each sequence, its last "
        "item, whole sessions, of which every next click is predicted, or all "
        "that happens from one moment on.",
        choices=tuple(PROTOCOLS),
    )
    rank_history: bool = setting(
        False,
        "Rank the items of the history too, where they can come again. "
        "next_click always does.",
    )
    test_fraction: float = setting(
        0.2,
        "holdout: part of each sequence that is held out for the test. 0: no "
        "test, to train on everything; see --measured_by.",
        minimum=0,
        below=1,
    )
    validation_fraction: float = setting(
        0.1,
        "Part held out for validation: holdout: of each training history; "
        "next_click: of the training sessions, the newest; temporal: of the "
        "interactions before the test, the newest.",
        minimum=0,
        below=1,
    )
    test_from: str = setting(
        "",
        "temporal: the test is what happens from this date or time (UTC) on: "
        "2018-01-31 or 2018-01-31 12:00:00. Empty: as test_quantile says.",
    )
    test_quantile: float = setting(
        0.9,
        "temporal: this part of all interactions, the oldest, is before the "
        "test. 1: no test, to train on everything; see --measured_by.",
        above=0,
        maximum=1,
    )
    test_days: int = setting(
        1,
        "next_click: sessions that end in the last so many days of the log "
        "are the test. 0: no test, to train on everything; see --measured_by.",
        minimum=0,
    )
    training_fraction: float = setting(
        1.0,
        "next_click: keep this part of the training, the newest sessions "
        "(YOOCHOOSE 1/64: 0.015625).",
        above=0,
        maximum=1,
    )
    training_fraction_of: str = setting(
        "sessions",
        "next_click: what training_fraction is a part of: the training "
        "sessions, or the clicks in them that can be predicted, as in the "
        "published cuts of YOOCHOOSE.",
        choices=("sessions", "clicks"),
    )
    unseen_items: str = setting(
        "drop",
        "next_click: test clicks on items that the training has not: drop "
        "them, drop those that it has not before training_fraction is taken "
        "(the others count as misses), or keep them as misses.",
        choices=("drop", "drop_before_cut", "keep"),
    )
    shards: int = setting(
        8,
        "Files in each split, at most: there is one for each 1000 sequences.",
        minimum=1,
    )
    synthetic_users: int = setting(
        2000, "synthetic: number of sequences.", minimum=1
    )
    synthetic_items: int = setting(
        500, "synthetic: number of items.", minimum=2
    )
    synthetic_clusters: int = setting(
        5, "synthetic: number of taste clusters.", minimum=1
    )
    synthetic_length: int = setting(
        30, "synthetic: mean length of a sequence.", minimum=2
    )
    synthetic_seed: int = setting(0, "synthetic: seed of the generator.")
    engine: str = setting(
        "duckdb",
        "What prepares: DuckDB, on this machine, or Spark (pip install "
        "'.[spark]', and Java 17 or 21), where one machine is not enough. "
        "Both prepare the same dataset, byte for byte.",
        choices=ENGINES,
    )
    engine_url: str = setting(
        "",
        "pyspark: the cluster: local[4] for four threads of this machine, "
        "spark://host:7077, yarn, or k8s://https://host:443. The raw files "
        "must lie on a file system that all its machines mount at the same "
        "path; raw_dir can be no hdfs:// or s3://. Memory, cores and the rest "
        "are settings of Spark's (SPARK_CONF_DIR). Empty: local[*], all "
        "threads of this machine.",
    )
    memory_limit: str = setting(
        "1GB",
        "Memory that the preparation engine may use on this machine; beyond, "
        "it works on disk, beside data_dir.",
    )
    threads: int = setting(
        0,
        "duckdb: threads of the engine. 0: all cores.",
        minimum=0,
        maximum=4096,
    )

    def __post_init__(self):
        super().__post_init__()
        get_protocol(self).check()
        self._check_engine()
        for name in ("raw_dir", "data_dir"):
            _check_path(name, getattr(self, name))
        if self.since and not _is_day(self.since):
            raise InputError(
                "`--since` must be a day such as 2018-01-01. Received: "
                f"{self.since!r}."
            )

    def unused(self) -> dict[str, str]:
        """See base class."""
        found: dict[str, str] = {}
        for choice, names in self._foreign().items():
            for name in sorted(names):
                why = f"with --{choice}={getattr(self, choice)}"
                found.setdefault(name, why)
        if self.bad_rows == "stop":
            found.setdefault("bad_rows_share", "with --bad_rows=stop")
        if self.dataset == "csv" and not self.rating_column:
            found["rating_above"] = "with no --rating_column"
        if not self.on_this_machine:
            found["memory_limit"] = f"with --engine_url={self.engine_url}"
        return found | get_protocol(self).unused()

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "DataConfig":
        """See base class; reads what earlier versions wrote, too.

        They wrote their default where a cluster reads no `memory_limit`, which
        would now be one that was given.
        """
        on_cluster = _SPARK.fullmatch(str(values.get("engine_url", "")))
        if on_cluster and values.get("memory_limit") == _FORMER_MEMORY_LIMIT:
            values = {k: v for k, v in values.items() if k != "memory_limit"}
        return super().from_dict(values)

    def identity(self) -> dict[str, Any]:
        """Returns the settings that decide what a prepared dataset holds.

        Places, memory and what the dataset does not read are left out.
        """
        skipped = set(_PLACES).union(*self._foreign().values())
        return {k: v for k, v in self.to_dict().items() if k not in skipped}

    @property
    def on_this_machine(self) -> bool:
        """Whether the engine runs here, and not on a cluster."""
        return not _SPARK.fullmatch(self.engine_url)

    @property
    def raw_path(self) -> Path:
        """Where the raw files are looked for."""
        place = self.raw_dir or Path("data", "raw", self.dataset)
        return Path(place).expanduser()

    @property
    def data_path(self) -> Path:
        """Where the prepared dataset is, or will be written."""
        if self.data_dir:
            return Path(self.data_dir).expanduser()
        # Two logs of one format are two datasets: the place tells them apart.
        place = str(self.raw_path.absolute()) if self.raw_dir else ""
        place += self.raw_files
        text = json.dumps([self.identity(), place], sort_keys=True)
        digest = hashlib.sha256(text.encode()).hexdigest()[:8]
        return Path("data", f"{self.dataset}-{digest}")

    def _foreign(self) -> dict[str, set[str]]:
        """Returns, by choice, the settings that only other values read."""
        return {
            choice: {n for names in owners.values() for n in names}
            - set(owners[getattr(self, choice)])
            for choice, owners in _OWN_SETTINGS.items()
        }

    def _check_engine(self) -> None:
        if not _MEMORY.fullmatch(self.memory_limit):
            raise InputError(
                "`--memory_limit` must be an amount such as 2GB or 500MB. "
                f"Received: {self.memory_limit!r}."
            )
        spark = not self.on_this_machine or _LOCAL_SPARK.fullmatch(
            self.engine_url
        )
        if self.engine_url and not spark:
            raise InputError(
                "`--engine_url` must be a Spark master: local[4], "
                "spark://host:7077, yarn or k8s://https://host:443. Received: "
                f"{self.engine_url!r}."
            )


def _check_path(name: str, value: str) -> None:
    if _URL.match(value):
        raise InputError(
            f"`--{name}` must be a path, and no URL. Received: {value}. Copy "
            "the files here, or mount where they are."
        )
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise InputError(
            f"`--{name}` must be a path in UTF-8. Received: {value!r}."
        ) from error


def _is_day(text: str) -> bool:
    try:
        return datetime.date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False
