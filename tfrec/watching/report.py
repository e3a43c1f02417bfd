"""What was found, as text, as JSON and as a page."""

import datetime
import json
import textwrap
from collections.abc import Mapping, Sequence

from tfrec.charts import Series, bar_chart
from tfrec.table_text import Table
from tfrec.watching.advice import findings
from tfrec.watching.drift import QUANTILES, Counted, Shift
from tfrec.watching.reference import WHOLE
from tfrec.watching.served import Hour, Served
from tfrec.watching.values import values
from tfrec.watching.watching import Watched
from tfrec.web_page import heading, note, page

_NOTHING = "Nothing moved that stands out."
_TOO_FEW = "too few"
_WIDTH = 78
# Hours, or days, that are shown.
_MOST_PERIODS = 48


def as_text(watched: Watched) -> str:
    """Returns the tables and what to look at, for a terminal."""
    parts = [table.render("text") for table in _tables(watched)]
    said = [textwrap.fill(text, _WIDTH) for text in _said(watched)]
    return "\n\n".join([*parts, *said])


def as_page(watched: Watched) -> str:
    """Returns an HTML document: what to look at, tables and pictures."""
    parts = [heading("What to look at")]
    parts += [note(text) for text in _said(watched)]
    traffic, *tables = _tables(watched)
    parts += [heading("Requests"), traffic.fragment()]
    parts += [heading(f"Requests now, and the {watched.pool}")]
    parts += [table.fragment() for table in tables]
    parts.append(heading("Distributions"))
    parts += [_chart(shift, watched.pool) for shift in watched.shifts]
    return page(f"Requests to {watched.name}", parts)


def as_json(watched: Watched) -> str:
    """Returns everything that was counted."""
    return json.dumps(values(watched), indent=2, ensure_ascii=False)


def _said(watched: Watched) -> list[str]:
    found = findings(watched)
    few = [
        one.name
        for one in (*watched.shares, *watched.shifts)
        if one.verdict == _TOO_FEW
    ]
    if few:
        found.append(
            f"Too few requests for a verdict (`--min_rows`): {'; '.join(few)}."
        )
    return found or [_NOTHING]


def _tables(watched: Watched) -> list[Table]:
    found = [_traffic(watched), _shares(watched.shares), _shifts(watched)]
    periods = _periods(watched.served.hours)
    if len(periods) > 1:
        found.append(_over_time(periods))
    if any(shift.quantiles for shift in watched.shifts):
        found.append(_quantiles(watched))
    if watched.shown:
        found.append(_lists(watched))
    if watched.unknown:
        found.append(_unknown(watched))
    if watched.risen:
        found.append(_risen(watched))
    return found


def _traffic(watched: Watched) -> Table:
    rows = [
        [
            f"{version}{' *' * (version == watched.version)}",
            signature,
            f"{served.requests[signature]:,}",
            f"{served.rows[signature]:,}",
        ]
        for version, served in watched.versions.items()
        for signature in sorted(served.requests)
    ]
    served = watched.served
    text = (
        f"* is watched: {_period(served)}, logged of about "
        f"{served.sampling:,.0f} requests. Compared with the "
        f"{watched.pool} of {watched.data_dir} "
        f"({watched.lengths:,} histories)"
    )
    if watched.asked:
        text += (
            f", and with what {watched.of} recommends to {watched.asked:,} of "
            "them"
        )
    notes = [f"{text}."]
    if watched.pool == WHOLE:
        notes.append(
            "The dataset has no test: whole sequences stand for it, on which "
            "the model was trained, so that it is surer of them."
        )
    head = ["version", "signature", "requests", "rows"]
    return Table(f"Requests to {watched.name}", head, rows, notes)


def _period(served: Served) -> str:
    if not served.first:
        return "at times that the log does not say"
    first, last = (
        f"{_time(each):%Y-%m-%d %H:%M}" for each in (served.first, served.last)
    )
    return f"{first} to {last} UTC"


def _time(seconds: int) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc)


def _periods(hours: Mapping[int, Hour]) -> dict[str, Hour]:
    """Returns the hours, or, of more than two days, the days, in order."""
    days = bool(hours) and max(hours) - min(hours) > 2 * 86_400
    form = "%Y-%m-%d" if days else "%Y-%m-%d %H:00"
    found: dict[str, Hour] = {}
    for start in sorted(hours):
        name = f"{_time(start):{form}}"
        found[name] = found.get(name, Hour()) + hours[start]
    return found


