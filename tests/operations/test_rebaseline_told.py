"""What people look at names the reference that applies: the new normal since it began, and before it what was."""

import json
from collections.abc import Callable

import pytest

from eras_world import BEGIN, NOW, SAID, SINCE, WATCHED, brought_up, declare, shifted_home
from watchkeeper.adapters.workspace import Home, load_monitor, load_monitors
from watchkeeper.operations.explain import explain
from watchkeeper.operations.incident_book import known_incidents
from watchkeeper.operations.pages import pages
from watchkeeper.operations.report import digest_of
from watchkeeper.operations.rollup import pooled_scores, rolled_up
from watchkeeper.operations.segments import segments
from watchkeeper.operations.status import status
from watchkeeper.site.explanation import explanation_lines
from watchkeeper.windows import Grid, Window
from worlds import DAY

NAMED = f"21 Jan to 3 Feb 2025, {SAID}"


@pytest.fixture(scope="module")
def rebased(tmp_path_factory: pytest.TempPathFactory) -> Home:
    home = shifted_home(tmp_path_factory.mktemp("told") / "home")
    declare(home)
    brought_up(home)
    return home


def of_day(day: int) -> Window:
    return Window(BEGIN + day * DAY, BEGIN + (day + 1) * DAY)


def test_a_prediction_is_told_beside_the_reference_of_its_window(rebased: Home):
    monitor = load_monitor(rebased, "parcels")
    before, since = (dict(explanation_lines(monitor, explain(rebased, monitor, f"{day}-00003", now=NOW))) for day in ("20250203", "20250204"))
    assert "Compared with" not in before
    assert since["Compared with"] == NAMED


def test_a_digest_names_the_new_normal_and_says_no_figure_was_restated_by_it(rebased: Home):
    monitor = load_monitor(rebased, "parcels")
    before, since = (digest_of(rebased, monitor, of_day(day), now=NOW, period="day") for day in (SINCE - 1, SINCE))
    assert "Compared with" not in before.text
    assert f"Compared with:** {NAMED}." in since.text
    assert "restated" not in since.text


def test_status_and_the_pages_name_it(rebased: Home, copy_of: Callable[[Home], Home]):
    home = copy_of(rebased)
    monitors = load_monitors(home)[0]
    assert [s.overview.compared_with for s in status(home, monitors, now=NOW)] == [NAMED]
    assert [s.overview.compared_with for s in status(home, monitors, now=WATCHED)] == [""]
    pages(home, monitors, now=NOW)
    assert NAMED in (home.site_dir / "models" / "parcels.html").read_text()
    [incident] = known_incidents(home, now=NOW)
    page = (home.site_dir / "incidents" / f"{incident.id}.html").read_text()
    assert SAID in page
    assert "<dt>Compared with</dt>" not in page


def test_the_command_status_prints_it(rebased: Home, watchkeeper):
    assert f"compared with {NAMED}" in watchkeeper("status", "--now", NOW.isoformat(), at=rebased).stdout
    [row] = json.loads(watchkeeper("status", "--now", NOW.isoformat(), "--json", at=rebased).stdout)
    assert NAMED in json.dumps(row)


def test_segments_are_held_against_the_reference_of_the_window(rebased: Home):
    monitor = load_monitor(rebased, "parcels")
    before, since = (segments(rebased, monitor, now=NOW, metric="accuracy", window=of_day(day)) for day in (SINCE - 1, SINCE))
    assert before.reference_value > since.reference_value + 0.1


def test_windows_on_request_are_compared_with_the_reference_of_their_beginning(rebased: Home):
    monitor = load_monitor(rebased, "parcels")
    asked = {"now": NOW, "start": BEGIN + (SINCE - 1) * DAY, "end": BEGIN + (SINCE + 1) * DAY, "metrics": {"psi"}}
    before, since = (s for s in rolled_up(rebased, monitor, Grid("day", "UTC"), **asked) if s.feature == "weight_kg")
    assert before.value > since.value + 1.0
    pooled = pooled_scores(rebased, monitor, [(BEGIN + 34 * DAY, BEGIN + 36 * DAY)], {"psi"}, now=NOW)
    assert next(s for s in pooled if s.feature == "weight_kg").reference == since.reference
