"""Settings of the lists: for whom, of what, and where to."""

import dataclasses
import re
from pathlib import Path

from tfrec.errors import InputError
from tfrec.settings import Settings, setting

SUFFIXES = (".parquet", ".csv", ".jsonl")


@dataclasses.dataclass(frozen=True)
class SourceConfig(Settings):
    """What answers: a run, or an export, with the data of the users."""

    run_dir: str = setting("", "Folder of the run.")
    data_dir: str = setting(
        "",
        "Where the prepared dataset is: with --run_dir that of the run (empty: "
        "where it was), with --export_dir any one that has the same item ids.",
    )
    export_dir: str = setting(
        "",
        "Instead of a run, for --output and --sequence: folder of all exported "
        "models. The newest version answers.",
    )
    name: str = setting(
        "",
        "With --server or --export_dir: the model's name there. Empty: acvae, "
        "or the only one that was exported.",
    )
    k: int = setting(
        10,
        "Number of items. A server, or an export, gives at most as many as "
        "were exported.",
        minimum=1,
    )
    allow: str = setting(
        "",
        "File of the items that may be recommended, an id in each line. Empty: "
        "all.",
    )
    deny: str = setting(
        "", "File of items that are not recommended, an id in each line."
    )
    per_group: tuple[str, ...] = setting(
        (),
        "Limits of a list, with commas between: genres:2 gives at most 2 items "
        "of a genre. The name is that of a column of titles.tsv, or of "
        "--groups; an item with several values, as in a|b, counts for each. "
        "Items without a value are not limited.",
    )
    groups: str = setting(
        "",
        "File of the columns of --per_group: tabs between, the item's id "
        "first, and a first line that names them. Empty: titles.tsv of the "
        "dataset.",
    )

    def __post_init__(self):
        super().__post_init__()
        # Refuses what is no limit.
        self.limits  # noqa: B018

    def unused(self) -> dict[str, str]:
        """See base class."""
        found = {}
        if not self.per_group:
            found["groups"] = "without `--per_group`"
        if self.export_dir:
            found["per_group"] = (
                "with `--export_dir`, which gives the best items and no more"
            )
        return found

    @property
    def limits(self) -> dict[str, int]:
        """The most items of a list that share a value, by column."""
        limits = {}
        for text in self.per_group:
            column, _, most = text.rpartition(":")
            if not column or not re.fullmatch("[1-9][0-9]*", most):
                raise InputError(
                    "`--per_group` must be a column and the most items of one "
                    f"value, such as genres:2. Received: {text!r}."
                )
            if column in limits:
                raise InputError(
                    "`--per_group` must name a column once. Received: "
                    f"{column} twice."
                )
            limits[column] = int(most)
        return limits


@dataclasses.dataclass(frozen=True)
class ListsConfig(SourceConfig):
    """For whom lists are made, and where they go."""

    output: str = setting(
        "",
        "File of the lists, for everybody in the dataset: .parquet, .csv or "
        ".jsonl, with the columns user, item, rank and score.",
    )
    users: str = setting(
        "",
        "With --output: file of the users who get a list, an id in each line. "
        "Empty: all of the dataset.",
    )
    shard: str = setting(
        "",
        "With --output: i/n makes share i, from 0, of n, in a file of its own: "
        "lists-00000-of-00004.parquet for 0/4. Empty: all.",
    )
    engine: str = setting(
        "local",
        "With --output: where the lists are made: in this process, or on "
        "Spark, whose executors then need tfrec, and the run, the dataset and "
        "the output at the same paths.",
        choices=("local", "pyspark"),
    )
    engine_url: str = setting(
        "", "pyspark: the cluster, as in `tfrec prepare`. Empty: local[*]."
    )

    def __post_init__(self):
        super().__post_init__()
        if self.output and Path(self.output).suffix not in SUFFIXES:
            raise InputError(
                f"`--output` must end in {', '.join(SUFFIXES[:-1])} or "
                f"{SUFFIXES[-1]}. Received: {self.output}."
            )
        self.share  # noqa: B018

    def unused(self) -> dict[str, str]:
        """See base class."""
        found = super().unused()
        if not self.output:
            for name in ("users", "shard", "engine"):
                found[name] = "without `--output`"
        if self.engine != "pyspark":
            found["engine_url"] = "without `--engine=pyspark`"
        return found

    @property
    def share(self) -> tuple[int, int]:
        """Which share of the lists is made, from 0, and of how many."""
        match = re.fullmatch(r"([0-9]+)/([0-9]+)", self.shard or "0/1")
        number, count = map(int, match.groups()) if match else (0, 0)
        if number >= count:
            raise InputError(
                "`--shard` must be i/n with i from 0 to n - 1, such as 0/4. "
                f"Received: {self.shard!r}."
            )
        return number, count

    @property
    def path(self) -> Path:
        """The file that is written: of the share, if it is one of several."""
        path = Path(self.output)
        number, count = self.share
        if count == 1:
            return path
        return path.with_stem(f"{path.stem}-{number:05d}-of-{count:05d}")
