"""Protocols: what is held out, how it is divided and what is ranked.

All that depends on the protocol is in this package, one class for each value
of `--protocol`. The classes are light: flags and help are made from them. What
needs Ibis, TensorFlow or Arrow is imported where it is used.
"""

from typing import TYPE_CHECKING

from tfrec.data.protocols.base import Protocol
from tfrec.data.protocols.holdout import Holdout
from tfrec.data.protocols.leave_one_out import LeaveOneOut
from tfrec.data.protocols.next_click import NextClick
from tfrec.data.protocols.temporal import Temporal

if TYPE_CHECKING:
    from tfrec.data.config import DataConfig

__all__ = ["PROTOCOLS", "Protocol", "get_protocol"]

PROTOCOLS: dict[str, type[Protocol]] = {
    kind.name: kind for kind in (Holdout, LeaveOneOut, NextClick, Temporal)
}


def get_protocol(config: "DataConfig") -> Protocol:
    """Returns the protocol that `config.protocol` names, with its settings."""
    return PROTOCOLS[config.protocol](config)
