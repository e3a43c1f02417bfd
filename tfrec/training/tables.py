"""How numbers are printed: one table, under the protocol they hold for."""

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

_TITLES = {"recall": "Recall", "ndcg": "NDCG", "mrr": "MRR"}


def title_of(metric: str) -> str:
    """Returns the metric as it is shown: "NDCG@10" of "ndcg@10"."""
    name, at, cutoff = metric.partition("@")
    return _TITLES.get(name, name) + at + cutoff


def estimated(values: Sequence[float], ends: Sequence[float]) -> str:
    """Returns a metric as a table shows it: ".0956 ± .0027 [.0831, .1094]".

    Args:
        values: One for each seed; the deviation is that of several.
        ends: Of its interval.
    """
    text = short(statistics.mean(values))
    if len(values) > 1:
        text += f" ± {short(statistics.stdev(values))}"
    low, high = ends
    return f"{text} [{short(low)}, {short(high)}]"


def short(value: float) -> str:
    """Returns ".0956" of 0.09561."""
    return f"{value:.4f}".removeprefix("0")


def report(
    result: Mapping[str, Any], best: Mapping[str, float] | None = None
) -> str:
    """Returns the split, the protocol and a table of the metrics.

    Of a run without a test it says so, and which run measured it.

    Args:
        result: What `Run.evaluate` or `train` returned.
        best: See `metric_table`.

    Example:

        test: holdout 0.2, history excluded, 2000 users
                    @5     @10     @20
        Recall  0.3767  0.6333  0.8817
        NDCG    0.4423  0.5479  0.6604
        MRR     0.6607  0.6694  0.6701
    """
    if "metrics" not in result:
        if "no_test" not in result:
            return "No test score: the test split was not read (--notest)."
        return untested(result["no_test"], result.get("measured_by"))
    protocol = f"{result['split']}: {result['protocol']}"
    return f"{protocol}\n{metric_table(result['metrics'], best)}"


def untested(no_test: str, measured: Mapping[str, Any] | None) -> str:
    """Returns what there is to say of a run without a test, in lines.

    Args:
        no_test: The flag by which its data has none.
        measured: What `tfrec.training.measured.measure` returned.
    """
    text = f"No test score: nothing was held out for a test ({no_test})."
    if measured is None:
        return (
            f"{text} Name the run that measured the same settings by "
            "--measured_by=RUN."
        )
    differences = "; ".join(measured["differences"]) or "none"
    return (
        f"{text} Measured by {measured['run']}, on {measured['protocol']}:\n"
        f"{metric_table(measured['metrics'])}\n"
        f"Settings that differ: {differences}."
    )


def metric_table(
    metrics: Mapping[str, float], best: Mapping[str, float] | None = None
) -> str:
    """Returns a row for each metric and a column for each cutoff.

    Args:
        metrics: Values by name and cutoff, such as "recall@10". A metric that
            was not taken at one of the cutoffs has no number there.
        best: The best that can be expected, where that is known: in a column
            beside each.
    """
    rows: dict[str, dict[str, str]] = {}
    for key, value in metrics.items():
        name, cutoff = key.split("@")
        row = rows.setdefault(name, {})
        row[f"@{cutoff}"] = f"{value:.4f}"
        if best:
            row[f"best@{cutoff}"] = f"{best[key]:.4f}" if key in best else ""
    columns = list(dict.fromkeys(c for row in rows.values() for c in row))
    titles = [title_of(name) for name in rows]
    width = max(map(len, titles))
    lines = [["", *columns]] + [
        [title, *(row.get(column, "") for column in columns)]
        for title, row in zip(titles, rows.values(), strict=True)
    ]
    widths = [max(8, len(column) + 2) for column in columns]
    return "\n".join(
        first.ljust(width)
        + "".join(f"{c:>{w}}" for c, w in zip(rest, widths, strict=True))
        for first, *rest in lines
    )
