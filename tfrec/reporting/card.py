"""The card of a run: data, protocol, settings, versions, command."""

import shlex
from collections.abc import Mapping
from typing import Any

from tfrec.data import DataConfig
from tfrec.data.summary import card as data_card
from tfrec.durations import duration
from tfrec.models import get_entry
from tfrec.settings import Settings
from tfrec.table_text import Table
from tfrec.training.config import TrainingConfig
from tfrec.training.description import MEASURED
from tfrec.training.run import Run
from tfrec.training.tables import report
from tfrec.web_page import escape, heading, note


def card(
    run: Run, saved: Mapping[str, Any], numbers: Mapping[str, Any] | None
) -> list[str]:
    """Returns the card.

    Args:
        run: The run.
        saved: What `config.json` holds.
        numbers: What `metrics.json` holds; None for a run without a test.
    """
    entry = get_entry(run.config.model)
    about = ": ".join(filter(None, (entry.paper, entry.summary)))
    parts = [
        note(f"{entry.class_name}. {about}." if about else entry.class_name)
    ]
    if numbers:
        text = report({**numbers, MEASURED: saved.get(MEASURED)})
        parts += [
            f"<pre>{escape(text)}</pre>",
            Table("The run", ["", ""], _facts(numbers)).fragment(),
        ]
    else:
        parts.append(note("This run has no numbers of a test yet."))
    parts += [
        heading("How to train it again"),
        f"<pre>{escape(command(saved))}</pre>",
        heading("The data"),
        f"<pre>{escape(data_card(run.data))}</pre>",
        "<details><summary>All settings</summary>",
        Table("Settings", ["setting", "value"], _settings(saved)).fragment(),
        "</details>",
    ]
    return parts


def command(saved: Mapping[str, Any]) -> str:
    """Returns the command that trains a run, a flag in each line.

    Args:
        saved: What `config.json` holds.
    """
    training = TrainingConfig.from_dict(saved["training"])
    configs: list[Settings] = [
        training,
        DataConfig.from_dict(saved["data"]),
        get_entry(training.model).config_class.from_dict(saved["model"]),
    ]
    # Each once: some settings are of several concerns.
    flags = dict.fromkeys(f for c in configs for f in c.given_flags())
    return " \\\n    ".join(["tfrec train", *map(shlex.quote, flags)])


def _facts(numbers: Mapping[str, Any]) -> list[list[str]]:
    best = numbers["best_epoch"]
    facts = {
        "parameters": f"{numbers['parameters']:,}",
        "epochs": f"{numbers['epochs']:,}, {numbers['steps']:,} steps",
        "tested"
        if "metrics" in numbers
        else "selected": f"epoch {best}, the best"
        if best
        else "the last epoch",
        **({"start": numbers["origin"]} if "origin" in numbers else {}),
        "time": duration(numbers["wall_seconds"]),
        "seed": str(numbers["seed"]),
        "checksum of the data": numbers["data_checksum"],
        **{f"version of {k}": v for k, v in numbers["versions"].items()},
    }
    return [[name, value] for name, value in facts.items()]


def _settings(saved: Mapping[str, Any]) -> list[list[str]]:
    return [
        [f"--{name}", ",".join(map(str, v)) if isinstance(v, list) else str(v)]
        for section in ("training", "model", "data")
        for name, v in saved[section].items()
    ]
