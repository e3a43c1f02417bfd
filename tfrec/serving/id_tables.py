"""Tables between ids and their numbers, from a file with one id a line."""

from pathlib import Path

import tensorflow as tf

_LINE = tf.lookup.TextFileIndex.WHOLE_LINE
_NUMBER = tf.lookup.TextFileIndex.LINE_NUMBER


def numbers_of_ids(path: Path) -> tf.lookup.StaticHashTable:
    """Returns the table from an id to its line, from 0; -1 for none."""
    initializer = tf.lookup.TextFileInitializer(
        str(path), tf.string, _LINE, tf.int64, _NUMBER
    )
    return tf.lookup.StaticHashTable(initializer, default_value=-1)


def ids_of_numbers(path: Path) -> tf.lookup.StaticHashTable:
    """Returns the table from a line, from 0, to its id; "" for none."""
    initializer = tf.lookup.TextFileInitializer(
        str(path), tf.int64, _NUMBER, tf.string, _LINE
    )
    return tf.lookup.StaticHashTable(initializer, default_value="")
