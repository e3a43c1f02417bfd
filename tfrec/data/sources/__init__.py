"""The raw dataset formats, by the name that `--dataset` takes."""

import importlib

from tfrec.data.sources.base import Source

__all__ = ["Source", "get_source"]

_HOMES = {
    "synthetic": ("tfrec.data.sources.synthetic", "SyntheticSource"),
}


def get_source(name: str) -> Source:
    """Returns the source of a dataset, a name of `config.DATASETS`."""
    module, kind = _HOMES[name]
    return getattr(importlib.import_module(module), kind)(name)
