"""Learning curves, and the terms of the objective, from `epochs.csv`."""

import csv
from pathlib import Path

from tfrec.charts import Series, line_chart
from tfrec.errors import InputError
from tfrec.web_page import heading, note

FILE_NAME = "epochs.csv"
_COUNTS = ("epoch", "step", "tokens_per_second", "steps_per_second")
# Not of the objective.
_DIAGNOSTICS = ("corr", "active_units", "collapsed")
_VALIDATION = "val_"


def curves(folder: Path) -> list[str]:
    """Returns a chart of the loss, of what was validated, and of each term.

    Args:
        folder: The run directory.

    Raises:
        InputError: If its file is damaged.
    """
    path = folder / FILE_NAME
    if not path.exists():
        return [heading("Learning"), note(f"There is no {FILE_NAME}.")]
    epochs, columns = read_epochs(path)
    if len(epochs) < 2:
        return [
            heading("Learning"),
            note("One epoch teaches all: there is no curve to draw."),
        ]
    kinds: dict[str, list[str]] = {
        "loss": [],
        "val": [],
        "term": [],
        "look": [],
    }
    for name, values in columns.items():
        if name in _COUNTS or not any(v is not None for v in values):
            continue
        if name == "loss":
            kinds["loss"].append(name)
        elif name.startswith(_VALIDATION):
            kinds["val"].append(name)
        else:
            kinds["look" if name in _DIAGNOSTICS else "term"].append(name)

    def chart(title: str, name: str) -> str:
        series = Series(name, epochs, columns[name])
        return line_chart(title, [series], "epoch", name)

    parts = [heading("Learning curves")]
    parts += [chart("Loss", name) for name in kinds["loss"]]
    parts += [
        chart(f"Validation: {name.removeprefix(_VALIDATION)}", name)
        for name in kinds["val"]
    ]
    if not kinds["val"]:
        parts.append(note("Nothing was validated (`--fit_on=all`)."))
    if kinds["term"]:
        parts.append(heading("Terms of the objective"))
        parts += [chart(name, name) for name in kinds["term"]]
    if kinds["look"]:
        parts.append(heading("The latents while training"))
        parts += [chart(name, name) for name in kinds["look"]]
    return parts


def read_epochs(
    path: Path,
) -> tuple[list[float], dict[str, list[float | None]]]:
    """Reads the file of one row for each epoch.

    Returns:
        The epochs, and each column; None where a number was not taken.

    Raises:
        InputError: If a cell is no number: which line, which column.
    """
    columns: dict[str, list[float | None]] = {}
    with open(path, encoding="utf-8", newline="") as file:
        for line, row in enumerate(csv.DictReader(file), 2):
            for name, text in row.items():
                try:
                    value = float(text) if text else None
                except (TypeError, ValueError):
                    raise InputError(
                        f"{path}, line {line}: `{name}` must be a number. "
                        f"Received: {text!r}."
                    ) from None
                columns.setdefault(name, []).append(value)
    epochs = columns.get("epoch", [])
    if None in epochs or len(set(map(len, columns.values()))) > 1:
        raise InputError(f"{path} is damaged: a row is cut short.")
    return epochs, columns
