"""What is known beside the network, added to its logits block by block."""

from collections.abc import Callable
from typing import NamedTuple

import tensorflow as tf


class Evidence(NamedTuple):
    """A term of the logits at n positions: gate times evidence.

    Attributes:
        gates: float32 `[n]`; gradients pass.
        block: Given the positions `start` and `stop` of a block, int32, and
            what it returned with the block before, zeros `[num_items]` at
            first, returns the evidence of the block, float32 `[stop - start,
            num_items]`, and what to give it next. No gradients pass.
    """

    gates: tf.Tensor
    block: Callable[
        [tf.Tensor, tf.Tensor, tf.Tensor], tuple[tf.Tensor, tf.Tensor]
    ]
