"""Optimizers that Keras does not have."""

from tfrec.optimizers.lazy_adamw import LazyAdamW, catch_up

__all__ = ["LazyAdamW", "catch_up"]
