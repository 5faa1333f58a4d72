"""A watch that goes on: a fault in the newest rows is told at the next step, old rows are left alone, and nothing piles up."""

import json
import os
import re
import shutil
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from live_world import live_rows, live_workspace, write_file
from slack_standin import Slack
from watchkeeper.adapters.lake import Lake
from watchkeeper.adapters.pace import Pace
from watchkeeper.adapters.settings import Settings
from watchkeeper.adapters.workspace import Home, find_home, load_monitors
from watchkeeper.errors import UsageError
from watchkeeper.judgement.incidents import fold
from watchkeeper.judgement.times import times_text
from watchkeeper.operations.check import check
from watchkeeper.operations.doctor import examine
from watchkeeper.operations.follow import Plan, Step, check_beat, follow
from watchkeeper.operations.ingest import ingest
from watchkeeper.operations.newest import look, told_by_windows
from watchkeeper.operations.profile import profile
from watchkeeper.operations.rollup import rolled_up
from watchkeeper.operations.status import overview_rows
from watchkeeper.operations.unlooked import GIVEN_UP, unlooked_text
from watchkeeper.operations.watch import watch
from watchkeeper.records import RECORDS, IncidentEvent, Look, Profile, Run, Score, Signal
from watchkeeper.windows import Grid

NOW = datetime(2026, 11, 20, 14, 20, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
MODEL = "rides"


class Clock:
    """A clock that a test moves: before each wait it calls `between` with the number of the step that ended."""

    def __init__(self, steps: int, between: Any = lambda _: None, *, every: timedelta = MINUTE, start: datetime = NOW) -> None:
        self.at, self.steps, self.between, self.every, self.start = start, steps, between, every, start
        self.done = 0

    def wait(self, seconds: float) -> bool:
        self.done += 1
        self.at += timedelta(seconds=seconds)
        if self.done < self.steps:
            self.between(self.done)
        return self.done >= self.steps

    @property
    def pace(self) -> Pace:
        return Pace(now=lambda: self.at, seconds=lambda: (self.at - self.start).total_seconds(), wait=self.wait)  # noqa: PLW0108 - the clock moves


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model with its history up to NOW, brought up to date."""
    root = tmp_path_factory.mktemp("lived") / "home"
    live_workspace(root, [MODEL], NOW, days=3, rows_an_hour=300)
    watch(find_home(root), now=NOW)
    return root


@pytest.fixture
def home(lived: Path, tmp_path: Path) -> Home:
    shutil.copytree(lived, tmp_path / "home")
    return find_home(tmp_path / "home")


def minute(home: Home, number: int, *, rows: int = 400, faults: tuple[str, ...] = (), model: str = MODEL) -> None:
    """Write the rows of the minute before a step."""
    start = NOW + (number - 1) * MINUTE
    write_file(home.root, model, start, live_rows(np.random.default_rng(number), start, start + MINUTE, rows, faults=faults))


def followed(home: Home, clock: Clock, **plan: Any) -> list[Step]:
    steps: list[Step] = []
    follow(home, Plan(**{"every_s": clock.every.total_seconds(), "is_whole": False, **plan}), clock.pace, told=steps.append)
    return steps


def opened(home: Home) -> dict[str, IncidentEvent]:
    return {e.subject: e for e in home.lake.newest(IncidentEvent) if e.event == "opened"}


def states(home: Home) -> dict[str, int]:
    return {r.TABLE: found.version() for r in RECORDS if (found := home.lake.table(r.TABLE)) is not None} | {
        "leases": home.lake.table("leases").version()
    }


def test_a_fault_is_told_at_the_step_after_its_first_minute(home: Home, monkeypatch: pytest.MonkeyPatch):
    with Slack() as slack:
        for name, value in {"SLACK_BOT_TOKEN": slack.as_bot.slack_bot_token, "SLACK_API_URL": slack.as_bot.slack_api_url}.items():
            monkeypatch.setenv(name, str(value))
        steps = followed(home, Clock(4, lambda n: minute(home, n, faults=("slow", "missing") if n == 2 else ())))
        assert [s.failures for s in steps] == [[]] * 4
        assert [len(s.events) for s in steps] == [0, 0, 2, 0]
        assert len(slack.messages) == 2
    told = {s: e.story for s, e in opened(home).items()}
    assert set(told) == {"service", "missing values"}
    for incident in fold(home.lake.newest(IncidentEvent)):
        assert NOW + MINUTE <= incident.onset_at < NOW + MINUTE + timedelta(seconds=1), "its first bad row, not the hour's start"
        assert times_text(incident) == "detected after 1 min"
    assert "on Fri 20 November, 14:21 to 14:22" in told["service"]
    assert "in a typical hour" in told["service"]
    assert "weight: missing in" in told["missing values"]


@pytest.mark.nightly
def test_another_kind_of_trouble_and_one_that_doubles_are_told_in_the_thread_at_once(home: Home, monkeypatch: pytest.MonkeyPatch):
    """Errors beside an open incident of slowness are no secret until the cooldown is over, and neither is twice as many; as many again is."""
    shares = {3: 0.2, 4: 0.25, 5: 0.55, 6: 0.5}
    with Slack() as slack:
        for name, value in {"SLACK_BOT_TOKEN": slack.as_bot.slack_bot_token, "SLACK_API_URL": slack.as_bot.slack_api_url}.items():
            monkeypatch.setenv(name, str(value))
        followed(home, Clock(8, lambda n: failing(home, n, shares.get(n, 0.0)) if n > 1 else None))
        posts = slack.messages
    assert [("thread_ts" in p) for p in posts] == [False, True, True]
    said = [json.dumps(p, ensure_ascii=False) for p in posts]
    assert "error" not in said[0]
    assert re.search(r"got worse.*error ratio (1[6-9]|2[0-5]) %, usually 0\.3 %", said[1])
    assert "Errors too" not in said[1]  # the whole story stands on the incident's page
    assert re.search(r"got worse.*error ratio 5\d %, before (1[6-9]|2[0-5]) %", said[2])


def test_failed_calls_without_a_score_are_errors_and_no_missing_score(home: Home):
    """What a status says failed misses no score; a score that is missing of rows that did not fail is told, by no name of ours."""

    def between(number: int) -> None:
        start, rng = NOW + (number - 1) * MINUTE, np.random.default_rng(number)
        rows = live_rows(rng, start, start + MINUTE, 400)
        failed = rng.random(400) < (0.4 if number == 2 else 0.0)
        without = failed if number == 2 else rng.random(400) < (0.6 if number == 4 else 0.0)
        status = pa.array(np.where(failed, 503, rows["status"].to_numpy()))
        rows = rows.set_column(rows.schema.get_field_index("status"), "status", status)
        score = pa.array(rows["eta"].to_numpy(), mask=without)
        write_file(home.root, MODEL, start, rows.set_column(rows.schema.get_field_index("eta"), "eta", score))

    followed(home, Clock(4, between))
    assert set(opened(home)) == {"service"}
    assert all(missing_scores(home, NOW + 4 * MINUTE, feature) == [0.0, 0.0] for feature in ("@score", None)), "asked for alone as with all features"
    followed(home, Clock(2, lambda _: between(4), start=NOW + 4 * MINUTE))
    story = opened(home)["missing values"].story
    assert "score: missing in" in story
    assert "@score" not in story


def missing_scores(home: Home, now: datetime, feature: str | None) -> list[float | None]:
    """Return the share of missing scores of each hour of the last two, asked for alone or with all features."""
    monitor = load_monitors(home)[0][MODEL]
    found = rolled_up(
        home, monitor, Grid("hour", "UTC"), now=now, start=now - timedelta(hours=2), end=now, metrics={"null_ratio"}, of_whole=True, feature=feature
    )
    return [s.value for s in found if s.feature == "@score"]


def failing(home: Home, number: int, share: float) -> None:
    """Write a minute of slow requests of which a share fails."""
    start, rng = NOW + (number - 1) * MINUTE, np.random.default_rng(number)
    rows = live_rows(rng, start, start + MINUTE, 400, faults=("slow",))
    status = np.where(rng.random(400) < share, 503, rows["status"].to_numpy())
    write_file(home.root, MODEL, start, rows.set_column(rows.schema.get_field_index("status"), "status", pa.array(status)))


def test_minutes_in_which_nothing_is_wrong_tell_nobody(home: Home):
    steps = followed(home, Clock(6, lambda n: minute(home, n, rows=60 * n)))
    assert [sum(s.looked.values()) for s in steps[1:]] == [60, 120, 180, 240, 300]
    assert not opened(home)
    assert not any(one.is_out for one in home.lake.newest(Look))


def test_models_that_are_told_by_their_windows_alone_are_named(home: Home, tmp_path: Path):
    live_workspace(tmp_path / "days", ["slow_seller"], NOW, days=3, rows_an_hour=40, window="day")
    days = find_home(tmp_path / "days")
    monitors = list(load_monitors(days)[0].values())
    assert told_by_windows(days, monitors, now=NOW) == []  # of what was never counted nothing is known
    watch(days, now=NOW)
    assert told_by_windows(days, monitors, now=NOW) == ["slow_seller"]
    assert told_by_windows(home, load_monitors(home)[0].values(), now=NOW) == []


def test_too_few_rows_wait_for_more(home: Home):
    steps = followed(home, Clock(5, lambda n: minute(home, n, rows=12, faults=("failing",))))
    assert [sum(s.looked.values()) for s in steps[1:]] == [0, 0, 36, 0]


def looks_at(home: Home, metric: str, segment: str = "") -> list[Look]:
    """Return the looks at a number with rows since NOW, in order."""
    mine = [one for one in home.lake.newest(Look) if (one.metric, one.segment) == (metric, segment) and one.rows_to > NOW]
    return sorted(mine, key=lambda one: one.rows_from)


@pytest.mark.nightly
def test_a_percentile_waits_for_rows_of_its_own_while_shares_are_looked_at(home: Home):
    """Forty rows a minute are enough for a share each minute, and for a percentile every third; none is in two looks at the same."""
    followed(home, Clock(7, lambda n: minute(home, n, rows=40, faults=("slow",) if n > 3 else ())))
    assert [one.n for one in looks_at(home, "rows")] == [one.n for one in looks_at(home, "error_ratio")] == [40] * 6
    of_percentile = looks_at(home, "latency_p95")
    assert [(one.n, one.is_out) for one in of_percentile] == [(120, False), (120, True)]
    assert [(one.rows_from.minute, one.rows_to.minute) for one in of_percentile] == [(20, 22), (23, 25)]


@pytest.mark.nightly
def test_a_segment_waits_for_rows_of_its_own(home: Home):
    """Of sixty rows a minute each of three regions has some twenty: enough for a share of errors in two minutes, for a percentile in five or six."""
    followed(home, Clock(9, lambda n: minute(home, n, rows=60)))
    for metric, least in (("errors_to_rest", 30), ("latency_to_rest", 100)):
        found = {region: looks_at(home, metric, f"region={region}") for region in ("eu", "us", "asia")}
        assert all(least <= one.n < least + 40 for looks in found.values() for one in looks)
        assert all(one.rows_to <= after.rows_from for looks in found.values() for one, after in pairwise(looks))
        assert all(480 / 3 / (least + 30) - 1 < len(looks) for looks in found.values())


@pytest.mark.nightly
def test_rows_of_an_hour_that_is_over_wait_for_its_late_ones(home: Home):
    """Twelve are too few; what is looked at in the hour after does not take them away."""
    start = NOW.replace(minute=57)

    def between(number: int) -> None:
        at, rows = {1: (57, 12), 2: (58, 12), 3: (60, 400), 4: (59, 12)}[number]
        begin = NOW.replace(minute=0) + at * MINUTE
        write_file(home.root, MODEL, begin, live_rows(np.random.default_rng(number), begin, begin + MINUTE, rows, faults=("failing",)))

    followed(home, Clock(5, between, start=start))
    hour = NOW.replace(minute=0) + timedelta(hours=1)
    assert [(one.n, one.rows_from < hour) for one in looks_at(home, "rows")] == [(36, True), (400, False)]


@pytest.mark.nightly
def test_days_that_the_calendar_names_while_it_is_followed_are_not_learned_from(home: Home):
    """What is usual is kept from step to step, and by the monitor as it is now."""
    file = home.root / "deployments" / "monitors" / f"{MODEL}.yaml"

    def between(number: int) -> None:
        minute(home, number)
        if number == 2:
            days = [f"2026-11-{day}" for day in range(14, 19)]
            file.write_text(json.dumps(json.loads(file.read_text()) | {"calendar": {"strike": days}}))

    steps = followed(home, Clock(4, between))
    assert [s.failures for s in steps] == [[]] * 4
    at = [round((one.computed_at - NOW) / MINUTE) for one in looks_at(home, "error_ratio")]
    assert at == [1], "without a day to learn from nothing is usual"


def test_a_step_with_nothing_new_writes_nothing(home: Home):
    steps = followed(home, Clock(4))
    assert all(not s.batches and not s.looked and not s.events for s in steps[1:])
    before = states(home)
    followed(home, Clock(2))
    after = states(home)
    changed = {table for table in after if after[table] != before[table]}
    assert changed <= {"leases"}  # a process that begins asks once


def test_labels_and_old_windows_are_left_to_the_whole_watch(home: Home):
    followed(home, Clock(3, lambda n: minute(home, n)))
    scores, parts = home.lake.newest(Score), home.lake.read(Profile.TABLE, where=pc.field("computed_at") > NOW)
    assert max(s.window_end for s in scores) <= NOW
    assert parts is not None
    assert set(parts.column("kind").to_pylist()) <= {"feature", "service", "mark", "pair"}


@pytest.mark.nightly
def test_one_process_more_or_less_finds_the_same(home: Home, tmp_path: Path):
    """A process that is killed and started again between any two steps goes on from there."""
    shutil.copytree(home.root, tmp_path / "other")
    other = find_home(tmp_path / "other")
    followed(home, Clock(4, lambda n: minute(home, n, faults=("failing",) if n == 3 else ())))
    for n in range(4):
        if n:
            minute(other, n, faults=("failing",) if n == 3 else ())
        followed(other, Clock(1, start=NOW + n * MINUTE))
    assert {e.event_id for e in home.lake.newest(IncidentEvent)} == {e.event_id for e in other.lake.newest(IncidentEvent)} != set()
    assert {(one.metric, one.rows_to, one.p) for one in home.lake.newest(Look)} == {
        (one.metric, one.rows_to, one.p) for one in other.lake.newest(Look)
    }


def test_what_the_newest_rows_told_stays_when_the_whole_hour_is_in_line(home: Home):
    """Two bad minutes of an hour are no bad hour; they were bad all the same, and are over once hours are in line."""

    def between(number: int) -> None:
        minute(home, number, rows=60, faults=("failing",) if number == 2 else ())

    followed(home, Clock(4, between))
    assert set(opened(home)) == {"service"}
    start = NOW.replace(minute=24)
    hours = live_rows(np.random.default_rng(7), start, start + timedelta(hours=5), 30_000)
    write_file(home.root, MODEL, start, hours)
    watch(home, now=NOW + timedelta(hours=6))
    events = sorted(home.lake.newest(IncidentEvent), key=lambda e: e.at)
    assert [e.event for e in events if e.subject == "service"][-1] == "resolved"
    assert events[-1].why.startswith("clear since")
    (signal,) = [s for s in home.lake.newest(Signal) if s.metric == "error_ratio"]
    assert (signal.rule, signal.state) == ("newest", "mature")


def test_a_trouble_that_lasts_is_told_once_and_goes_on_as_the_hours_own(home: Home):
    steps = followed(home, Clock(5, lambda n: minute(home, n, faults=("slow",) if n > 1 else ())))
    assert [len(s.events) for s in steps] == [0, 0, 1, 0, 0]
    watch(home, now=NOW + timedelta(hours=1))
    (signal,) = [s for s in home.lake.newest(Signal) if s.metric == "latency_p95"]
    assert signal.rule == "sudden"
    assert {e.event for e in home.lake.newest(IncidentEvent)} == {"opened", "joined"}


def test_the_whole_watch_comes_at_first_and_when_a_window_has_ended(home: Home):
    steps = followed(home, Clock(50, lambda n: minute(home, n, rows=40) if n % 10 == 0 else None), is_whole=True)
    whole = [s.at for s in steps if s.whole]
    assert whole == [NOW + k * MINUTE for k in (0, 15, 30, 42)]
    assert max(r.window_end for r in home.lake.newest(Run) if r.operation == "measure") == NOW.replace(minute=0) + timedelta(hours=1)


def test_a_beat_that_comes_during_a_step_is_left_out(home: Home):
    clock = Clock(3)
    steps: list[Step] = []

    def told(step: Step) -> None:
        steps.append(step)
        clock.at += timedelta(seconds=150 if len(steps) == 1 else 0)

    follow(home, Plan(every_s=60.0, is_whole=False), clock.pace, told=told)
    assert [s.skipped for s in steps] == [0, 2, 0]
    assert [s.at for s in steps] == [NOW, NOW + 3 * MINUTE, NOW + 4 * MINUTE]


def test_it_ends_when_its_time_is_over(home: Home):
    assert len(followed(home, Clock(100), for_s=300.0)) == 5


def test_a_failed_step_is_kept_and_the_next_one_comes(home: Home):
    suite = home.suites_dir / f"{MODEL}_events.json"

    def between(number: int) -> None:
        minute(home, number)
        if number == 1:
            suite.write_text("{ half edi")
        elif number == 3:
            suite.unlink()

    steps = followed(home, Clock(4, between))
    assert [bool(s.failures) for s in steps] == [False, True, True, False]
    assert "ingest failed" in steps[1].failures[0]
    assert sum(b.rows_landed for b in steps[3].batches) == 1200
    (run,) = [r for r in home.lake.newest(Run) if r.operation == "ingest"]
    assert run.outcome == "done"


def test_a_find_that_could_not_be_judged_is_judged_at_a_later_step(home: Home):
    """The scores cannot be read for two minutes, in the first of which the service begins to fail."""
    log = home.root / "warehouse" / "lake" / "scores" / "_delta_log"
    half_written = log / f"{len(list(log.glob('*.json'))):020}.json"

    def between(number: int) -> None:
        if number < 3:
            minute(home, number, faults=("failing",) if number == 2 else ())
        half_written.write_text("{") if number == 2 else half_written.unlink(missing_ok=True) if number == 4 else None

    steps = followed(home, Clock(6, between))
    assert [len(s.events) for s in steps] == [0, 0, 0, 0, 1, 0]
    assert ["judge failed" in " ".join(s.failures) for s in steps] == [False, False, True, True, False, False]


def test_a_find_of_a_process_that_was_killed_before_it_judged_is_told_by_the_next(home: Home):
    followed(home, Clock(2, lambda n: minute(home, n)))
    minute(home, 2, faults=("failing",))
    monitor, at = load_monitors(home)[0][MODEL], NOW + 2 * MINUTE
    ingest(home, monitor, now=at)
    profile(home, monitor, now=at, counts_alone=True)
    assert any(one.is_out for one in look(home, monitor, now=at))
    steps = followed(home, Clock(2, start=NOW + 3 * MINUTE))
    assert [len(s.events) for s in steps] == [1, 0]


class _BesideAnother(Lake):
    """A lake in which something is done by another process once, when this one keeps what it saw."""

    meanwhile: Any = None

    def append_records(self, record: type, rows: Any, **more: Any) -> None:
        super().append_records(record, rows, **more)
        if record is Look and rows and self.meanwhile is not None:
            meanwhile, self.meanwhile = self.meanwhile, None
            meanwhile()


def test_what_another_process_lands_during_a_look_is_counted_at_the_next_step(home: Home):
    """It also takes the file out of the inbox, so that only the lake tells of it."""
    lake = _BesideAnother(home.lake.address)
    mine = find_home(home.root)
    vars(mine)["lake"] = lake

    def land() -> None:
        minute(home, 3)
        (batch,) = ingest(home, load_monitors(home)[0][MODEL], now=NOW + 3 * MINUTE)
        Path(batch.path if Path(batch.path).is_absolute() else home.root / batch.path).unlink()

    def between(number: int) -> None:
        if number < 3:
            minute(home, number)
        for file in (home.root / "inbox").iterdir():
            os.utime(file, (1.7e9, 1.7e9))  # a file written just now is read again, whatever the lake says
        lake.meanwhile = land if number == 2 else None

    assert [sum(s.looked.values()) for s in followed(mine, Clock(5, between))[1:]] == [400, 400, 400, 0]


def test_after_the_whole_watch_metrics_are_exported_and_what_could_not_be_read_or_sent_is_said(home: Home):
    pages = {"prometheus": [{"name": "gone", "scrape": "http://127.0.0.1:9/metrics"}]}
    export = {"export": {"textfile": "wk.prom", "otlp": "http://127.0.0.1:9"}}
    settings = json.loads((home.root / "watchkeeper.yaml").read_text()) | {"telemetry": pages | export}
    (home.root / "watchkeeper.yaml").write_text(json.dumps(settings))
    (step,) = followed(find_home(home.root), Clock(1), is_whole=True)
    assert "watchkeeper_score{" in (home.root / "wk.prom").read_text()
    assert [f.split(":")[0] for f in step.failures] == ["gone", "The metrics could not be exported"]


def test_a_workspace_that_breaks_while_it_is_followed_does_not_end_it(home: Home):
    monitor = home.monitors_dir / f"{MODEL}.yaml"
    text = monitor.read_text()
    steps = followed(home, Clock(3, lambda n: monitor.write_text("model: [" if n == 1 else text)))
    assert [bool(s.failures) for s in steps] == [False, True, False]


def test_a_model_that_another_process_is_at_is_left_to_it(home: Home):
    from watchkeeper.adapters.leases import lease

    minute(home, 1)
    with lease(home.lake, f"watch:{MODEL}"):
        (step,) = followed(home, Clock(1))
    assert step.elsewhere == [MODEL]
    (step,) = followed(home, Clock(1, start=NOW + MINUTE))
    assert sum(b.rows_landed for b in step.batches) == 400


@pytest.mark.nightly
def test_a_day_is_told_by_its_newest_minutes_where_its_parts_are_hours(tmp_path: Path):
    root = tmp_path / "daily"
    live_workspace(root, [MODEL], NOW, days=4, rows_an_hour=1100, window="day")
    home = find_home(root)
    watch(home, now=NOW)
    assert load_monitors(home)[0][MODEL].window == "day"
    followed(home, Clock(4, lambda n: minute(home, n, faults=("failing",) if n == 2 else ())))
    event = opened(home)["service"]
    assert (event.window_start, event.window_end) == (NOW.replace(hour=0, minute=0), NOW.replace(hour=0, minute=0) + timedelta(days=1))
    assert "14:21 to 14:22" in event.story


@pytest.mark.parametrize("seconds", [0.5, 3601])
def test_a_beat_that_nobody_keeps_is_refused(seconds: float):
    with pytest.raises(UsageError, match="not between 1 s and 1 h"):
        check_beat(timedelta(seconds=seconds))


def test_newest_rows_that_nobody_looks_at_any_more_are_told_of_where_somebody_did(home: Home) -> None:
    monitor = load_monitors(home)[0][MODEL]
    minute(home, 1)
    ingest(home, monitor, now=NOW + MINUTE)
    assert unlooked_text(home, monitor, now=NOW + 20 * MINUTE) == "", "nobody ever looked at them"
    minute(home, 2)
    followed(home, Clock(2, lambda n: minute(home, n + 2)))
    last = NOW + MINUTE
    assert unlooked_text(home, monitor, now=last + 59 * MINUTE) == "", "it may rest"
    said = "the newest rows have not been looked at for 1 h, since Fri 20 Nov 2026, 14:21"
    assert unlooked_text(home, monitor, now=last + 60 * MINUTE) == said
    assert unlooked_text(home, monitor, now=last + GIVEN_UP + MINUTE) == "", "left off for good"
    minute(home, 4)
    ingest(home, monitor, now=NOW + 4 * MINUTE)
    assert unlooked_text(home, monitor, now=NOW + 18 * MINUTE) == ""
    now = NOW + 19 * MINUTE
    said = "the newest rows have not been looked at for 18 min, since Fri 20 Nov 2026, 14:21"
    assert unlooked_text(home, monitor, now=now) == said
    assert said in [finding.what for finding in check(home, now=now).findings]
    assert ("warn", f"newest rows of {MODEL}", said) in [(d.state, d.subject, d.what) for d in examine(home, settings=Settings(), now=now)]
    [row] = overview_rows(home, load_monitors(home)[0], now=now)
    assert (row.state, said in row.reason) == ("behind", True)
