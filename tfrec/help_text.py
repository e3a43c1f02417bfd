"""What `--help` prints, made from the configuration dataclasses."""

import dataclasses
import textwrap
from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from tfrec.settings import Settings, flag_fields

_WIDTH = 78


class Listed(Protocol):
    """A model or a dataset that commands know."""

    name: str
    paper: str
    summary: str


def help_text(
    description: str,
    configs: Sequence[type[Settings]],
    models: Mapping[str, Listed],
    model: str | None,
) -> str:
    """Returns the help of a command.

    Args:
        description: What it does, with examples.
        configs: Its settings.
        models: Models that have settings of their own, by name.
        model: The one whose settings are shown; None: says how to see them.
    """
    parts = [description.strip()]
    for config in configs:
        parts.append(f"{_title(config)} settings:")
        parts += _settings(config)
    if model:
        chosen = models[model]
        about = ": ".join(filter(None, (chosen.paper, chosen.summary)))
        parts.append(f"{chosen.class_name} settings ({about}):")
        parts += _settings(chosen.config_class)
    elif models:
        parts.append(
            "Model settings, of which each model has its own: "
            "`--model=NAME --help` shows\nthem. NAME is one of:"
        )
        parts.append(table(models.values(), indent="  "))
    parts += [
        "Other:",
        _entry(
            "--flagfile",
            "A file of flags, one in each line. A flag of the command line "
            "wins over those of the file, wherever it stands. Of several "
            "files the later wins.",
        ),
        _entry("--help", "Show this text."),
    ]
    return "\n\n".join(parts)


def table(entries: Collection[Listed], indent: str = "") -> str:
    """Returns a list: the name of each entry, what it is, and its paper."""
    width = max(len(entry.name) for entry in entries) + 2
    return "\n".join(
        textwrap.fill(
            entry.summary + f" ({entry.paper})" * bool(entry.paper),
            _WIDTH,
            initial_indent=f"{indent}{entry.name:{width}}",
            subsequent_indent=indent + " " * width,
            break_on_hyphens=False,
        )
        for entry in entries
    )


def _title(config: type[Settings]) -> str:
    return config.__name__.removesuffix("Config")


def _settings(config: type[Settings]) -> list[str]:
    """Returns the text of every setting."""
    return [
        _entry(
            f"--{'[no]' * (field.type is bool)}{field.name}", describe(field)
        )
        for field in flag_fields(config)
    ]


def describe(field: dataclasses.Field) -> str:
    """Returns what a setting is, its choices and its default."""
    parts = [field.metadata["help"]]
    if field.metadata["choices"]:
        parts.append(f"One of: {', '.join(field.metadata['choices'])}.")
    if field.metadata["required"]:
        parts.append("Must be given.")
    elif field.default != "":  # The help says what an empty text means.
        default = field.default
        if isinstance(default, tuple):
            default = ",".join(map(str, default)) or "none"
        parts.append(f"Default: {default}.")
    return " ".join(parts)


def _entry(name: str, text: str) -> str:
    lines = textwrap.wrap(text, _WIDTH - 6, break_on_hyphens=False)
    return "\n".join([f"  {name}", *(f"      {line}" for line in lines)])
