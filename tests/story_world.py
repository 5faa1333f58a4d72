"""A month of parcels in which incidents open, grow and end, and the runs that watch it at moments on the way.

Belongs here: the monitor, the moments, what has arrived by then, and how a run tells people. Does not: what a run leaves
(watch_worker.py), or in which lake.
"""

from collections import Counter
from datetime import UTC, date, datetime
from typing import Any

import pyarrow as pa

from conftest import PARCELS
from slack_standin import TOKEN, Slack
from watchkeeper.adapters.workspace import Home
from worlds import parcels_days

FIRST = date(2025, 1, 1)
DAYS = 30
MOMENTS = [datetime(2025, 1, 24, 7, tzinfo=UTC), datetime(2025, 1, 25, 13, tzinfo=UTC), datetime(2025, 2, 1, tzinfo=UTC)]
"""While an incident opens, while it grows, and after its end, when digests are due too."""
MONITOR = PARCELS | {"targets": [{"metric": "calibration_gap", "at_most": 0.1, "per": "day"}]}


def arrived(home: Home, now: datetime) -> Home:
    """Write the files a workspace has received by now: of thirty days four are bad, and one has few rows."""
    days = min(DAYS, (now.date() - FIRST).days)
    parcels_days(home.root, FIRST, days, rows=120, late=dict.fromkeys(range(21, 25), 0.6), change={27: _few})
    return home


def _few(events: pa.Table, labels: pa.Table) -> tuple[pa.Table, pa.Table]:
    return events.slice(0, 10), labels.slice(0, 10)


def to(slack: Slack) -> dict[str, str]:
    """Return the environment of a run that tells people there."""
    return {"SLACK_BOT_TOKEN": TOKEN, "SLACK_API_URL": f"{slack.url}/api/"}


def finished(*runs: Any) -> None:
    """Wait for runs, which must end well."""
    for run in runs:
        run.join(60)
        assert run.exitcode == 0


def messages(slack: Slack) -> Counter[str]:
    """Return how often each message came."""
    return Counter(slack.keys())
