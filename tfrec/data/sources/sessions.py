"""`sessions`: a training and a test file, one session in each line."""

from pathlib import Path

import ibis
import ibis.expr.types as ir

from tfrec.data.config import DataConfig
from tfrec.data.engine import Engine
from tfrec.data.sources.base import Log, Source
from tfrec.data.sources.fields import store
from tfrec.data.sources.lines import Lines
from tfrec.data.sources.sequences import spread
from tfrec.errors import InputError


class SessionsSource(Source):
    """Files whose lines are the items of sessions, split at blanks.

    There are no times: the lines of a file are in the order of time, and so
    are the items of a line. A session is called after its file and line:
    "train 1".
    """

    def files(self, config: DataConfig) -> list[Path]:
        """Returns the training and the test file."""
        names = {"train_file": config.train_file, "test_file": config.test_file}
        for flag, name in names.items():
            if not (config.raw_path / name).is_file():
                raise InputError(
                    "`--raw_dir` must be a folder with the files "
                    f"{' and '.join(names.values())}. Received: "
                    f"{config.raw_path}, without {name} (`--{flag}`)."
                )
        return [config.raw_path / name for name in names.values()]

    def read(self, engine: Engine, config: DataConfig) -> Log:
        """Returns the interactions, those of the test file `held_out`."""
        train, test = (
            self._lines(engine, name, path)
            for name, path in zip(
                ("train", "test"), self.files(config), strict=True
            )
        )
        _check_items(train, test, config)
        last = train.position.max().to_pyarrow().as_py() or 0
        lines = train.mutate(held_out=False).union(
            test.mutate(held_out=True, position=test.position + last + 1)
        )
        return Log(engine.store("interactions", spread(lines)), None)

    def _lines(self, engine: Engine, name: str, path: Path) -> ir.Table:
        """Reads `position`, `sequence` and `items` of a file's lines."""
        raw = Lines(path)
        lines = raw.table(engine)
        number = (lines.position + 1).cast("string")
        lines = lines.select(
            "position",
            sequence=ibis.literal(f"{name} ") + number,
            items=lines.line.strip().re_split(r"\s+"),
        )
        return store(engine, f"{name}_lines", lines, raw)


def _check_items(train: ir.Table, test: ir.Table, config: DataConfig) -> None:
    """Raises if no item of the test is one of the training.

    Then the files are not of one catalogue, and all targets would be missed.
    """
    items, known = (
        lines.select(item=lines["items"].unnest()).distinct()
        for lines in (test, train)
    )
    if known.semi_join(items, "item").count().to_pyarrow().as_py():
        return
    raise InputError(
        f"`--test_file` must have sessions of items that {config.train_file} "
        f"has. Received: {config.test_file}, with "
        f"{items.count().to_pyarrow().as_py()} items, none of them there."
    )
