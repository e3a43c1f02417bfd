"""Settings of Blend."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from tfrec.errors import InputError
from tfrec.settings import Settings, setting


@dataclasses.dataclass(frozen=True)
class BlendConfig(Settings):
    """Settings of Blend."""

    members: tuple[str, ...] = setting(
        (),
        "Folders of the finished runs to blend, comma-separated; on the same "
        "data and with the same --fit_on as this run.",
        required=True,
    )
    weights: tuple[float, ...] = setting(
        (),
        "Weight of each member's log-probability. Empty: those with the best "
        "--validation_metric, which needs --fit_on=train.",
        minimum=0.0,
    )
    parts: tuple[Mapping[str, Any], ...] = setting(
        (),
        "Name and settings of each member's model, read from its run.",
        flag=False,
    )

    def __post_init__(self):
        super().__post_init__()
        count = len(self.parts or self.members)
        if self.weights and count and len(self.weights) != count:
            raise InputError(
                f"`--weights` must be one number for each of the {count} "
                f"members. Received: {len(self.weights)} numbers."
            )
        if self.weights and not any(self.weights):
            raise InputError(
                "`--weights` must have a number above 0. Received: "
                f"{', '.join(map(str, self.weights))}."
            )

    @property
    def max_length(self) -> int:
        """Items of a history that a member reads, of the one with most."""
        lengths = (_settings(part).max_length for part in self.parts)
        return max(lengths, default=0)


def _settings(part: Mapping[str, Any]) -> Any:
    """Returns the settings of a member, a blend's too."""
    # Not above: the registry imports the settings of models.
    from tfrec.models.registry import get_entry

    return get_entry(part["model"]).config_class.from_dict(part["settings"])
