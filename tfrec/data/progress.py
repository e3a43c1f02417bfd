"""The progress bar of a preparation."""

import contextlib
import threading
from collections.abc import Iterable, Iterator

import pyarrow as pa
from tqdm import tqdm


@contextlib.contextmanager
def interactions_bar() -> Iterator[tqdm]:
    """Shows a bar on a terminal; time runs on it while an engine works."""
    with tqdm(unit=" interactions", disable=None, leave=False) as bar:
        done = threading.Event()

        def refresh():
            while not done.wait(1):
                bar.refresh()

        thread = threading.Thread(target=refresh, daemon=True)
        thread.start()
        try:
            yield bar
        finally:
            done.set()
            thread.join()


def ticking(
    batches: Iterable[pa.RecordBatch], bar: tqdm
) -> Iterator[pa.RecordBatch]:
    """Yields batches and counts their rows on a bar."""
    bar.set_description_str("writing")
    for batch in batches:
        yield batch
        bar.update(batch.num_rows)
