"""The models, by name."""

import importlib
from typing import Any

from tfrec.models.registry import MODELS, get_entry, get_model

_HOMES = {
    "Recommender": "tfrec.models.base.recommender",
    **{e.class_name: f"tfrec.models.{e.name}" for e in MODELS.values()},
    **{
        f"{e.class_name}Config": f"tfrec.models.configs.{e.name}"
        for e in MODELS.values()
    },
}
__all__ = ["MODELS", "get_entry", "get_model", *_HOMES]


def __getattr__(name: str) -> Any:
    # Loaded on first use: `--help` must not wait for TensorFlow.
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)
