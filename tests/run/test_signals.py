"""The first signal asks, the second one ends."""

import os
import signal
import threading

import pytest

from pinnlab.run.signals import stopping


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_asks_and_the_second_would_end_at_once(number, capsys):
    before = signal.getsignal(number)
    with stopping() as stop:
        assert not stop()
        os.kill(os.getpid(), number)
        assert stop() and stop.signal == number
        # The system's own answer: it does not wait for a compiled step, as Python's would
        assert signal.getsignal(signal.SIGINT) == signal.SIG_DFL
        assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
    assert signal.getsignal(number) == before
    assert "once more ends at once" in capsys.readouterr().out


def test_handlers_come_back_after_an_error():
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(ValueError, match="mine"), stopping():
        raise ValueError("mine")
    assert signal.getsignal(signal.SIGINT) == before


def test_outside_of_the_main_thread_nothing_is_caught():
    before, asked = signal.getsignal(signal.SIGINT), []

    def work() -> None:
        with stopping() as stop:
            asked.append((stop(), signal.getsignal(signal.SIGINT)))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert asked == [(False, before)]
