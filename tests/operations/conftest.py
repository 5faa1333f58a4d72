"""What tests of operations share."""

from collections.abc import Callable

import pytest

from conftest import PARCELS
from watchkeeper.adapters.workspace import Home


@pytest.fixture
def telling(make_home: Callable[..., Home]) -> Callable[..., Home]:
    """Return a maker of a workspace with parcels and a `telemetry` section."""
    return lambda **telemetry: make_home(PARCELS, telemetry=telemetry)
