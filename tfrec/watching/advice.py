"""What is said of what was found: what changed, by how much, what to do."""

from tfrec.watching.comparing import (
    EMPTY,
    HISTORY_ITEMS,
    LENGTHS,
    LIST_ITEMS,
    LOST,
    MARGIN,
    TOP_SCORE,
    UNKNOWN_ITEMS,
    UNKNOWN_USERS,
)
from tfrec.watching.drift import Counted, Shift
from tfrec.watching.watching import Watched

# Below this, the answers of the log and of the model asked again differ.
_AGREEING = 0.95
# A coverage that is so much smaller.
_HALF = 0.5

_SHARES = {
    UNKNOWN_ITEMS: "The model skips them. See the most frequent ones: new "
    "items need a training on newer data, others a client that sends the ids "
    "of the training.",
    EMPTY: "They get the most popular items. Find which client asks without "
    "a history.",
    LOST: "They get the most popular items. New users of new items need a "
    "training on newer data, others a client that sends the ids of the "
    "training.",
    UNKNOWN_USERS: "They are answered as the mean of all users. Train on newer "
    "data.",
}
_SHIFTS = {
    LENGTHS: "Find whether clients cut histories, or send more than before; if "
    "users changed, train and test on newer data.",
    HISTORY_ITEMS: "Interests moved: train on newer data.",
    TOP_SCORE: "If the histories moved too, train on newer data; if not, "
    "compare this version with its run (`tfrec promote`).",
    MARGIN: "Read it with the score of the first item.",
    LIST_ITEMS: "If the histories moved too, train on newer data; if not, "
    "compare this version with its run (`tfrec promote`).",
}


def findings(watched: Watched) -> list[str]:
    """Returns what a person should look at, the shares first."""
    found = _of_answers(watched)
    found += [_of_share(s) for s in watched.shares if s.verdict == "much"]
    found += [
        _of_shift(shift, watched.pool)
        for shift in watched.shifts
        if shift.verdict in ("some", "large")
    ]
    return found + _of_coverage(watched)


def _of_answers(watched: Watched) -> list[str]:
    same, asked = watched.agreeing
    if not asked or same >= _AGREEING * asked:
        return []
    return [
        f"Of {asked} histories of the log, {watched.of} recommends the same "
        f"first item to {same}. Version {watched.version} may not be this "
        "model; its scores and lists are then not comparable."
    ]


def _of_share(one: Counted) -> str:
    low, high = one.share.interval()
    name = one.name[0].upper() + one.name[1:]
    return (
        f"{name}: {one.share.value:.1%} [{low:.1%}, {high:.1%}]. "
        f"{_SHARES[one.name]}"
    )


def _of_shift(shift: Shift, pool: str) -> str:
    moved = _most_moved(shift, pool)
    if shift.quantiles:
        before, now = (
            f"{each:,}" if isinstance(each, int) else f"{each:.2f}"
            for each in (found[len(found) // 2] for found in shift.quantiles)
        )
        moved = f"half have up to {now}, in the {pool} {before}"
    name = shift.name[0].upper() + shift.name[1:]
    size = "a large shift" if shift.verdict == "large" else "some shift"
    return (
        f"{name}: {size}, PSI {shift.psi:.3f}; {moved}. {_SHIFTS[shift.name]}"
    )


def _most_moved(shift: Shift, pool: str) -> str:
    """Says which bin moved most."""
    totals = sum(shift.before), sum(shift.now)
    shares = [
        (name, before / totals[0], now / totals[1])
        for name, before, now in zip(
            shift.bins, shift.before, shift.now, strict=True
        )
    ]
    name, before, now = max(shares, key=lambda each: abs(each[2] - each[1]))
    return f"{now:.1%} are of the {name}, in the {pool} {before:.1%}"


def _of_coverage(watched: Watched) -> list[str]:
    if not watched.shown:
        return []
    before, now = (each.coverage for each in watched.shown)
    enough = all(
        shift.enough for shift in watched.shifts if shift.name == LIST_ITEMS
    )
    if not enough or now >= _HALF * before:
        return []
    return [
        f"The lists hold {now:.1%} of the items, and as many of the "
        f"{watched.pool} {before:.1%}. Find whether requests repeat, or users "
        "became alike."
    ]
