"""The flow that goes on, as a run of a real Prefect server: a fault is told, what it found is shown, and it ends by itself."""

import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from live_world import last_seconds, live_rows, live_workspace, write_file
from prefect_world import Starting
from slack_standin import TOKEN, Slack
from watchkeeper.adapters.workspace import find_home
from watchkeeper.operations.watch import watch as bring_up_to_date
from watchkeeper.records import IncidentEvent

pytestmark = [pytest.mark.prefect, pytest.mark.slow]

MODEL = "rides"


@pytest.mark.nightly
def test_a_run_takes_steps_until_its_time_is_over_and_tells_what_breaks(starting: Starting, tmp_path: Path):
    from watchkeeper.flows.watch import watch

    root, now = tmp_path / "home", datetime.now(UTC)
    live_workspace(root, [MODEL], now, days=3, rows_an_hour=300)
    home = find_home(root)
    bring_up_to_date(home, now=now)

    def fail() -> None:
        start, end = last_seconds()
        write_file(root, MODEL, start, live_rows(np.random.default_rng(3), start, end, 400, faults=("slow",)))

    with Slack() as slack, starting.ready(), pytest.MonkeyPatch.context() as environment:
        environment.setenv("WATCHKEEPER_HOME", str(root))
        environment.setenv("SLACK_BOT_TOKEN", TOKEN)
        environment.setenv("SLACK_API_URL", f"{slack.url}/api/")
        threading.Timer(4.0, fail).start()
        state: Any = watch(every_seconds=2, minutes=0.5, return_state=True)
        assert state.is_completed(), state.message
        assert state.message.endswith("steps taken")
        assert len(slack.messages) == 1
        assert _artifact().startswith("# Watch")
    (event,) = home.lake.newest(IncidentEvent)
    assert (event.event, event.subject) == ("opened", "service")


def _artifact() -> str:
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterKey

    with get_client(sync_client=True) as client:
        found = client.read_artifacts(artifact_filter=ArtifactFilter(key=ArtifactFilterKey(any_=["watch"])))
    return str(found[0].data)
