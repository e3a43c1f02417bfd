"""Time and memory of preparing a log of the size and shape of YOOCHOOSE.

    python -m benchmarks.yoochoose
    python -m benchmarks.yoochoose --clicks=3000000

Generates `yoochoose-clicks.dat` (33 million clicks, 9.2 million sessions, up to
52,739 items, 182 days: 1.5 GB of text), runs the command `tfrec.prepare` on it
in a process of its own, prints the card, the seconds and the largest resident
memory. Every filter is on: to a fixed point, the newest quarter, the test
filtered again. On two idle cores of an Intel Xeon, with --memory_limit=2GB of
then, it took 93 seconds and 3.07 GB.
"""

from tfrec import cli, settings

# isort: split
import dataclasses
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

from benchmarks.memory import peak_gigabytes
from tfrec.data import PreparedDataset, card
from tfrec.settings import Settings, setting

# The published log.
CLICKS, SESSIONS, ITEMS, DAYS = 33_003_944, 9_249_729, 52_739, 182
_START = np.datetime64("2014-04-01T03:00:00.000", "ms")
_DAY_MS = 86_400_000
# Share of sessions of one click, and of clicks on the item clicked before.
_SINGLE, _REPEATED = 0.135, 0.15
# Log-deviation of the items' popularity: a fifth have fewer than 5 clicks.
_POPULARITY_DEVIATION = 2.4
_PAUSE_MS = 120_000
# Log-mean and log-deviation of the clicks of a session beyond the second.
_LOG_MEAN, _LOG_DEVIATION, _LONGEST = 0.3, 1.1, 200
_SESSIONS_AT_ONCE = 500_000


@dataclasses.dataclass(frozen=True)
class YoochooseBenchmarkConfig(Settings):
    """What is measured."""

    clicks: int = setting(CLICKS, "Clicks of the log, about.", minimum=1000)
    folder: str = setting(
        "", "Where the log is kept, 3 GB. Empty: a temporary folder."
    )


def write_log(path: Path, clicks: int) -> None:
    """Writes a log of the format and shape of `yoochoose-clicks.dat`.

    Args:
        path: The file.
        clicks: About how many lines. Items and days stay as many.
    """
    rng = np.random.default_rng(0)
    popularity = np.cumsum(rng.lognormal(0, _POPULARITY_DEVIATION, ITEMS))
    popularity /= popularity[-1]
    ids = 214_500_000 + rng.permutation(10 * ITEMS)[:ITEMS]
    count = round(SESSIONS * clicks / CLICKS)
    # Nearly in the order of time, as in the published log.
    starts = np.sort(rng.uniform(0, DAYS, count)) + rng.normal(0, 0.5, count)
    starts = np.clip(starts, 0, DAYS)
    schema = pa.schema(
        [(name, pa.string()) for name in ("session", "time", "item", "kind")]
    )
    options = csv.WriteOptions(include_header=False, quoting_style="none")
    with csv.CSVWriter(path, schema, write_options=options) as writer:
        for first in range(0, count, _SESSIONS_AT_ONCE):
            days = starts[first : first + _SESSIONS_AT_ONCE]
            extra = rng.lognormal(_LOG_MEAN, _LOG_DEVIATION, len(days))
            lengths = np.minimum(2 + extra.astype(int), _LONGEST)
            lengths[rng.random(len(days)) < _SINGLE] = 1
            session = np.repeat(np.arange(len(days)), lengths)
            heads = np.cumsum(lengths) - lengths
            pauses = rng.exponential(_PAUSE_MS, len(session))
            passed = np.cumsum(pauses)
            passed -= passed[heads][session]
            times = (days[session] * _DAY_MS + passed).astype("timedelta64[ms]")
            items = np.searchsorted(popularity, rng.random(len(session)))
            again = rng.random(len(session)) < _REPEATED
            again[heads] = False
            place = np.where(again, 0, np.arange(len(session)))
            items = items[np.maximum.accumulate(place)]
            stamps = pa.array(_START + times)
            columns = [
                pa.array(session + first + 1).cast(pa.string()),
                pc.strftime(stamps, format="%Y-%m-%dT%H:%M:%SZ"),
                pa.array(ids[items]).cast(pa.string()),
                pa.array(np.full(len(session), "0")),
            ]
            writer.write_table(pa.table(columns, schema=schema))


def main() -> None:
    """Generates, prepares and prints."""
    config = settings.from_flags(YoochooseBenchmarkConfig)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(config.folder or temporary)
        folder.mkdir(parents=True, exist_ok=True)
        log = folder / "yoochoose-clicks.dat"
        prepared = Path(temporary, "prepared")
        if not log.exists():
            start = time.perf_counter()
            write_log(log, config.clicks)
            size = log.stat().st_size / 1e9
            seconds = time.perf_counter() - start
            print(f"generated {size:.2f} GB in {seconds:.0f} s", flush=True)
        start = time.perf_counter()
        peak = peak_gigabytes(
            "tfrec.prepare",
            "--dataset=yoochoose",
            "--protocol=next_click",
            f"--raw_dir={log}",
            f"--data_dir={prepared}",
            "--min_item_count=5",
            "--min_sequence_length=2",
            "--repeat_filters",
            "--training_fraction=0.25",
        )
        seconds = time.perf_counter() - start
        print(card(PreparedDataset.open(prepared)))
        print(f"\nprepared in {seconds:.0f} s, at most {peak:.2f} GB")


if __name__ == "__main__":
    cli.run(main, YoochooseBenchmarkConfig)
