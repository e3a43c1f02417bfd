"""`yoochoose`: the clicks of the RecSys Challenge 2015."""

from pathlib import Path

import ibis.expr.types as ir

from tfrec.data.config import DataConfig
from tfrec.data.engine import Engine
from tfrec.data.sources.bad_rows import BadRows
from tfrec.data.sources.base import Log, Source
from tfrec.data.sources.delimited import Delimited
from tfrec.data.sources.fields import store_interactions
from tfrec.data.sources.salvage import read_or_salvage
from tfrec.data.times import DAY
from tfrec.errors import InputError

_FILE = "yoochoose-clicks.dat"
_COLUMNS = ("session", "time", "item", "category")


class YoochooseSource(Source):
    """Lines `1,2014-04-07T10:51:09.277Z,214536502,0`, without a header.

    The fields are the session, the time (UTC), the item and its category,
    which is not read.
    """

    def files(self, config: DataConfig) -> list[Path]:
        """Returns the file, the one of the folder if that is given."""
        path = config.raw_path
        if path.is_dir():
            path = path / _FILE
        if path.is_file():
            return [path]
        raise InputError(
            f"`--raw_dir` must be {_FILE} of the RecSys Challenge 2015, or its "
            f"folder. Received: {config.raw_path}, without it."
        )

    def read(self, engine: Engine, config: DataConfig) -> Log:
        """Returns the interactions, every line checked."""
        names = {"sequence": "session", "item": "item", "timestamp": "time"}
        self.bad_rows = BadRows(config)

        def stored(raw: Delimited) -> ir.Table:
            fields = raw.table(engine, names)
            return store_interactions(engine, fields, raw, self.bad_rows, "iso")

        raw = Delimited(self.files(config), columns=_COLUMNS)
        table = read_or_salvage(stored, raw, engine, self.bad_rows)
        return Log(table, DAY)
