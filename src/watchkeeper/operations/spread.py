"""Spread: one function over many pieces of work, a few at a time, the results in the order of the pieces.

Belongs here: in turn, and in threads. Does not: what a piece is (pieces.py), or Prefect's task runners (flows/spreading.py).
What comes out does not depend on who works: pieces are cut by what they hold alone, and written in their order.
"""

import dataclasses
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from copy import copy
from itertools import islice
from os import cpu_count
from typing import Any, Protocol

from pyarrow import default_memory_pool

AT_ONCE = 8
"""At most so many pieces are under way in one process: memory is shared out for so many (pieces.py)."""


Tell = Callable[[str, int, int], None]
"""Is called with what is done, how many pieces are, and how many there are."""


class Spread(Protocol):
    """Calls `work` with each piece and yields what came of it, in the order of the pieces; `what` says what is done."""

    def __call__(self, what: str, work: Callable[[Any], Any], pieces: Sequence[Any]) -> Iterator[Any]:
        """Begin; work goes on while results are taken."""
        ...


def in_turn(what: str, work: Callable[[Any], Any], pieces: Sequence[Any]) -> Iterator[Any]:  # noqa: ARG001 - others show what is done
    """Do one piece after the other."""
    return map(work, pieces)


def in_threads(what: str, work: Callable[[Any], Any], pieces: Sequence[Any]) -> Iterator[Any]:
    """Do a piece a processor at a time: the heavy work is compiled and holds no lock of Python's."""
    at_once = min(cpu_count() or 1, AT_ONCE, len(pieces))
    if at_once < 2:  # noqa: PLR2004 - one piece gains nothing by a thread
        yield from in_turn(what, work, pieces)
        return
    with ThreadPoolExecutor(at_once) as pool:
        yield from ahead(lambda piece: pool.submit(work, apart(piece)), pieces, at_once)


def apart(piece: Any) -> Any:
    """Return a piece with a lake of its own: an opened table is for one thread."""
    return dataclasses.replace(piece, home=copy(piece.home))


def telling(spread: Spread, tell: Tell) -> Spread:
    """Return a spread that also tells how far it is, each time after what came of a piece was taken."""

    def told(what: str, work: Callable[[Any], Any], pieces: Sequence[Any]) -> Iterator[Any]:
        tell(what, 0, len(pieces))
        for done, made in enumerate(spread(what, work, pieces), 1):
            yield made
            tell(what, done, len(pieces))

    return told


def ahead(begin: Callable[[Any], "Future[Any] | Any"], pieces: Sequence[Any], at_once: int) -> Iterator[Any]:
    """Begin pieces, so many ahead of the one whose result is waited for and no more; yield the results in order.

    What was begun and is not wanted any more is cancelled where it can be.
    """
    waiting, begun = iter(pieces), deque[Any]()
    try:
        begun.extend(begin(piece) for piece in islice(waiting, at_once))
        while begun:
            made = begun.popleft().result()
            default_memory_pool().release_unused()  # what allocators keep of a piece would add to what the next ones take
            begun.extend(begin(piece) for piece in islice(waiting, 1))
            yield made
    finally:
        for future in begun:
            future.cancel()
