"""`ml-latest-small`, `ml-1m` and `ml-10m`: the MovieLens ratings.

Harper and Konstan, "The MovieLens Datasets: History and Context" (2015).
"""

from pathlib import Path

import ibis
import ibis.expr.datatypes as dt
import ibis.expr.types as ir

from tfrec.data.config import DataConfig
from tfrec.data.download import Archive, download
from tfrec.data.engine import Engine
from tfrec.data.sources.bad_rows import BadRows
from tfrec.data.sources.base import Log, Source
from tfrec.data.sources.delimited import Delimited
from tfrec.data.sources.fields import refuse_first, store, store_interactions
from tfrec.data.sources.lines import Lines
from tfrec.data.sources.salvage import read_or_salvage
from tfrec.data.times import DAY_OF_SECONDS
from tfrec.errors import InputError

_SITE = "https://files.grouplens.org/datasets/movielens/"
_ARCHIVES = {
    # Its authors change this one now and then: they publish the checksum.
    "ml-latest-small": Archive(_SITE + "ml-latest-small.zip"),
    "ml-1m": Archive(
        _SITE + "ml-1m.zip", md5="c4d9eecfca2ab87c1945afe126590906"
    ),
    "ml-10m": Archive(
        _SITE + "ml-10m.zip", md5="ce571fd55effeba0271552578f2648bd"
    ),
}
# The folders that the archives unpack to.
_FOLDERS = ("", "ml-latest-small", "ml-1m", "ml-10m", "ml-10M100K")
_SEPARATOR = "::"
# What a rating has, in the order of ratings.dat, and its column in ratings.csv.
_RATINGS = {
    "sequence": "userId",
    "item": "movieId",
    "rating": "rating",
    "timestamp": "timestamp",
}


class MovieLensSource(Source):
    """Ratings as `ratings.dat` (`::` between fields) or `ratings.csv`."""

    def fetch(self, config: DataConfig) -> None:
        """Downloads and unpacks the archive if there are no ratings.

        Raises:
            InputError: If it cannot be had: which file to put where.
        """
        absent = not self._find(config, self._ratings)
        if absent and not config.raw_path.is_file():
            download(
                _ARCHIVES[self.name],
                config.raw_path,
                [self._ratings, self._movies],
            )

    def files(self, config: DataConfig) -> list[Path]:
        """Returns the file of ratings."""
        found = self._find(config, self._ratings)
        if not found:
            raise InputError(
                f"`--raw_dir` must be a folder with {self._ratings}, from "
                f"{_ARCHIVES[self.name].url}. Received: {config.raw_path}."
            )
        return [found]

    def title_files(self, config: DataConfig) -> list[Path]:
        """Returns the file of movies, if it is there."""
        path = self._find(config, self._movies)
        return [path] if path else []

    def read(self, engine: Engine, config: DataConfig) -> Log:
        """Returns the interactions, every line checked."""
        (path,) = self.files(config)
        _check_end(path)
        self.bad_rows = BadRows(config)
        headed = path.suffix == ".csv"
        layout = "" if headed else "4 fields, user::movie::rating::timestamp"

        def stored(raw: Delimited | Lines) -> ir.Table:
            fields = (
                raw.table(engine, _columns(path, **_RATINGS))
                if headed
                else _split(raw.table(engine), list(_RATINGS))
            )
            return store_interactions(
                engine, fields, raw, self.bad_rows, layout=layout
            )

        raw = Delimited([path]) if headed else Lines(path)
        table = read_or_salvage(stored, raw, engine, self.bad_rows)
        return Log(table, DAY_OF_SECONDS)

    def titles(self, engine: Engine, config: DataConfig) -> ir.Table | None:
        """Returns the movies' titles and genres, if their file is there."""
        paths = self.title_files(config)
        if not paths:
            return None
        (path,) = paths
        if path.suffix == ".csv":
            names = _columns(path, item="movieId", title="title")
            raw = Delimited([path])
            if "genres" in raw.columns:
                names["genres"] = "genres"
            fields = raw.table(engine, names)
        else:
            # In ml-1m, é is one byte.
            encoding = "latin-1" if self.name == "ml-1m" else "utf-8"
            raw = Lines(path, encoding)
            fields = _split(raw.table(engine), ["item", "title", "genres"])
        table = store(engine, "titles", fields, raw)
        expected = table.item.isnull().ifelse(
            "3 fields, movie::title::genres", ibis.null(dt.string)
        )
        refuse_first(table, expected, raw)
        if "genres" not in table.columns:
            return table.select("item", "title")
        # The first one: a colour of a map.
        genre = table.genres.split("|")[0]
        return table.select("item", "title", genre=genre)

    @property
    def _ratings(self) -> str:
        return f"ratings.{self._ending}"

    @property
    def _movies(self) -> str:
        return f"movies.{self._ending}"

    @property
    def _ending(self) -> str:
        return "csv" if self.name == "ml-latest-small" else "dat"

    def _find(self, config: DataConfig, name: str) -> Path | None:
        paths = (config.raw_path / folder / name for folder in _FOLDERS)
        return next((path for path in paths if path.is_file()), None)


def _columns(path: Path, **names: str) -> dict[str, str]:
    """Returns the names, if the file has these columns.

    Raises:
        InputError: If one is missing.
    """
    header = Delimited([path]).columns
    for name in names.values():
        if name not in header:
            raise InputError(
                f"{path}, line 1: expected the columns "
                f"{', '.join(names.values())}, separated by commas. Received: "
                f"{', '.join(header)}."
            )
    return names


def _split(lines: ir.Table, names: list[str]) -> ir.Table:
    """Splits lines at `::`; where there are too few or many fields: nulls."""
    fields = lines.line.split(_SEPARATOR)
    whole = fields.length() == len(names)
    null = ibis.null(dt.string)
    return lines.select(
        "position",
        **{
            name: whole.ifelse(fields[place], null)
            for place, name in enumerate(names)
        },
    )


def _check_end(path: Path) -> None:
    """Raises if the last timestamp was cut short.

    A file that ends inside its last number still parses. The published files
    end with a line end, and seconds since 1970 have had 9 digits since 1973,
    so fewer digits than in the line before, and no line end, are a cut.

    Raises:
        InputError: If the file seems cut short.
    """
    with open(path, "rb") as file:
        file.seek(max(0, path.stat().st_size - 4096))
        lines = file.read().split(b"\n")
    if not lines[-1] or len(lines) < 3:
        return
    before, last = (
        line.replace(b"::", b",").strip().split(b",") for line in lines[-2:]
    )
    if len(last) < len(before):
        return  # Named with the other malformed lines.
    if len(before[-1]) >= 9 and len(last[-1]) < len(before[-1]):
        raise InputError(
            f"{path}, last line: expected a timestamp as long as the one "
            f"before it, and a line end. Received: {lines[-1]!r}. The "
            "file seems cut short: copy it again. If the line is whole, end "
            "it with a line end."
        )
