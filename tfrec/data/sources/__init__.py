"""The raw dataset formats, by the name that `--dataset` takes."""

import importlib

from tfrec.data.datasets import DATASETS
from tfrec.data.sources.base import Source

__all__ = ["Source", "get_source"]


def get_source(name: str) -> Source:
    """Returns the source of a dataset, a name of `DATASETS`."""
    dataset = DATASETS[name]
    # Loaded on use: a source may need what another does not.
    module = importlib.import_module(f"tfrec.data.sources.{dataset.module}")
    return getattr(module, dataset.class_name)(name)
