"""Every error a person can meet: one sentence each, saying what happened, where, and the next step.

Belongs here: exception classes. Does not: the texts of findings about data (those are records, see records.py).
"""

from functools import partial
from typing import Any


class WatchkeeperError(Exception):
    """Base of all errors that Watchkeeper raises on purpose; `exit_code` is what the command line returns."""

    exit_code = 4

    def __init__(self, what: str, *, where: str = "", then: str = "") -> None:
        """Say `what` happened, `where` (file, table, column), and what to do `then`."""
        self.what, self.where, self.then = what, where, then
        super().__init__(what, where, then)

    def __reduce__(self) -> tuple[Any, ...]:
        """Say how another process makes it again (a helper raises it there): `where` and `then` are given by name."""
        return partial(type(self), where=self.where, then=self.then), (self.what,)

    def __str__(self) -> str:
        """One paragraph: where, what, next step."""
        place = f"{self.where}: " if self.where else ""
        stop = "" if self.what.endswith((".", "?", ":", "\n")) else "."
        return f"{place}{self.what}{stop} {self.then}" if self.then else f"{place}{self.what}"


class ConfigurationError(WatchkeeperError):
    """A monitor, workspace or suite file is wrong."""

    exit_code = 2


class UsageError(WatchkeeperError):
    """A command or function was called with arguments that cannot work."""

    exit_code = 2


class UnreadableError(WatchkeeperError):
    """A file or source cannot be read as what it says it is."""


class UnreachableError(UnreadableError):
    """A database or an object store does not give what it is asked for now; nothing of it is lost, and a later run asks again."""


class UnwritableError(WatchkeeperError):
    """The lake cannot be written: a permission, or no space left."""


class ConflictError(WatchkeeperError):
    """Another process committed first; read again and repeat."""


class BugError(WatchkeeperError):
    """Something happened that Watchkeeper does not foresee; the command line says it in the place of a traceback."""

    exit_code = 5


class LeaseHeldError(WatchkeeperError):
    """Another live process holds the workspace lease."""


class DeliveryError(WatchkeeperError):
    """A message or trigger could not be delivered; `retry_after_s` is set when the other side named a wait."""

    def __init__(self, what: str, *, where: str = "", then: str = "", retry_after_s: float | None = None) -> None:
        """As the base, plus the wait in seconds that the receiver asked for."""
        super().__init__(what, where=where, then=then)
        self.retry_after_s = retry_after_s
