"""The settings of every model, one file each.

They are apart from the models because flags and help are made from them, which
must not wait for TensorFlow: nothing in here may import it.
"""
