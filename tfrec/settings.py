"""Configuration: frozen dataclasses, and the absl flags derived from them.

Each room keeps one frozen dataclass for its concern and describes every field
with `setting`. The commands call `define_flags` and `from_flags`, so a setting
is written once: its default, help text and bounds serve the flag, the Python
API and the JSON that a run directory keeps.
"""

import csv
import dataclasses
import inspect
import io
import numbers
import os
import types
import typing
from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

from absl import flags

from tfrec.errors import InputError, nearest_names

# Configurations that a message names, of those that have a setting.
_NAMED = 2


def setting(
    default: Any,
    help: str,
    *,
    choices: Sequence[str] | None = None,
    minimum: float | None = None,
    above: float | None = None,
    maximum: float | None = None,
    below: float | None = None,
    required: bool = False,
    flag: bool = True,
) -> Any:
    """Declares one field of a configuration dataclass.

    Args:
        default: Value when none is given. A tuple for a list setting.
        help: One sentence for `--help`, with the unit where there is one.
        choices: The allowed strings.
        minimum: Smallest allowed number.
        above: Number that the value must exceed.
        maximum: Largest allowed number.
        below: Number that the value must stay under.
        required: Whether a command must be given it.
        flag: Whether commands have it; otherwise the program sets it.
    """
    bounds = {
        "choices": tuple(choices) if choices else None,
        "minimum": minimum,
        "above": above,
        "maximum": maximum,
        "below": below,
    }
    metadata = {"help": help, "required": required, "flag": flag, **bounds}
    return dataclasses.field(default=default, metadata=metadata)


class Settings:
    """Base of the configuration dataclasses: checks every field's bounds.

    A subclass of a configuration may give a setting a default of its own,
    `length: int = 30`; the rest is inherited.

    Attributes:
        space: What `tfrec tune` draws of a model's settings, by name; see
            `tfrec.models.configs.space`.
    """

    space: ClassVar[dict[str, Any]] = {}

    def __init_subclass__(cls, **kwargs):
        super().__init_subclass__(**kwargs)
        for name in inspect.get_annotations(cls):
            inherited = getattr(cls, "__dataclass_fields__", {}).get(name)
            default = getattr(cls, name)
            if inherited and not isinstance(default, dataclasses.Field):
                field = dataclasses.field(
                    default=default, metadata=inherited.metadata
                )
                setattr(cls, name, field)

    def __post_init__(self):
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            # What a notebook and JSON give: lists and paths.
            if isinstance(value, list):
                value = tuple(value)
            elif isinstance(value, os.PathLike):
                value = os.fspath(value)
            object.__setattr__(self, field.name, value)
            if not _kind(field)[1]:
                _check(field, value)
                continue
            if not isinstance(value, tuple):
                raise InputError(
                    f"`--{field.name}` must be a list. Received: {value!r}."
                )
            if field.default and not value:
                raise InputError(
                    f"`--{field.name}` must have one value at least. Received: "
                    "none."
                )
            for element in value:
                _check(field, element)
        self.refuse_unused(
            field.name
            for field in dataclasses.fields(self)
            if getattr(self, field.name) != field.default
        )

    def unused(self) -> dict[str, str]:
        """Returns the settings that mean nothing beside the others, and why.

        Given all the same they are an error: nothing that a user asks for is
        silently ignored. In Python, where nobody can tell what was given, those
        that differ from their default were.

        Returns:
            By name, what comes after "means nothing": "with --loss=softmax".
        """
        return {}

    def unread(
        self, readers: Iterable[tuple[str, str, Sequence[str]]]
    ) -> dict[str, str]:
        """Returns which settings nothing reads, as `unused` does.

        Args:
            readers: A setting, another one that makes a choice, and the
                choices that read the first.
        """
        return {
            name: f"with --{choice}={getattr(self, choice)}"
            for name, choice, values in readers
            if getattr(self, choice) not in values
        }

    def refuse_unused(self, given: Iterable[str]) -> None:
        """Raises `InputError` if one of the settings given means nothing."""
        unused = self.unused()
        for name in given:
            if name in unused:
                raise InputError(
                    f"`--{name}` means nothing {unused[name]}. Remove it."
                )

    def to_dict(self) -> dict[str, Any]:
        """Returns the settings as plain JSON values."""
        values = dataclasses.asdict(self)
        return {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in values.items()
        }

    def given_flags(self) -> list[str]:
        """Returns the flags that give these settings, as `flag_text` does.

        Those at their default are left out.
        """
        return [
            flag_text(field.name, getattr(self, field.name))
            for field in flag_fields(type(self))
            if getattr(self, field.name) != field.default
        ]

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "Settings":
        """Builds settings from what `to_dict` returned.

        Raises:
            InputError: If a name is unknown or a value out of bounds.
        """
        fields = {field.name: field for field in dataclasses.fields(cls)}
        for name in values:
            if name not in fields:
                raise InputError(
                    f"Unknown setting '{name}' for {cls.__name__}."
                    f"{nearest_names(name, fields)}"
                )
        return cls(**values)


def flag_text(name: str, value: Any) -> str:
    """Returns a setting as a flag: `--epochs=9`, `--nodivide`.

    A flagfile reads it so; for a shell it has to be quoted.
    """
    if isinstance(value, bool):
        return f"--{'' if value else 'no'}{name}"
    if isinstance(value, (list, tuple)):
        # A value may have a comma.
        line = io.StringIO()
        csv.writer(line, lineterminator="").writerow(value)
        value = line.getvalue()
    return f"--{name}={value}"


