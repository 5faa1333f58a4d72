"""One Prefect server for all tests that call flows: a folder of its own, whose files are given to one process of the tests (tests/conftest.py)."""

from collections.abc import Iterator

import pytest

from prefect_world import Starting, free_port
from watchkeeper.adapters.prefect_server import PrefectServer
from watchkeeper.adapters.processes import Family
from watchkeeper.adapters.workspace import Home

_NOT_NEEDED = ["CANCELLATION_CLEANUP", "CLEANUP_RECONCILER", "FOREMAN", "LATE_RUNS", "PAUSE_EXPIRATIONS", "REPOSSESSOR", "SCHEDULER", "TRIGGERS"]
"""What looks after deployments, workers and schedules every few seconds; here are none."""


@pytest.fixture(scope="package")
def starting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Starting]:
    """A server that was told to start; to start one takes as much as many a file of tests."""
    server, family = PrefectServer(Home(tmp_path_factory.mktemp("prefect")), free_port()), Family()
    with pytest.MonkeyPatch.context() as environment:
        for service in _NOT_NEEDED:
            environment.setenv(f"PREFECT_SERVER_SERVICES_{service}_ENABLED", "false")
        child = server.start(family)
    yield Starting(server, child)
    family.end(child, grace_s=10)
