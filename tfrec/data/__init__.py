"""Raw logs in, prepared datasets and tf.data pipelines out."""

import importlib
from typing import Any

_HOMES = {
    "DataConfig": "tfrec.data.config",
    "append": "tfrec.data.appending",
    "card": "tfrec.data.summary",
    "prepare": "tfrec.data.preparation",
    "PreparedDataset": "tfrec.data.prepared",
    "Vocabulary": "tfrec.data.vocabulary",
}
__all__ = list(_HOMES)


def __getattr__(name: str) -> Any:
    # Loaded on first use: `--help` must not wait for TensorFlow and DuckDB.
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)
