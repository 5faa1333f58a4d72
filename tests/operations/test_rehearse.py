"""An edited monitor is tried on the past, and nothing is written."""

from datetime import UTC, date, datetime

import pytest
import yaml

from conftest import PARCELS, new_home
from watchkeeper.adapters.workspace import load_monitor, monitor_at
from watchkeeper.errors import ConfigurationError
from watchkeeper.operations.rehearse import rehearse
from watchkeeper.operations.watch import watch
from watchkeeper.records import RECORDS
from worlds import DAY, parcels_days

FIRST, BEGIN = date(2025, 1, 1), datetime(2025, 1, 1, tzinfo=UTC)
NOW = BEGIN + 34 * DAY
BAD = (21, 22, 23)


@pytest.fixture(scope="module")
def watched(tmp_path_factory):
    """A month of parcels of which three days were bad, and one incident of them."""
    home = new_home(tmp_path_factory.mktemp("rehearsed") / "home", PARCELS)
    parcels_days(home.root, FIRST, 32, rows=300, late=dict.fromkeys(BAD, 0.5))
    watch(home, now=NOW)
    return home


def edited(home, **changes):
    """Write the monitor with some changes beside the workspace, and read it."""
    file = home.root.parent / "edited.yaml"
    said = yaml.safe_load((home.root / "deployments/monitors/parcels.yaml").read_text())
    file.write_text(yaml.safe_dump(said | changes))
    return monitor_at(home, file)


def rows_of(home):
    return {r.TABLE: table.num_rows for r in RECORDS if (table := home.lake.read(r.TABLE)) is not None}


def told(home, monitor, days=30):
    found = rehearse(home, monitor, since=NOW - days * DAY, now=NOW)
    return found, [(p.becomes, p.shown.family) for p in found.pairs]


def test_the_same_monitor_finds_the_same_and_writes_nothing(watched):
    before = rows_of(watched)
    found, pairs = told(watched, load_monitor(watched, "parcels"))
    assert pairs == [("same", "kpi")]
    assert (found.before, found.after, found.unmeasured) == (1, 1, [])
    assert found.pairs[0].after.headline == found.pairs[0].before.headline
    assert rows_of(watched) == before


def test_days_that_the_edited_calendar_names_are_gone(watched):
    named = {"strike": [(BEGIN + d * DAY).date().isoformat() for d in BAD]}
    _, pairs = told(watched, edited(watched, calendar=named))
    assert pairs == [("gone", "kpi")]


def test_a_new_promise_on_what_was_measured_is_tried_and_on_what_was_not_is_said(watched):
    kept, broken = {"metric": "recall", "at_least": 0.99, "per": "day"}, {"metric": "lift_at_1", "at_least": 1.0, "per": "day"}
    found, pairs = told(watched, edited(watched, targets=[kept, broken]))
    assert ("new", "target") in pairs
    assert found.unmeasured == ["lift_at_1 by day"]


def test_only_what_reaches_into_the_time_asked_for_counts(watched):
    assert told(watched, load_monitor(watched, "parcels"), days=3)[1] == []


def test_an_edited_file_with_a_mistake_says_where(watched):
    with pytest.raises(ConfigurationError, match=r"edited\.yaml.*wndow"):
        edited(watched, wndow="day")


def test_the_command_prints_both_and_json_gives_both(watched, watchkeeper):
    named = {"strike": [(BEGIN + d * DAY).date().isoformat() for d in BAD]}
    edited(watched, calendar=named)
    given = ["rehearse", "parcels", "--last", "30d", "--file", str(watched.root.parent / "edited.yaml"), "--now", NOW.isoformat()]
    printed = watchkeeper(*given, at=watched).output
    assert "1 incident before, 0 after: 1 gone, 0 new. Nothing was written." in printed
    assert any(line.startswith("gone") for line in printed.splitlines())
    assert watchkeeper("rehearse", "parcels", "--last", "month", "--now", NOW.isoformat(), at=watched).exit_code == 2
    assert '"becomes": "gone"' in watchkeeper(*given, "--json", at=watched).output
