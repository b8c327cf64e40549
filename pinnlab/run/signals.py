"""A polite end: the first SIGINT or SIGTERM asks the training to stop, a second one ends it."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator


class Stop:
    """Called by the trainer after each chunk; true once a signal has come, with its number."""

    def __init__(self) -> None:
        self.signal: int | None = None

    def __call__(self) -> bool:
        return self.signal is not None


@contextlib.contextmanager
def stopping() -> Iterator[Stop]:
    """Catch SIGINT and SIGTERM inside the block (in the main thread; elsewhere nothing)."""
    stop = Stop()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return

    def ask(number: int, frame: object) -> None:
        stop.signal = number
        for name in before:  # not to Python's handlers, which wait for a compiled step to end
            signal.signal(name, signal.SIG_DFL)
        print("\nstopping after this chunk of steps; once more ends at once", flush=True)

    before = {name: signal.signal(name, ask) for name in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for name, handler in before.items():
            signal.signal(name, handler)
