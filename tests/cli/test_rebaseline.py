"""The command rebaseline, and the form of the same name, as a person fills them in."""

import json
from datetime import UTC, date, datetime

import pytest
from prefect.flows import load_flow_from_entrypoint
from prefect.utilities.callables import parameter_schema

from conftest import PARCELS, new_home
from watchkeeper.adapters.workspace import Home, load_monitor
from watchkeeper.operations.ingest import ingest
from watchkeeper.operations.profile import profile
from watchkeeper.operations.rebaseline import eras_listed
from watchkeeper.records import Baseline
from worlds import parcels_days

NOW = datetime(2025, 2, 10, tzinfo=UTC)
AT = ("--now", NOW.isoformat())
DAYS = ("--from", "2025-01-20", "--to", "2025-02-03", "--reason", "a new carrier", "--who", "ann")


@pytest.fixture(scope="module")
def counted(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A workspace whose rows are counted, and nothing measured yet."""
    home = new_home(tmp_path_factory.mktemp("cli") / "home", PARCELS | {"timezone": "Europe/Berlin"}, now=NOW.isoformat())
    parcels_days(home.root, date(2025, 1, 1), 38, rows=20)
    ingest(home, load_monitor(home, "parcels"), now=NOW)
    profile(home, load_monitor(home, "parcels"), now=NOW)
    return home


@pytest.fixture
def home(counted: Home, copy_of) -> Home:
    return copy_of(counted)


def printed(result):
    assert result.exit_code == 0, result.output
    return result.stdout.strip()


def test_days_are_declared_listed_and_taken_back(home: Home, watchkeeper):
    said = printed(watchkeeper("rebaseline", "parcels", *DAYS, *AT))
    [made] = home.lake.newest(Baseline)
    assert said == (
        f"Declared as {made.baseline_id}: since Mon 3 Feb 2025 parcels is compared with 20 Jan to 2 Feb 2025, and judged by these days. "
        "The next run does so."
    )
    assert (made.who, made.why, made.since) == ("ann", "a new carrier", datetime(2025, 2, 2, 23, tzinfo=UTC))
    first, second = json.loads(printed(watchkeeper("rebaseline", "parcels", "--list", "--json", *AT)))
    assert (first["compared_with"], first["since"], first["until"]) == ("1 to 14 Jan 2025", None, "2025-02-02T23:00:00Z")
    assert (second["compared_with"], second["who"], second["why"]) == ("20 Jan to 2 Feb 2025", "ann", "a new carrier")
    assert (second["starts_at"], second["ends_at"]) == ("2025-01-19T23:00:00Z", "2025-02-02T23:00:00Z")
    assert "20 Jan to 2 Feb 2025" in printed(watchkeeper("rebaseline", "parcels", "--list", *AT))
    said = printed(watchkeeper("rebaseline", "parcels", "--end", made.baseline_id[:5], "--who", "bob", "--reason", "it went", *AT))
    assert said == f"{made.baseline_id} is taken back: the next run compares windows of parcels as before it."
    assert [era.since for era in eras_listed(home, "parcels", now=NOW)] == [None]


def test_as_json_it_is_what_was_written_down(home: Home, watchkeeper):
    done = json.loads(printed(watchkeeper("rebaseline", "parcels", *DAYS, "--since", "2025-02-05", *AT, "--json")))
    assert (done["since"], done["starts_at"], done["ends_at"], done["warnings"]) == (
        "2025-02-04T23:00:00Z",
        "2025-01-19T23:00:00Z",
        "2025-02-02T23:00:00Z",
        [],
    )


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--to", "2025-02-03"), "--from: a new normal is made of days. Add for example --from 2013-05-01."),
        (("--from", "monday", "--to", "2025-02-03"), "--from: 'monday' is not a day. Write for example 2013-05-01."),
        (("--from", "2025-01-20", "--to", "2025-02-03"), "reason: a new normal needs a reason."),
        (("--list", "--from", "2025-01-20"), "rebaseline: --list and --end stand alone."),
        (("--end", "beef"), "rebaseline: no new normal of parcels that stands has an id that begins with 'beef'."),
    ],
)
def test_what_is_not_said_plainly_is_refused(home: Home, watchkeeper, arguments, said):
    refused = watchkeeper("rebaseline", "parcels", *arguments, *AT)
    assert refused.exit_code != 0
    assert said in refused.output
    assert home.lake.newest(Baseline) == []


def test_the_form_does_what_the_command_does(home: Home, monkeypatch: pytest.MonkeyPatch):
    flow = load_flow_from_entrypoint("watchkeeper.flows.rebaseline.rebaseline", use_placeholder_flow=False)
    form = parameter_schema(flow)
    assert set(form.required) == {"model", "first_day", "day_after_last", "reason", "who"}
    assert {n: form.properties[n].get("format") for n in ("first_day", "day_after_last")} == {"first_day": "date", "day_after_last": "date"}
    monkeypatch.setenv("WATCHKEEPER_HOME", str(home.root))
    done = flow.fn(model="parcels", first_day=date(2025, 1, 20), day_after_last=date(2025, 2, 3), reason="a new carrier", who="ann")
    [made] = home.lake.newest(Baseline)
    assert done.message == f"Declared as {made.baseline_id}: since 2025-02-02 23:00 UTC"
