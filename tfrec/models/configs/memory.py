"""Settings of the transition memory beside a network."""

import dataclasses

from tfrec.settings import Settings, setting


@dataclasses.dataclass(frozen=True)
class MemoryConfig(Settings):
    """Settings of `TransitionMemory`, and of what it counts."""

    memory: str = setting(
        "none",
        "Add to each item's logit what the training log says follows the "
        "history. fixed: times --memory_scale. learned: times a number that "
        "is learned from there. gated: times one that depends on the state. "
        "With a memory evaluation scores all items at once, however many.",
        choices=("none", "fixed", "learned", "gated"),
    )
    memory_scale: float = setting(
        1.0, "Weight of the memory in a logit, when training starts.", above=0.0
    )
    memory_window: int = setting(
        20, "Items after an item that count as following it.", minimum=1
    )
    memory_pair_decay: float = setting(
        1.0,
        "Weight of an item in --memory_window, for 1 of the one before it.",
        above=0.0,
        maximum=1.0,
    )
    memory_decay: float = setting(
        0.87,
        "Weight of an item of the history, for 1 of the one after it.",
        above=0.0,
        maximum=1.0,
    )
    memory_row_power: float = setting(
        0.3,
        "A count is divided by the sum of its row, what followed the same "
        "item, to this power; with 1 it is a share.",
        minimum=0.0,
        maximum=1.0,
    )
    memory_item_power: float = setting(
        0.25,
        "And by the sum of its column, what the same item followed, to this "
        "power: the larger, the less popular items gain.",
        minimum=0.0,
        maximum=1.0,
    )
    memory_floor: float = setting(
        0.1,
        "Evidence that is weak: where it is so strong, for 1 of the mean pair "
        "of the log, the logit grows by the weight times log 2.",
        above=0.0,
    )

    def unused(self) -> dict[str, str]:
        """See base class."""
        own = [f.name for f in dataclasses.fields(MemoryConfig)]
        return super().unused() | self.unread(
            [
                (name, "memory", ("fixed", "learned", "gated"))
                for name in own[1:]
            ]
        )
