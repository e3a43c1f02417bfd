"""Training runs: resumable, measured, in one directory each."""

import importlib
from typing import Any

_HOMES = {
    "Run": "tfrec.training.run",
    "TrainingConfig": "tfrec.training.config",
    "load_run": "tfrec.training.run",
    "metric_table": "tfrec.training.tables",
    "report": "tfrec.training.tables",
    "train": "tfrec.training.fitting",
}
__all__ = list(_HOMES)


def __getattr__(name: str) -> Any:
    # Loaded on first use: `--help` must not wait for TensorFlow.
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)
