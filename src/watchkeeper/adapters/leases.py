"""Leases: one process at a time does a thing, in a lake that processes on many machines share.

Belongs here: taking, renewing and giving back. Does not: what is done meanwhile, or the tables (lake.py). A lease is a
compare-and-set on the table `leases`: a row says who holds it and until when, and of two at once one commit is refused.
"""

import os
import random
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import psutil
import pyarrow as pa
import pyarrow.compute as pc
from deltalake.exceptions import DeltaError

from watchkeeper.adapters.lake import Lake
from watchkeeper.errors import ConflictError, LeaseHeldError, UnreadableError, UnwritableError

TABLE = "leases"
_TTL_S, _WAIT_S = 60.0, 120.0
_RENEWALS = 3
_SAME_START_S = 2.0


@contextmanager
def lease(lake: Lake, name: str, *, wait_s: float = _WAIT_S, ttl_s: float = _TTL_S) -> Iterator[None]:
    """Hold a workspace-wide lease while the body runs.

    A holder that died on this host is replaced at once, on another host when its last renewal is `ttl_s` old: one that
    lives renews it. Hosts must agree on the time to well within that.

    Raises:
        LeaseHeldError: somebody else held it for longer than `wait_s`.

    """
    term = _taken(lake, name, wait_s, ttl_s)
    term.start()
    try:
        yield
    finally:
        term.end()


@contextmanager
def rewriting(lake: Lake, table: str, *, wait_s: float = _WAIT_S) -> Iterator[None]:
    """Be the only process that rewrites the files of a table while the body runs; others read and append meanwhile.

    delta-rs refuses neither of two merges at once, and both leave their files: every row that they merged would be there twice.

    Raises:
        LeaseHeldError: another process rewrites them for longer than `wait_s`.

    """
    with lease(lake, f"files:{table}", wait_s=wait_s):
        yield


@dataclass
class _Term:
    """The time for which this process holds a lease; its renewals read the lake on their own, beside the body."""

    lake: Lake
    name: str
    seen: int
    ttl_s: float

    def __post_init__(self) -> None:
        self._is_over = threading.Event()
        self._renewing = threading.Thread(target=self._renew, daemon=True, name=f"lease-{self.name}")

    def start(self) -> None:
        self._renewing.start()

    def end(self) -> None:
        """Give it back, unless somebody took it over."""
        self._is_over.set()
        self._renewing.join()
        if self.lake.version(TABLE, _app_id(self.name)) == self.seen:
            _set(self.lake, self.name, self.seen, until=0.0)

    def _renew(self) -> None:
        own = Lake(self.lake.address, self.lake.options)
        while not self._is_over.wait(self.ttl_s / _RENEWALS):
            try:
                _set(own, self.name, self.seen, until=time.time() + self.ttl_s)
            except ConflictError:
                holder = _holder(own, self.name)
                if holder is None or not _is_mine(holder):
                    return  # somebody took this process for dead
                self.seen = holder["version"] - 1  # a renewal landed whose answer was lost
            except (DeltaError, OSError, UnreadableError, UnwritableError):
                continue  # the next renewal is in time as well
            self.seen += 1


def _taken(lake: Lake, name: str, wait_s: float, ttl_s: float) -> _Term:
    deadline = time.monotonic() + wait_s
    while True:
        seen = lake.version(TABLE, _app_id(name))
        holder = _holder(lake, name)
        if holder is None or not _alive(holder):
            with suppress(ConflictError):
                _set(lake, name, seen, until=time.time() + ttl_s)
                return _Term(lake, name, seen + 1, ttl_s)
            continue
        if time.monotonic() > deadline:
            held = f"{name} is held by process {holder['pid']} on {holder['host']}"
            raise LeaseHeldError(held, where="lake", then="Wait for it to end, or run again later.")
        time.sleep(random.uniform(0.1, 0.4))  # noqa: S311 - jitter, not a secret


def _app_id(name: str) -> str:
    return f"lease:{name}"


def _holder(lake: Lake, name: str) -> dict[str, Any] | None:
    found = lake.read(TABLE, where=pc.field("name") == name)
    if found is None or found.num_rows == 0:
        return None
    newest: dict[str, Any] = found.sort_by([("version", "descending")]).slice(0, 1).to_pylist()[0]
    return newest


def _is_mine(holder: dict[str, Any]) -> bool:
    return (holder["host"], holder["pid"]) == (socket.gethostname(), os.getpid())


def _set(lake: Lake, name: str, seen: int, *, until: float) -> None:
    me = psutil.Process()
    row = {
        "name": [name],
        "version": [seen + 1],
        "host": [socket.gethostname()],
        "pid": [os.getpid()],
        "started": [me.create_time()],
        "until": [until],
    }
    lake.append(TABLE, pa.table(row), guard=(_app_id(name), seen))


def _alive(holder: dict[str, Any]) -> bool:
    """Tell whether a holder may still be at work: on this host its process says, on another only the time."""
    if holder["until"] == 0.0:
        return False
    if holder["host"] != socket.gethostname():
        return bool(holder["until"] >= time.time())
    try:
        process = psutil.Process(holder["pid"])
        return process.status() != psutil.STATUS_ZOMBIE and abs(process.create_time() - holder["started"]) < _SAME_START_S
    except psutil.NoSuchProcess:
        return False
