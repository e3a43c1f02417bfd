"""Stopping a run at the next step instead of in the middle of one.

TensorFlow's PreemptionCheckpointHandler does not fit here: it must call every
training step itself, which Keras's `fit` does; it restores and saves
checkpoints of its own, without where the run stands in its epochs and its
numbers so far; it ends the process; and one device needs the same without it.
Instead `Recorder` looks at the event after each step, and with several workers
all hear of it (`Workers.any`) and save the same step.
"""

import contextlib
import signal
import threading
from collections.abc import Iterator

from tfrec.errors import OutsideError

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
# Between two moments in which a sleeping main thread can run a handler.
_MOMENT = 0.2


@contextlib.contextmanager
def stop_requested() -> Iterator[threading.Event]:
    """Gives an event that Ctrl-C or SIGTERM sets, while the body runs.

    The second signal acts as it did before. Outside the main thread Python
    delivers no signals; there the event stays unset.
    """
    event = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield event
        return
    before = {number: signal.getsignal(number) for number in _SIGNALS}

    def restore():
        for number, handler in before.items():
            signal.signal(number, handler)

    def stop(number, frame):
        event.set()
        restore()

    for number in _SIGNALS:
        signal.signal(number, stop)
    try:
        yield event
    finally:
        restore()


@contextlib.contextmanager
def not_lost(event: threading.Event) -> Iterator[None]:
    """Ends with `KeyboardInterrupt` what failed before it looked at an event.

    So a wish to stop is not lost in the error of a step or of a trial. That a
    disk does not take what is written is told in any case.

    Args:
        event: What `stop_requested` gave.
    """
    try:
        yield
    except Exception as error:
        if event.is_set() and not isinstance(error, OutsideError):
            raise KeyboardInterrupt from error
        raise


def sleep_until(event: threading.Event) -> None:
    """Waits in the main thread for the event of `stop_requested`.

    Not `event.wait()`: the system gives a signal to any thread, Python runs
    the handler in the main thread, and one that sleeps without end is not
    woken by what another thread got. So a server under load would go on.

    Args:
        event: What `stop_requested` gave.
    """
    while not event.wait(_MOMENT):
        pass
