"""One Prefect server for all tests that call flows: a folder of its own, whose files are given to one process of the tests (tests/conftest.py)."""

from collections.abc import Iterator

import pytest

from prefect_world import Starting, free_port, without_services
from watchkeeper.adapters.prefect_server import PrefectServer
from watchkeeper.adapters.processes import Family
from watchkeeper.adapters.workspace import Home


@pytest.fixture(scope="package")
def starting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Starting]:
    """A server that was told to start; to start one takes as much as many a file of tests."""
    server, family = PrefectServer(Home(tmp_path_factory.mktemp("prefect")), free_port()), Family()
    with pytest.MonkeyPatch.context() as environment:
        without_services(environment)
        child = server.start(family)
    yield Starting(server, child)
    family.end(child, grace_s=10)
