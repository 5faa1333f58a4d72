"""A digest is not written while the figures are not whole, and is written again when they were restated."""

import json
import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
import yaml

from conftest import PARCELS, new_home, parcels_world
from watchkeeper.adapters.workspace import Home, find_home, load_monitors
from watchkeeper.errors import UnwritableError
from watchkeeper.judgement.incidents import fold
from watchkeeper.operations.failures import failed, recovered
from watchkeeper.operations.report import CATCH_UP, digest_of, newest_digest, report
from watchkeeper.operations.watch import present, watch
from watchkeeper.records import Digest, IncidentEvent, Score
from watchkeeper.windows import Grid
from worlds import DAY, parcels_days

FIRST, BEGIN = date(2025, 1, 1), datetime(2025, 1, 1, tzinfo=UTC)
MONDAY = datetime(2025, 1, 20, tzinfo=UTC)
NOW = MONDAY + 9 * DAY
LATER = NOW + timedelta(hours=6)
DECIDES_OTHERWISE = PARCELS | {"columns": {k: v for k, v in PARCELS["columns"].items() if k != "prediction"}, "threshold": 0.05}
MESSAGE = "2025-01-27-{}-digest{}.md"


@pytest.fixture(scope="module")
def seen_on_monday(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """Four weeks of parcels, watched when the last of them was over and its labels were not all due."""
    home = new_home(tmp_path_factory.mktemp("digests") / "home", PARCELS)
    parcels_days(home.root, FIRST, 26)
    watch(home, now=MONDAY + 7 * DAY)
    return home


@pytest.fixture
def undigested(seen_on_monday: Home, copy_of: Callable[[Home], Home]) -> Home:
    """The workspace before the week's digest is due."""
    return copy_of(seen_on_monday)


@pytest.fixture(scope="module")
def seen_when_due(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """Four weeks of parcels, watched once, when all labels were due: the week's digest is written."""
    home = new_home(tmp_path_factory.mktemp("digests") / "home", PARCELS)
    parcels_days(home.root, FIRST, 26)
    watch(home, now=NOW)
    return home


@pytest.fixture
def digested(seen_when_due: Home, copy_of: Callable[[Home], Home]) -> Home:
    """The workspace after the week's digest was written."""
    return copy_of(seen_when_due)


def told(home: Home, now: datetime = LATER) -> Digest:
    """Return the newest digest of the week."""
    found = newest_digest(home, load_monitors(home)[0]["parcels"], now=now)
    assert found is not None
    return found


def message(home: Home, revision: str = "") -> str:
    return (home.outbox_dir / MESSAGE.format(told(home).digest_id, revision)).read_text().replace("  \n", "\n")


def labels_again(home: Home, *, late: float) -> None:
    """Write new labels for the first four days of the week, known three days later than the old ones."""
    for d in range(4):
        labels = parcels_world(MONDAY + d * DAY, late=late, seed=7)[1]
        known = pc.add(labels["delivered_at"], timedelta(days=3))
        pq.write_table(labels.set_column(2, "delivered_at", known), home.root / "inbox" / f"delivered-again-{d}.parquet")


def test_while_files_cannot_be_taken_in_no_week_is_called_quiet(home: Home) -> None:
    parcels_days(home.root, FIRST, 26)
    suite = home.suites_dir / "parcels_labels.json"
    suite.write_text("{")
    done = watch(home, now=NOW)
    assert ([f.operation for f in done.failures], done.digests) == (["ingest"], [])
    assert not home.outbox_dir.exists()
    monitors = load_monitors(home)[0]
    assert report(home, monitors, now=NOW) == []
    asked = digest_of(home, monitors["parcels"], Grid("week", "UTC").at(MONDAY), now=NOW, period="week")
    assert asked.headline.startswith("parcels, 20 to 26 January: not all measured.")
    assert "Nothing needs you" not in asked.text
    assert asked.text.splitlines()[2] == f"Figures are not final: ingest failed ({done.failures[0].reason.rstrip('.')})."
    suite.unlink()
    assert [d.window_start for d in watch(home, now=LATER).digests] == [MONDAY]
    assert message(home).splitlines()[1].startswith("Nothing needs you now. All figures are final.")


@pytest.mark.parametrize("operation", ["ingest", *(pytest.param(name, marks=pytest.mark.nightly) for name in ("profile", "measure")), "judge"])
def test_a_step_that_failed_elsewhere_keeps_the_digest_back_until_it_is_done(undigested: Home, operation: str) -> None:
    monitors = load_monitors(undigested)[0]
    failed(undigested, monitors.values(), operation, "no space left", now=NOW)
    assert report(undigested, monitors, now=NOW + timedelta(minutes=1)) == []
    recovered(undigested, monitors.values(), operation, now=LATER)
    assert len(report(undigested, monitors, now=LATER)) == 1


def test_a_failure_that_the_lake_cannot_keep_ends_the_run_before_any_digest(undigested: Home, without_rights: None) -> None:
    runs = undigested.root / "warehouse" / "lake" / "runs"
    for folder in (runs, runs / "_delta_log"):
        folder.chmod(0o555)
    with pytest.raises(UnwritableError, match="Permission denied"):
        watch(undigested, now=NOW)
    assert undigested.lake.newest(Digest) == []


def test_a_week_whose_figures_were_restated_is_told_again_as_restated(digested: Home) -> None:
    first = message(digested)
    labels_again(digested, late=0.9)
    done = watch(digested, now=LATER)
    assert [(a.kind, a.state) for a in done.actions if a.kind == "digest"] == [("digest", "sent")]
    again = message(digested, "-restated-1")
    assert first.startswith("📊 **parcels, 20 to 26 January: quiet. 24 %")
    assert again.startswith("📊 **parcels, 20 to 26 January, restated: ")
    assert again.splitlines()[1].startswith("This replaces what was said before. ")
    assert told(digested, NOW).text != told(digested).text
    counted = re.search(r"(\d+) figures? of this period", again)
    values = {(s.metric, s.feature, s.segment, s.window_start): s.value for s in digested.lake.newest(Score, as_of=NOW)}
    ours = {k: v for k, v in values.items() if MONDAY <= k[3] < MONDAY + 7 * DAY}
    now = {(s.metric, s.feature, s.segment, s.window_start): s.value for s in digested.lake.newest(Score)}
    assert counted
    assert int(counted[1]) == sum(now[k] != v for k, v in ours.items())
    assert json.loads(told(digested).facts)["revision"] == 1
    later = watch(digested, now=LATER + DAY)
    assert (later.digests, [a for a in later.actions if a.kind == "digest"]) == ([], [])


@pytest.mark.parametrize(
    "later",
    [pytest.param(timedelta(0), id="under a clock that stands", marks=pytest.mark.nightly), pytest.param(timedelta(hours=6), id="hours later")],
)
def test_a_week_that_is_counted_otherwise_since_the_monitor_was_edited_is_told_anew(digested: Home, later: timedelta) -> None:
    present(digested, now=NOW)
    edited = find_home(digested.root)
    (digested.monitors_dir / "parcels.yaml").write_text(yaml.safe_dump(DECIDES_OTHERWISE))
    done = watch(edited, now=NOW + later)
    present(edited, now=NOW + later)
    monitor = load_monitors(edited)[0]["parcels"]
    asked = digest_of(edited, monitor, Grid("week", "UTC").at(MONDAY), now=NOW + later, period="week")
    again = told(edited, NOW + later)
    assert [d.window_start for d in done.digests] == [MONDAY]
    assert (again.revision, again.corrections) == (1, 1)
    [found] = [line for line in asked.text.splitlines() if line.startswith("**Quality:")]
    assert found in again.text
    page = (edited.site_dir / "digests" / f"{again.digest_id}.html").read_text()
    assert ("restated" in page, "of an earlier monitor" in page) == (True, False)
    after = watch(edited, now=NOW + later)
    assert (after.digests, after.actions) == ([], [])


@pytest.mark.nightly
def test_a_week_too_long_ago_to_be_told_anew_says_that_its_figures_are_of_an_earlier_monitor(digested: Home) -> None:
    present(digested, now=NOW)
    edited = find_home(digested.root)
    page = edited.site_dir / "digests" / f"{told(edited).digest_id}.html"
    assert "of an earlier monitor" not in page.read_text()
    (digested.monitors_dir / "parcels.yaml").write_text(yaml.safe_dump(DECIDES_OTHERWISE))
    much_later = NOW + (CATCH_UP + 1) * 7 * DAY
    watch(edited, now=much_later)
    present(edited, now=much_later)
    assert "of an earlier monitor" in page.read_text()
    assert "of an earlier monitor" in (edited.site_dir / "index.html").read_text()
    assert "watchkeeper digest parcels --period week --of 2025-01-20" in page.read_text()


def test_a_few_labels_more_bring_the_digest_up_to_date_and_tell_nobody(home: Home) -> None:
    parcels_days(home.root, FIRST, 26, change={22: lambda events, labels: (events, labels.slice(1))})
    watch(home, now=NOW)
    assert "1,399 of 1,400" in told(home).text
    pq.write_table(parcels_world(BEGIN + 22 * DAY)[1].slice(0, 1), home.root / "inbox" / "delivered-last.parquet")
    done = watch(home, now=LATER)
    assert len(done.digests) == 1
    assert "1,400 of 1,400 (100.0 %)." in told(home).text
    assert [a for a in done.actions if a.kind == "digest"] == []


def test_a_correction_that_was_written_before_anything_was_told_is_told_once(undigested: Home) -> None:
    report(undigested, load_monitors(undigested)[0], now=NOW)
    labels_again(undigested, late=0.9)
    done = watch(undigested, now=LATER)
    assert [(a.state, a.reason) for a in done.actions if a.kind == "digest"] == [("skipped", "told with the digest"), ("sent", "")]
    assert message(undigested).startswith("📊 **parcels, 20 to 26 January, restated: ")


def test_what_was_taken_back_makes_no_week_worse(home: Home) -> None:
    """Half an hour of a day's rows had landed: an alarm. The rest came later."""
    late = home.root / "inbox" / "parcels-2025-01-22.parquet"
    parcels_days(home.root, FIRST, 26)
    whole = pq.read_table(late)
    pq.write_table(whole.slice(0, 5), late)
    watch(home, now=BEGIN + 26 * DAY)
    assert "only 5 predictions landed" in " ".join(i.story.headline for i in fold(home.lake.newest(IncidentEvent)))
    pq.write_table(whole, home.root / "inbox" / "parcels-the-rest.parquet")
    watch(home, now=LATER)
    [taken_back] = [i for i in fold(home.lake.newest(IncidentEvent)) if i.window_start == BEGIN + 21 * DAY]
    assert taken_back.is_withdrawn
    assert ": quiet. " in told(home).text.splitlines()[0]
    assert "only 5" not in told(home).text


def test_a_digest_calls_no_figures_of_an_incident_final_whose_newest_labels_are_not_due(home: Home) -> None:
    parcels_days(home.root, FIRST, 27, late=dict.fromkeys((24, 25, 26), 0.9), change={26: lambda events, labels: (events, labels.slice(20))})
    watch(home, now=BEGIN + 27 * DAY + timedelta(hours=12))
    [incident] = [i for i in fold(home.lake.newest(IncidentEvent)) if i.is_open]
    assert incident.window_end == MONDAY + 8 * DAY
    assert message(home).splitlines()[1] == (
        "1 open incident needs you. All figures of this week are final. 1 open incident goes on after it: labels of its newest days are not due."
    )
    monitor = load_monitors(home)[0]["parcels"]
    when_due = digest_of(home, monitor, Grid("week", "UTC").at(MONDAY), now=BEGIN + 28 * DAY + timedelta(hours=12), period="week")
    assert when_due.text.splitlines()[2] == "1 open incident needs you. All figures are final."
