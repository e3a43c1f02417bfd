"""Variational sequential recommendation on TensorFlow."""

__version__ = "0.1.0"
