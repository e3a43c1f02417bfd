"""The list of one user, who is in the dataset."""

from tfrec.data.histories import Histories
from tfrec.errors import InputError
from tfrec.lists.config import SourceConfig
from tfrec.lists.sources import open_source
from tfrec.training.run import Recommendation


def recommend_to(user: str, config: SourceConfig) -> list[Recommendation]:
    """Recommends to a user, after all that the dataset has of them.

    Args:
        user: The id in the raw log; with next_click that of a session.
        config: What answers.

    Returns:
        The best items, best first.

    Raises:
        InputError: If the dataset does not have the user, or see
            `open_source`.
    """
    source = open_source(config)
    data = source.data
    everybody = Histories(data, [user])
    if everybody.missing:
        raise InputError(
            f"`--sequence` must be an id of {data.data_dir}, such as "
            f"{', '.join(some_names(data))}. Received: {user}."
        )
    ((_, histories),) = everybody.blocks(1)
    (listed,) = source.best(histories)
    return [
        Recommendation(item, data.titles.get(item, ""), score)
        for item, score in zip(listed.items, listed.scores, strict=True)
    ]


def some_names(data, count: int = 3) -> list[str]:
    """Returns the ids of the first few of a dataset."""
    _, histories = next(Histories(data).blocks(count), (0, []))
    return [history.name for history in histories]
