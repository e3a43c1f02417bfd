"""What was found, as plain values."""

from typing import Any

from tfrec.watching.advice import findings
from tfrec.watching.drift import QUANTILES
from tfrec.watching.watching import Watched


def values(watched: Watched) -> dict[str, Any]:
    """Returns what was found, as JSON can hold it."""
    served = watched.served
    same, asked = watched.agreeing
    return {
        "model": watched.name,
        "version": watched.version,
        "compared_with": {
            "model": watched.of,
            "data_dir": str(watched.data_dir),
            "histories": watched.pool,
            "count": watched.lengths,
            "asked": watched.asked,
        },
        "period": [served.first or None, served.last or None],
        "requests_sampled_from": round(served.sampling),
        "traffic": [
            {
                "version": version,
                "signature": signature,
                "requests": each.requests[signature],
                "rows": each.rows[signature],
            }
            for version, each in watched.versions.items()
            for signature in sorted(each.requests)
        ],
        "hours": {
            str(start): vars(hour) for start, hour in served.hours.items()
        },
        "answers_asked_again": {"same": same, "of": asked},
        "shares": [
            {
                "name": one.name,
                "share": one.share.value,
                "interval": one.share.interval(),
                "of": one.share.all,
                "verdict": one.verdict,
            }
            for one in watched.shares
        ],
        "shifts": [
            {
                "name": shift.name,
                "psi": shift.psi,
                "psi_by_chance": shift.by_chance,
                "ks": shift.ks and shift.ks[0],
                "ks_by_chance": shift.ks and shift.ks[1],
                "verdict": shift.verdict,
                "bins": shift.bins,
                "before": shift.before,
                "now": shift.now,
                "quantiles": shift.quantiles
                and {
                    "shares": QUANTILES,
                    "before": shift.quantiles[0],
                    "now": shift.quantiles[1],
                },
            }
            for shift in watched.shifts
        ],
        "lists": watched.shown
        and {
            "count": watched.lists[0],
            "length": watched.lists[1],
            **{
                name: vars(each)
                for name, each in zip(
                    ("before", "now"), watched.shown, strict=True
                )
            },
        },
        "unknown_items": [
            {"item": name, "times": times} for name, times in watched.unknown
        ],
        "risen": [each._asdict() for each in watched.risen],
        "findings": findings(watched),
    }
