"""What tests of operations share."""

from collections.abc import Callable, Iterator

import pytest

from conftest import PARCELS
from slack_standin import Slack
from watchkeeper.adapters.workspace import Home


@pytest.fixture
def telling(make_home: Callable[..., Home]) -> Callable[..., Home]:
    """Return a maker of a workspace with parcels and a `telemetry` section."""
    return lambda **telemetry: make_home(PARCELS, telemetry=telemetry)


@pytest.fixture
def slack(monkeypatch: pytest.MonkeyPatch) -> Iterator[Slack]:
    """Slack, which every run of a watch sends to."""
    with Slack(("#parcels", "#letters")) as server:
        monkeypatch.setenv("SLACK_BOT_TOKEN", str(server.as_bot.slack_bot_token))
        monkeypatch.setenv("SLACK_API_URL", str(server.as_bot.slack_api_url))
        yield server
