"""The outbox sends what one run planned the gravest first."""

import json
from datetime import UTC, datetime, timedelta

from watchkeeper.judgement.outbox import fold
from watchkeeper.records import Action

NOW = datetime(2025, 5, 4, tzinfo=UTC)


def planned(name: str, severity: str, *, at: datetime = NOW) -> Action:
    return Action(
        action_id=name, incident_id=name, model="eta", kind="open", target="file", state="planned", payload=json.dumps({"severity": severity}), at=at
    )


def test_what_one_run_plans_is_sent_the_gravest_first_and_earlier_runs_before():
    rows = [planned("a", "warning"), planned("b", "high"), planned("c", "critical"), planned("d", "notice", at=NOW - timedelta(hours=1))]
    assert list(fold(rows)) == ["d", "c", "b", "a"]
