"""Configuration: frozen dataclasses, and the absl flags derived from them.

Each room keeps one frozen dataclass for its concern and describes every field
with `setting`. The commands call `define_flags` and `from_flags`, so a setting
is written once: its default, help text and bounds serve the flag, the Python
API and the JSON that a run directory keeps.
"""

import dataclasses
import inspect
import numbers
import os
import types
import typing
from collections.abc import Sequence
from typing import Any

from absl import flags

from tfrec.errors import InputError, nearest_names


def setting(
    default: Any,
    help: str,
    *,
    choices: Sequence[str] | None = None,
    minimum: float | None = None,
    above: float | None = None,
    maximum: float | None = None,
    below: float | None = None,
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
    """
    bounds = {
        "choices": tuple(choices) if choices else None,
        "minimum": minimum,
        "above": above,
        "maximum": maximum,
        "below": below,
    }
    return dataclasses.field(default=default, metadata={"help": help, **bounds})


class Settings:
    """Base of the configuration dataclasses: checks every field's bounds.

    A subclass of a configuration may give a setting a default of its own,
    `length: int = 30`; the rest is inherited.
    """

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
            for element in value:
                _check(field, element)

    def refuse_unless(
        self, name: str, choice: str, values: Sequence[str]
    ) -> None:
        """Refuses a setting that only some choices of another one read.

        Args:
            name: The setting. Its default passes.
            choice: The setting that makes the choice.
            values: The choices that read it.

        Raises:
            InputError: If it is set and another choice is made.
        """
        value, chosen = getattr(self, name), getattr(self, choice)
        if chosen in values or value == getattr(type(self), name):
            return
        raise InputError(
            f"`--{name}` means nothing with --{choice}={chosen}. Remove it, or "
            f"set --{choice}={' or '.join(values)}. Received: {value}."
        )

    def to_dict(self) -> dict[str, Any]:
        """Returns the settings as plain JSON values."""
        values = dataclasses.asdict(self)
        return {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in values.items()
        }

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


def define_flags(
    *configs: type[Settings],
    required: Sequence[str] = (),
    flag_values: flags.FlagValues = flags.FLAGS,
) -> None:
    """Defines one absl flag for each field of the given dataclasses.

    A field that several dataclasses share becomes one flag; its help names
    each default. A flag left alone is None, which `from_flags` reads as "the
    dataclass's own default".

    Args:
        *configs: Configuration dataclasses.
        required: Names of flags that must be given.
        flag_values: The flag registry; the process-wide one by default.
    """
    owners: dict[str, list[tuple[type, dataclasses.Field]]] = {}
    for config in configs:
        for field in dataclasses.fields(config):
            owners.setdefault(field.name, []).append((config, field))
    for name, owned in owners.items():
        kind, is_list = _kind(owned[0][1])
        if is_list:
            define = flags.DEFINE_list
        else:
            define = {
                bool: flags.DEFINE_boolean,
                int: flags.DEFINE_integer,
                float: flags.DEFINE_float,
            }.get(kind, flags.DEFINE_string)
        define(
            name,
            None,
            _help(owned),
            flag_values=flag_values,
            # `--help` groups the flags by it.
            module_name=owned[0][0].__name__,
        )
    for name in required:
        flags.mark_flag_as_required(name, flag_values=flag_values)


def _help(owned: list[tuple[type, dataclasses.Field]]) -> str:
    """Writes a flag's help: its text, its choices and its defaults."""
    field = owned[0][1]
    parts = [field.metadata["help"]]
    if field.metadata["choices"]:
        parts.append(f"One of: {', '.join(field.metadata['choices'])}.")
    defaults = {owner.__name__: f.default for owner, f in owned}
    shown = {str(default) for default in defaults.values()}
    if shown == {""}:  # The help says what an empty text means.
        pass
    elif len(shown) == 1:
        parts.append(f"Default: {shown.pop()}.")
    else:
        each = ", ".join(f"{d} ({owner})" for owner, d in defaults.items())
        parts.append(f"Default: {each}.")
    return " ".join(parts)


def from_flags(
    config: type[Settings], flag_values: flags.FlagValues = flags.FLAGS
) -> Settings:
    """Builds a configuration from the flags that the user gave.

    Raises:
        InputError: If a value is out of bounds.
    """
    values = {}
    for field in dataclasses.fields(config):
        value = flag_values[field.name].value
        if value is None:
            continue
        kind, is_list = _kind(field)
        if is_list:
            value = tuple(_parse(field, kind, text) for text in value)
        values[field.name] = value
    return config(**values)


def _parse(field: dataclasses.Field, kind: type, text: str) -> Any:
    try:
        return kind(text)
    except ValueError:
        raise InputError(
            f"`--{field.name}` must be a comma-separated list of "
            f"{kind.__name__}. Received: {text!r}."
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
    known = {f.name for c in chosen for f in dataclasses.fields(c)}
    for config in others:
        for field in dataclasses.fields(config):
            given = flag_values[field.name].value is not None
            if given and field.name not in known:
                raise InputError(
                    f"`--{field.name}` is a setting of {config.__name__} and "
                    f"means nothing with {choice}. Remove it."
                )
