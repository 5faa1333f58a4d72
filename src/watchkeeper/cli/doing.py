"""What a long command is doing, said on stderr while it goes on.

Belongs here: the form of that, on a terminal and elsewhere. Does not: the steps themselves (operations/), or results (output.py).
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from watchkeeper.cli.output import complain

Tell = Callable[[str, str], None]
_EVERY_S = 15.0


@contextmanager
def steps(*, every_s: float = _EVERY_S) -> Iterator[Tell]:
    """Yield what is told (model, step): shown at once on a terminal; elsewhere, such as in a log, a line every `every_s` seconds."""
    from rich.console import Console

    console = Console(stderr=True)
    if console.is_terminal:
        with console.status("starting") as shown:
            yield lambda model, step: shown.update(_text(model, step))
    else:
        with _lines(every_s) as tell:
            yield tell


@contextmanager
def _lines(every_s: float) -> Iterator[Tell]:
    """Say now and then what is being done then; what is over sooner says nothing."""
    begun, over, now = time.monotonic(), threading.Event(), ["starting"]

    def speak() -> None:
        while not over.wait(every_s):
            complain(f"{time.monotonic() - begun:.0f} s: {now[0]}")

    def tell(model: str, step: str) -> None:
        now[0] = _text(model, step)

    speaker = threading.Thread(target=speak, daemon=True)
    speaker.start()
    try:
        yield tell
    finally:
        over.set()
        speaker.join()


def _text(model: str, step: str) -> str:
    return f"{model}: {step}" if model else step