def _check(field: dataclasses.Field, value: Any) -> None:
    """Raises `InputError` if `value` breaks the bounds of `field`."""
    bounds = field.metadata
    flag = f"`--{field.name}`"
    if value is None:
        return
    choices = bounds["choices"]
    if choices and value not in choices:
        raise InputError(
            f"{flag} must be one of {', '.join(choices)}. Received: {value}."
            f"{nearest_names(str(value), choices)}"
        )
    kind = _kind(field)[0]
    if kind in (int, float) and (
        isinstance(value, bool) or not isinstance(value, numbers.Real)
    ):
        raise InputError(f"{flag} must be a number. Received: {value!r}.")
    if kind is int and value % 1 != 0:  # NaN and infinity included.
        raise InputError(f"{flag} must be an integer. Received: {value!r}.")
    for name, holds, words in (
        ("minimum", lambda bound: value >= bound, "at least"),
        ("above", lambda bound: value > bound, "above"),
        ("maximum", lambda bound: value <= bound, "at most"),
        ("below", lambda bound: value < bound, "below"),
    ):
        # A NaN fails every comparison, so it is refused here as well.
        if bounds[name] is not None and not holds(bounds[name]):
            raise InputError(
                f"{flag} must be {words} {bounds[name]}. Received: {value}."
            )


def _kind(field: dataclasses.Field) -> tuple[type, bool]:
    """Returns the scalar type of a field and whether it is a list."""
    kind = field.type
    if isinstance(kind, types.UnionType):
        kind = next(k for k in typing.get_args(kind) if k is not type(None))
    if typing.get_origin(kind) is tuple:
        return typing.get_args(kind)[0], True
    return kind, False


def flag_fields(config: type[Settings]) -> list[dataclasses.Field]:
    """Returns the fields of a configuration that commands have as flags."""
    return [f for f in dataclasses.fields(config) if f.metadata["flag"]]


def define_flags(
    *configs: type[Settings], flag_values: flags.FlagValues = flags.FLAGS
) -> list[str]:
    """Defines one absl flag for each field of the given dataclasses.

    A field that several dataclasses share becomes one flag. A flag left alone
    is None, which `from_flags` reads as "the dataclass's own default".

    Args:
        *configs: Configuration dataclasses.
        flag_values: The flag registry; the process-wide one by default.

    Returns:
        The names of the flags.
    """
    fields: dict[str, dataclasses.Field] = {}
    for config in configs:
        for field in flag_fields(config):
            fields.setdefault(field.name, field)
    for name, field in fields.items():
        kind, is_list = _kind(field)
        if is_list:
            define = flags.DEFINE_list
        elif kind is bool:
            define = flags.DEFINE_boolean
        else:
            define = flags.DEFINE_string
        define(name, None, field.metadata["help"], flag_values=flag_values)
    return list(fields)


def from_flags(
    config: type[Settings], flag_values: flags.FlagValues = flags.FLAGS
) -> Settings:
    """Builds a configuration from the flags that the user gave.

    Raises:
        InputError: If a value is out of bounds, a required flag is missing, or
            a flag means nothing beside the others.
    """
    for field in flag_fields(config):
        if field.metadata["required"] and not flag_values[field.name].value:
            text = field.metadata["help"]
            raise InputError(
                f"`--{field.name}` must be given: {text[0].lower()}{text[1:]}"
            )
    values = given_values(config, flag_values)
    built = config(**values)
    # At their defaults as well, which the configuration cannot tell.
    built.refuse_unused(values)
    return built


def given_values(
    config: type[Settings], flag_values: flags.FlagValues = flags.FLAGS
) -> dict[str, Any]:
    """Returns the settings that the user gave as flags, by name.

    Raises:
        InputError: If a value is not of the right type.
    """
    values = {}
    for field in flag_fields(config):
        value = flag_values[field.name].value
        if value is None:
            continue
        kind, is_list = _kind(field)
        if is_list:
            value = tuple(_parse(field, kind, text) for text in value)
        elif kind is not bool:
            value = _parse(field, kind, value)
        values[field.name] = value
    return values


def _parse(field: dataclasses.Field, kind: type, text: str) -> Any:
    """Returns the value that a text on the command line stands for."""
    try:
        return kind(text)
    except ValueError:
        wanted = {int: "an integer", float: "a number"}[kind]
        if _kind(field)[1]:
            wanted = f"a comma-separated list, each of it {wanted}"
        raise InputError(
            f"`--{field.name}` must be {wanted}. Received: {text!r}."
        ) from None


def refuse_foreign_flags(
    chosen: Sequence[type[Settings]],
    others: Sequence[type[Settings]],
    choice: str,
    flag_values: flags.FlagValues = flags.FLAGS,
) -> None:
    """Raises if a flag was given that only other configurations have.

    Args:
        chosen: The dataclasses in force.
        others: Every dataclass whose flags were defined.
        choice: What was chosen, for the message: "--model=pop".
        flag_values: The flag registry.

    Raises:
        InputError: Naming the flag and the configurations that have it.
    """
    known = {f.name for c in chosen for f in flag_fields(c)}
    for config in others:
        for field in flag_fields(config):
            given = flag_values[field.name].value is not None
            if given and field.name not in known:
                having = [
                    c.__name__.removesuffix("Config")
                    for c in others
                    if field.name in {f.name for f in flag_fields(c)}
                ]
                more = len(having) - _NAMED
                shown = ", ".join(having[:_NAMED])
                raise InputError(
                    f"`--{field.name}` is a setting of {shown}"
                    f"{f' and {more} more' if more > 0 else ''} and means "
                    f"nothing with {choice}. Remove it."
                )
