"""The overview tells how a model stands, what is due and what was left out."""

import dataclasses
from datetime import timedelta

import pytest

import worlds_site as world
from watchkeeper.adapters.monitor_files import Problem
from watchkeeper.adapters.workspace import Home
from watchkeeper.operations.status import behind_text, label_coverage, operation_statuses, overview_rows, status
from watchkeeper.records import IncidentEvent, Run, Score
from watchkeeper.site.overview import overview_cells
from watchkeeper.windows import Grid
from watchkeeper.words import moment_text, window_text


@pytest.fixture(scope="module")
def stands(tmp_path_factory):
    home, watched = world.build(tmp_path_factory.mktemp("status"))
    return status(home, {watched.model: watched}, now=world.NOW)[0]


def runs_of(windows, outcome="done"):
    return [dataclasses.replace(world._run("measure", w), outcome=outcome, reason="" if outcome == "done" else "no disk") for w in windows]


def test_an_open_warning_makes_the_state_and_a_resolved_incident_does_not(stands):
    assert stands.overview.state == "warning"
    assert [i.severity for i in stands.overview.incidents] == ["warning"]


def test_the_newest_final_window_decides_about_targets(stands):
    kept = {t.text: t.is_kept for t in stands.overview.targets}
    assert kept == {"recall at least 0.35": False, "AUC at least 0.6": True, "PSI of dest at most 0.25": True}
    assert stands.overview.targets[0].value == pytest.approx(0.2)


def test_the_last_window_is_the_newest_measured_one_and_says_that_it_is_provisional(stands):
    assert stands.overview.window_end == world.days(world.monitor())[-1].end
    assert stands.overview.is_provisional


def test_the_cost_of_a_week_is_the_sum_of_its_days_and_is_marked_synthetic(stands):
    assert stands.overview.cost == pytest.approx(7 * 4.5, abs=3.5)
    assert stands.overview.is_cost_synthetic


def test_a_failed_action_stays_until_a_later_attempt_succeeds(stands):
    assert [(a.state, a.reason) for a in stands.failed_actions] == [("failed", "Slack answered 500")]


def test_windows_that_ended_after_the_last_run_are_due():
    watched = world.monitor()
    windows = world.days(watched)
    found = operation_statuses(runs_of(windows[:-3]), watched, world.NOW)[0]
    assert [w.start for w in found.due] == [w.start for w in windows[-3:]]
    assert found.left_out == []


def test_a_window_between_runs_without_an_outcome_was_left_out():
    watched = world.monitor()
    windows = world.days(watched)
    found = operation_statuses(runs_of([*windows[:5], *windows[7:]]), watched, world.NOW)[0]
    assert [w.start for w in found.left_out] == [w.start for w in windows[5:7]]
    assert found.due == []


def test_a_failed_run_puts_the_model_behind(tmp_path):
    home, watched = Home(tmp_path), world.monitor()
    windows = world.days(watched)
    home.lake.append_records(Run, [*runs_of(windows[:-1]), *runs_of(windows[-1:], "failed")])
    home.lake.append_records(Score, world._scores(watched, windows[-1]))
    row = overview_rows(home, {watched.model: watched}, now=world.NOW)[0]
    assert (row.state, row.reason) == ("behind", "measure failed: no disk")


def test_a_model_without_data_is_new_and_claims_nothing(tmp_path):
    watched = world.monitor()
    row = overview_rows(Home(tmp_path), {watched.model: watched}, now=world.NOW)[0]
    assert (row.state, row.window_start, row.label_coverage, row.cost) == ("new", None, None, None)
    assert [t.is_kept for t in row.targets] == [None, None, None]


def test_a_wrong_monitor_file_is_a_row_and_the_others_are_shown(tmp_path):
    watched = world.monitor()
    problem = Problem("deployments/monitors/x.yaml", 3, "task is missing", model="x")
    rows = overview_rows(Home(tmp_path), {watched.model: watched}, now=world.NOW, problems=[problem])
    assert {r.model: r.state for r in rows} == {"x": "misconfigured", watched.model: "new"}