def _over_time(periods: Mapping[str, Hour]) -> Table:
    rows = [
        [
            name,
            f"{each.rows:,}",
            f"{each.unknown / each.items:.2%}" if each.items else "",
            f"{each.score / each.answers:.3f}" if each.answers else "",
        ]
        for name, each in periods.items()
    ]
    caption, head = "Over time", ["UTC", "rows", "unknown items", "mean score"]
    if len(rows) > _MOST_PERIODS:
        caption += f", the last {_MOST_PERIODS} of {len(rows)}"
    notes = ["mean score: of the first item of a list."]
    return Table(caption, head, rows[-_MOST_PERIODS:], notes)


def _shares(shares: Sequence[Counted]) -> Table:
    rows = []
    for one in shares:
        low, high = one.share.interval()
        rows.append(
            [
                one.name,
                f"{one.share.value:.2%}",
                f"[{low:.2%}, {high:.2%}]",
                f"{one.share.all:,.0f}",
                one.verdict,
            ]
        )
    head = ["", "share", "95% interval", "of", "verdict"]
    return Table("Shares", head, rows)


def _shifts(watched: Watched) -> Table:
    rows = []
    for shift in watched.shifts:
        distance = ["", ""]
        if shift.ks:
            distance = [f"{value:.3f}" for value in shift.ks]
        rows.append(
            [
                shift.name,
                f"{shift.psi:.3f}",
                f"{shift.by_chance:.3f}",
                *distance,
                shift.verdict,
            ]
        )
    return Table(
        f"Shifts against the {watched.pool}",
        ["", "PSI", "by chance", "KS", "by chance", "shift"],
        rows,
        [
            "PSI: up to 0.1 no shift, above 0.25 a large one, as a rule of "
            "thumb. KS: the largest distance between the two distribution "
            "functions. by chance: what 95% of samples of this size stay "
            "below without any shift."
        ],
    )


def _quantiles(watched: Watched) -> Table:
    rows = []
    for shift in watched.shifts:
        for name, found in zip(
            (watched.pool, "now"), shift.quantiles or (), strict=False
        ):
            cells = [
                f"{v:,}" if isinstance(v, int) else f"{v:.2f}" for v in found
            ]
            rows.append([f"{shift.name}, {name}", *cells])
    return Table("Quantiles", ["", *(f"{q:.0%}" for q in QUANTILES)], rows)


def _lists(watched: Watched) -> Table:
    rows = [
        [
            name,
            f"{each.coverage:.1%}",
            f"{each.gini:.3f}",
            f"{each.popularity:,.1f}",
        ]
        for name, each in zip((watched.pool, "now"), watched.shown, strict=True)
    ]
    count, length = watched.lists
    return Table(
        f"{count:,} lists of {length} items",
        ["", "coverage", "Gini", "popularity"],
        rows,
        [
            "coverage: the share of the items that are in a list. Gini: 0 "
            "where all are in as many, 1 where all lists are of one item. "
            "popularity: mean interactions, in training and validation, of an "
            "item shown."
        ],
    )


def _unknown(watched: Watched) -> Table:
    names = watched.served.unknown_names
    least = "" if names.complete else "at least "
    return Table(
        f"Unknown items: {least}{len(names):,} different; the most frequent",
        ["item", "times"],
        [[name, f"{times:,}"] for name, times in watched.unknown],
    )


def _risen(watched: Watched) -> Table:
    return Table(
        "Items of histories whose share grew most since the training",
        ["item", "then", "now", "title"],
        [
            [each.item, f"{each.before:.2%}", f"{each.now:.2%}", each.title]
            for each in watched.risen
        ],
    )


def _chart(shift: Shift, pool: str) -> str:
    series = [
        Series(name, shift.bins, [count / sum(counts) for count in counts])
        for name, counts in ((pool, shift.before), ("now", shift.now))
    ]
    return bar_chart(
        f"{shift.name[0].upper()}{shift.name[1:]}", series, "share"
    )


RENDERERS = {"text": as_text, "json": as_json, "html": as_page}
