"""A Prefect server of one's own for tests that call flows."""

from collections.abc import Iterator

import pytest

from prefect_world import Starting, free_port
from watchkeeper.adapters.prefect_server import PrefectServer
from watchkeeper.adapters.processes import Family
from watchkeeper.adapters.workspace import Home


@pytest.fixture(scope="module")
def starting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Starting]:
    """A server that was told to start; it ends with the file that asked for it, since a server at rest costs a twentieth of a processor."""
    server, family = PrefectServer(Home(tmp_path_factory.mktemp("prefect")), free_port()), Family()
    child = server.start(family)
    yield Starting(server, child)
    family.end(child, grace_s=10)