def test_what_was_computed_later_does_not_exist(tmp_path):
    home, watched = Home(tmp_path), world.monitor()
    home.lake.append_records(Run, runs_of(world.days(watched)[-2:]))
    row = status(home, {watched.model: watched}, now=world.NOW - timedelta(days=30))[0]
    assert row.operations == []


def test_windows_before_the_first_row_are_not_the_models_and_those_without_rows_are_the_datas():
    """A promise over the week has a window that starts on the Monday before the first row."""
    watched = world.monitor()
    windows = world.days(watched)
    week = Grid("week", watched.timezone).at(windows[0].start)
    assert week.start < windows[0].start
    runs = [*runs_of([week]), *runs_of(windows[:-3]), *runs_of(windows[-3:], "missed")]
    found = operation_statuses(runs, watched, world.NOW)[0]
    assert found.left_out == []
    assert found.without_rows == windows[-3:]
    assert behind_text([found]) == ""


def test_rows_that_stopped_are_told_once(tmp_path):
    home, watched = Home(tmp_path), world.monitor()
    windows = world.days(watched)
    home.lake.append_records(Run, [*runs_of(windows[:-3]), *runs_of(windows[-3:], "missed")])
    home.lake.append_records(Score, [s for w in windows[-9:-3] for s in world._scores(watched, w)])
    none = [dataclasses.replace(world._scores(watched, w)[0], metric="rows", value=0.0, n=0) for w in windows[-3:]]
    home.lake.append_records(Score, none)
    row = overview_rows(home, {watched.model: watched}, now=world.NOW)[0]
    assert row.reason == f"no {watched.wording.rows} have landed since {moment_text(windows[-3].start, watched.timezone)}"
    assert row.window_end == windows[-4].end
    opened = dataclasses.replace(world._incidents(world._signals(windows))[0], event="opened", family="data", subject="missing rows")
    home.lake.append_records(IncidentEvent, [opened])
    row = overview_rows(home, {watched.model: watched}, now=world.NOW)[0]
    assert row.reason == ""
    assert [i.incident_id for i in row.incidents] == [opened.incident_id]


def test_the_last_window_is_the_last_with_rows_whatever_was_spent_since_and_however_long_ago_it_was(tmp_path):
    home, watched = Home(tmp_path), world.monitor()
    windows = world.days(watched)
    home.lake.append_records(Run, [*runs_of(windows[:-40]), *runs_of(windows[-40:-2], "missed"), *runs_of(windows[-2:], "late")])
    home.lake.append_records(Score, [s for w in windows[:-40] for s in world._scores(watched, w)])
    spent = [s for w in windows[-40:] for s in world._scores(watched, w) if s.metric in ("gpu_cost", "total_cost")]
    home.lake.append_records(Score, spent)
    row = overview_rows(home, {watched.model: watched}, now=world.NOW)[0]
    assert (row.window_start, row.window_end) == (windows[-41].start, windows[-41].end)
    assert overview_cells(row)["last window"] == f"{window_text(windows[-41].start, windows[-41].end, watched.timezone)}, 40 since without rows"
    assert row.label_coverage == pytest.approx(0.97)


def test_a_window_that_failed_is_not_said_to_be_without_rows(tmp_path):
    home, watched = Home(tmp_path), world.monitor()
    windows = world.days(watched)
    home.lake.append_records(Run, [*runs_of(windows[:-3]), *runs_of(windows[-3:-1], "late"), *runs_of(windows[-1:], "failed")])
    row = overview_rows(home, {watched.model: watched}, now=world.NOW)[0]
    assert row.window_end == windows[-4].end
    assert row.windows_without_rows == 2


def test_labels_of_hours_are_those_of_the_newest_day_of_hours():
    def coverage(hour: int, value: float, n: int) -> Score:
        start = world.NOW - timedelta(hours=hour)
        about = {"metric": "label_coverage", "value": value, "n": n, "window_start": start, "window_end": start + timedelta(hours=1)}
        return dataclasses.replace(world._scores(world.monitor(), world.days(world.monitor())[0])[0], **about)

    hours = [coverage(1, 1.0, 100), coverage(2, 0.98, 300), coverage(40, 0.1, 9000)]
    assert label_coverage(hours) == pytest.approx(0.985)
    assert label_coverage([]) is None
