"""A Prefect server for flows that a test calls or starts itself: what it begins besides, and how long to wait for it."""

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest

from watchkeeper.adapters.prefect_server import PrefectServer
from watchkeeper.adapters.processes import Child

PATIENCE_S = 120
_NOT_NEEDED = ["CANCELLATION_CLEANUP", "CLEANUP_RECONCILER", "FOREMAN", "LATE_RUNS", "PAUSE_EXPIRATIONS", "REPOSSESSOR", "SCHEDULER", "TRIGGERS"]
"""What looks after deployments, workers and schedules every few seconds: flows that a test calls or starts itself need none of it."""


def without_services(environment: pytest.MonkeyPatch) -> None:
    """Have a server that is started next begin none of these."""
    for service in _NOT_NEEDED:
        environment.setenv(f"PREFECT_SERVER_SERVICES_{service}_ENABLED", "false")


def free_port() -> int:
    """Return a port that nobody has asked for, so that test runs beside each other do not take the same one."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@dataclass(frozen=True)
class Starting:
    """A server on its way up, so that a test can do something else meanwhile."""

    server: PrefectServer
    child: Child

    @contextmanager
    def ready(self) -> Iterator[None]:
        """Wait until it answers, and have this process's flows talk to it while the body runs.

        What they have to say goes through one thread of the process, which holds on to the server it knew first: it is ended with the body.
        """
        from prefect.events.worker import EventsWorker
        from prefect.settings import PREFECT_API_URL, PREFECT_HOME, temporary_settings

        deadline = time.monotonic() + PATIENCE_S
        while not self.server.is_healthy():
            assert self.child.is_running, self.child.last_lines()
            assert time.monotonic() < deadline, self.child.last_lines()
            time.sleep(0.2)
        with temporary_settings({PREFECT_API_URL: f"{self.server.ui}/api", PREFECT_HOME: self.server.folder}):
            yield
            EventsWorker.drain_all(timeout=PATIENCE_S)
