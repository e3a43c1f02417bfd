"""Posteriors q(z | x), each given noise a draw at every position."""

import importlib
from typing import Any

from tfrec.layers.posteriors.base import BesideContext, Draw, Posterior
from tfrec.layers.posteriors.implicit import ImplicitPosterior
from tfrec.layers.posteriors.recurrent import RecurrentPosterior

__all__ = [
    "BesideContext",
    "Draw",
    "FlowPosterior",
    "ImplicitPosterior",
    "Posterior",
    "Recognition",
    "RecurrentPosterior",
]


_MODULES = {"FlowPosterior": "flow", "Recognition": "recognition"}


def __getattr__(name: str) -> Any:
    # Loaded on first use: most models need no flow, hence no TFP.
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = importlib.import_module(f"{__name__}.{_MODULES[name]}")
    return getattr(module, name)
