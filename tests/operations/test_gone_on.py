"""What is out of line again before it was over is one incident, though the first day of its going on alarmed by nothing."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from conftest import PARCELS
from watchkeeper.adapters.workspace import Home, load_monitor
from watchkeeper.operations.era_signals import judged_eras
from watchkeeper.operations.judge import alarms
from watchkeeper.records import Score
from worlds import DAY, START, noise, scores

REFERENCE, BAD = 60, 75
WATCHED = PARCELS | {"timezone": "UTC", "segments": [], "reference": {"from": f"{START:%Y-%m-%d}", "to": f"{START + REFERENCE * DAY:%Y-%m-%d}"}}


@pytest.mark.parametrize(("clear", "told"), [(1, [(75, 90)]), (3, [(75, 78), (81, 90)])])
def test_a_day_in_line_between_ends_no_incident_where_only_the_sum_of_later_days_alarms_and_three_do(
    make_home: Callable[..., Home], clear: int, told: list[tuple[int, int]]
):
    """Two days alarm by themselves; those that follow lie just beyond what is usual, and four of them together alarm."""
    home = make_home(WATCHED, name="gone on")
    gap = noise(7, 90, sd=0.01)
    gap[0, BAD : BAD + 3] = 0.2, 0.0, 0.2
    gap[0, BAD + 3 :] = [0.0] * clear + [0.04] * (12 - clear)
    rows = scores(gap, se=0.01).drop_columns(["state"]).to_pylist()
    home.lake.append_records(Score, [Score(**r, model="parcels", method="", unit="ratio", state="mature", computed_at=r["window_end"]) for r in rows])
    now = START + 100 * DAY + timedelta(hours=6)
    monitor = load_monitor(home, "parcels")
    found = alarms(home, monitor, judged_eras(home, monitor, now=now), now=now)
    assert [((e.start - START) // DAY, (e.end - START) // DAY) for e in found if e.family == "kpi"] == told
