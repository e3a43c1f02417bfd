"""`yelp`: the reviews of the Yelp open dataset, as JSON lines."""

from pathlib import Path

import ibis
import ibis.expr.datatypes as dt
import ibis.expr.types as ir

from tfrec.data.config import DataConfig
from tfrec.data.engine import Engine
from tfrec.data.sources.bad_rows import BadRows
from tfrec.data.sources.base import Log, Source
from tfrec.data.sources.fields import refuse_first, store, store_interactions
from tfrec.data.sources.lines import Lines
from tfrec.data.sources.salvage import read_or_salvage
from tfrec.data.times import DAY
from tfrec.errors import InputError

_REVIEWS = "yelp_academic_dataset_review.json"
_BUSINESSES = "yelp_academic_dataset_business.json"


class YelpSource(Source):
    """Users' reviews of businesses; a review's stars are its rating."""

    def files(self, config: DataConfig) -> list[Path]:
        """Returns the file of reviews."""
        path = config.raw_path
        if path.is_dir():
            path = path / _REVIEWS
        if path.is_file():
            return [path]
        raise InputError(
            f"`--raw_dir` must be {_REVIEWS}, or the folder that holds it "
            "(and the file of businesses, for their names). Yelp gives them "
            "to those who sign for them: https://business.yelp.com/data. "
            f"Received: {config.raw_path}."
        )

    def title_files(self, config: DataConfig) -> list[Path]:
        """Returns the file of businesses, if it is there."""
        path = self.files(config)[0].with_name(_BUSINESSES)
        return [path] if path.is_file() else []

    def read(self, engine: Engine, config: DataConfig) -> Log:
        """Returns the interactions, every line checked."""
        layout = "a JSON object with user_id, business_id, stars and date"
        self.bad_rows = BadRows(config)

        def stored(raw: Lines) -> ir.Table:
            fields = _members(
                engine,
                raw.table(engine),
                sequence="user_id",
                item="business_id",
                rating="stars",
                timestamp="date",
            )
            return store_interactions(
                engine, fields, raw, self.bad_rows, "iso", layout
            )

        raw = Lines(self.files(config)[0])
        table = read_or_salvage(stored, raw, engine, self.bad_rows)
        return Log(table, DAY)

    def titles(self, engine: Engine, config: DataConfig) -> ir.Table | None:
        """Returns the businesses' names, if their file is there."""
        paths = self.title_files(config)
        if not paths:
            return None
        raw = Lines(paths[0])
        fields = _members(
            engine, raw.table(engine), item="business_id", title="name"
        )
        expected = fields.item.isnull().ifelse(
            "a JSON object with business_id and name", ibis.null(dt.string)
        )
        refuse_first(fields, expected, raw)
        return store(engine, "titles", fields.drop("position"), raw)


def _members(engine: Engine, lines: ir.Table, **names: str) -> ir.Table:
    """Takes members out of JSON lines; where the line is not JSON: nulls."""
    null = ibis.null(dt.string)
    document = engine.is_json(lines.line).ifelse(lines.line, null)
    return lines.select(
        "position",
        **{
            role: engine.json_member(document, name)
            for role, name in names.items()
        },
    )
