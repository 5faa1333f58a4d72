"""The naive rules are counted on a workspace's own scores: each alarm is a number that anyone can look up."""

from collections.abc import Callable
from datetime import UTC, date, datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from benchmarks.naive import DEVIATIONS, Line, Year, compared, table, year_of

from conftest import PARCELS, new_home
from watchkeeper.adapters.workspace import Home, load_monitor
from watchkeeper.errors import UsageError
from watchkeeper.operations.listing import Wanted, listed_scores
from watchkeeper.operations.watch import watch
from watchkeeper.records import Action, Signal
from watchkeeper.windows import Window
from worlds import DAY, parcels_days

BEGIN = datetime(2025, 1, 1, tzinfo=UTC)
DAYS = 30
NOW = BEGIN + 32 * DAY  # the Sunday after the last parcels
REFERENCE_DAYS = 14
BAD = Window(BEGIN + 24 * DAY, BEGIN + 27 * DAY)


def heavier(events: pa.Table, labels: pa.Table) -> tuple[pa.Table, pa.Table]:
    place = events.column_names.index("weight_kg")
    return events.set_column(place, "weight_kg", pc.multiply(events["weight_kg"], 1.15)), labels


@pytest.fixture(scope="module")
def year(tmp_path_factory: pytest.TempPathFactory) -> Year:
    """Return parcels of a month, on three days of which most are late and all a little heavier."""
    home, bad = new_home(tmp_path_factory.mktemp("naive") / "home", PARCELS), range(24, 27)
    parcels_days(home.root, date(2025, 1, 1), DAYS, rows=400, late=dict.fromkeys(bad, 0.8), change=dict.fromkeys(bad, heavier))
    watch(home, now=NOW)
    return Year(home=home, monitor=load_monitor(home, "parcels"), now=NOW, inputs=("weight_kg", "depot"), weather=("weight_kg",), bad=BAD)


@pytest.fixture(scope="module")
def lines(year: Year) -> dict[str, Line]:
    return {line.rule: line for line in compared(year)}


def numbers(year: Year, metric: str, feature: str = "") -> dict[int, float]:
    found = listed_scores(year.home, year.monitor, Wanted(metrics=frozenset({metric}), feature=feature), now=NOW)
    return {(s.window_start - BEGIN) // DAY: s.value for s in found if s.value is not None}


def test_a_kpi_that_lies_two_standard_deviations_from_its_reference_days_is_an_alarm(year, lines):
    found = numbers(year, "positive_rate")
    usual = np.array([v for day, v in found.items() if day < REFERENCE_DAYS])
    broken = {day for day, v in found.items() if abs(v - usual.mean()) > DEVIATIONS * usual.std(ddof=1)}
    line = lines["positive_rate 2 sd from its reference days, by day"]
    assert (line.alarms, line.windows, line.of) == (*[len({d for d in broken if d >= REFERENCE_DAYS})] * 2, DAYS - REFERENCE_DAYS)
    assert (line.bad_week, line.of_bad_week) == (3, 3)
    assert (line.reference, line.of_reference) == (len({d for d in broken if d < REFERENCE_DAYS}), REFERENCE_DAYS)


def test_p_is_that_of_each_input_on_each_day(year, lines):
    found = [numbers(year, "ks_p", "weight_kg"), numbers(year, "chi_square_p", "depot")]
    broken = [(feature, day) for feature, of in enumerate(found) for day, p in of.items() if p < 0.05 and day >= REFERENCE_DAYS]
    line = lines["p of an input below 0.05, by day"]
    assert (line.alarms, line.windows) == (len(broken), len({day for _, day in broken}))
    assert line.bad_week == 3
    assert lines["p of an input below 0.05 / 2, by day"].alarms <= line.alarms


def test_inputs_that_hardly_move_have_no_psi_alarm_and_weeks_that_go_on_do_not_count(lines):
    by_week = lines["PSI of an input above 0.2, by week"]
    assert (by_week.alarms, by_week.of, by_week.of_reference) == (0, 1, 3)  # that of 20 January: the one before begins in the reference
    assert lines["PSI of a weather input above 0.2, by day"].of == DAYS - REFERENCE_DAYS


def test_what_watchkeeper_said_is_counted_as_it_stands(year, lines):
    signals = year.home.lake.newest(Signal)
    pages = [s for s in signals if s.level == "page" and s.state != "withdrawn"]
    line = lines["Watchkeeper: pages, numbers by day"]
    of_rows = {BEGIN + day * DAY for day in range(DAYS)}  # later days have none, and no naive rule asks about them
    assert (line.alarms, line.windows) == (len(pages), len({s.window_start for s in pages} & of_rows))
    assert line.bad_week == 3
    assert lines["Watchkeeper: incidents, that pages became"].alarms >= 1
    sent = [a for a in year.home.lake.newest(Action) if a.state == "sent" and a.kind == "resolve"]
    assert lines["Watchkeeper: messages that one is over"].alarms == len(sent)


def test_the_table_has_a_row_a_rule(lines):
    rows = table(list(lines.values())).split("\n")
    assert len(rows) == len(lines) + 2
    assert {row.count(" | ") for row in rows} == {4}


def test_a_workspace_without_the_demo_is_refused(make_home: Callable[..., Home]):
    with pytest.raises(UsageError, match="flight_delays"):
        year_of(make_home(PARCELS, name="other"))
