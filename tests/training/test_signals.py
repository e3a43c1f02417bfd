import os
import signal
import threading

import pytest

from tfrec.errors import InputError, OutsideError
from tfrec.training.signals import not_lost, sleep_until, stop_requested


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_asks_and_handlers_come_back(number):
    before = signal.getsignal(number)
    with stop_requested() as stop:
        assert not stop.is_set()
        os.kill(os.getpid(), number)
        assert stop.is_set()
        assert signal.getsignal(number) is before
    assert signal.getsignal(number) is before


def test_the_second_signal_acts_as_before():
    with stop_requested(), pytest.raises(KeyboardInterrupt):
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)


@pytest.mark.parametrize(
    ("error", "seen"),
    [
        (InputError, KeyboardInterrupt),
        (OutsideError, OutsideError),
    ],
)
def test_a_wish_to_stop_is_not_lost_in_an_error(error, seen):
    with pytest.raises(seen), stop_requested() as stop, not_lost(stop):
        os.kill(os.getpid(), signal.SIGINT)
        raise error("The body did not look.")
    with pytest.raises(error), stop_requested() as stop, not_lost(stop):
        raise error("Nobody asked.")


def test_another_thread_is_left_alone():
    before = signal.getsignal(signal.SIGINT)
    seen = []

    def work():
        with stop_requested() as stop:
            seen.append((stop.is_set(), signal.getsignal(signal.SIGINT)))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [(False, before)]


def test_a_signal_that_another_thread_gets_wakes_the_main_thread():
    with stop_requested() as stop:
        rescued = []

        def work():
            signal.pthread_kill(threading.get_ident(), signal.SIGTERM)
            if not stop.wait(30):
                rescued.append(True)
                stop.set()

        thread = threading.Thread(target=work)
        thread.start()
        sleep_until(stop)
        thread.join()
    assert not rescued
