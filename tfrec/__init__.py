"""Variational sequential recommendation on TensorFlow."""

from tfrec import quiet

__version__ = "0.1.0"

quiet.install()
