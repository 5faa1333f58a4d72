"""A fault of data and the KPI that suffers by it are one story to people: one thread, one line, one end. What has another cause stays its own."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from conftest import PARCELS
from intake_world import expect, suite
from slack_standin import Slack
from watchkeeper.adapters.workspace import Home, load_monitors
from watchkeeper.judgement.incidents import Incident
from watchkeeper.operations.incident_book import known_incidents
from watchkeeper.operations.judge import judge
from watchkeeper.operations.listing import incident_listing, told
from watchkeeper.operations.pages import pages
from watchkeeper.operations.watch import gather, watch
from watchkeeper.records import IncidentEvent
from worlds import DAY, Change, parcels_days

FIRST, BEGIN = date(2025, 1, 1), datetime(2025, 1, 1, tzinfo=UTC)
DAYS, ROWS = 34, 300
WAIT = {"labels": PARCELS["labels"] | {"mature_after": "3d"}, "segments": [], "features": ["weight_kg", "size_cm"]}
AT_ONCE = {"labels": PARCELS["labels"] | {"mature_after": "1h"}}
"""Labels come the day after, and count as final three days after the rows."""


def a_day(*, gone: float = 0.0, factor: float = 1.0, still: float | None = None, harm: float = 0.0) -> Change:
    """Return what becomes of a day: weights that are missing, in another unit, or all alike, in which rows the model expects more late parcels by units of the logit."""

    def changed(events: pa.Table, labels: pa.Table) -> tuple[pa.Table, pa.Table]:
        rng = np.random.default_rng(events["sent_at"][0].as_py().toordinal())
        score, weight = (events[name].to_numpy().copy() for name in ("p_late", "weight_kg"))
        is_hit = (rng.uniform(size=events.num_rows) < gone) | (factor != 1.0) | (still is not None)
        score = np.where(is_hit, 1 / (1 + np.exp(-(np.log(score / (1 - score)) + harm))), score)
        weight = np.where(is_hit & (gone > 0), np.nan, weight * factor if still is None else still)
        for name, values in {"p_late": score, "is_late": score >= 0.5, "weight_kg": weight}.items():
            events = events.set_column(events.column_names.index(name), name, pa.array(values, from_pandas=True))
        return events.append_column("size_cm", pa.array(rng.lognormal(3.0, 0.4, events.num_rows))), labels

    return changed


HARMFUL, HARMLESS = a_day(gone=0.6, harm=2.5), a_day(gone=0.6)


def world(root: Path, change: dict[int, Change], late: dict[int, float] | None = None) -> Path:
    """Write the days of a world into a store, from which they are handed over."""
    store = root / "store"
    (store / "inbox").mkdir(parents=True)
    parcels_days(store, FIRST, DAYS, rows=ROWS, change={d: change.get(d, a_day()) for d in range(DAYS)}, late=late)
    return store


def hand_over(home: Home, store: Path, now: datetime, labels_after: timedelta = DAY) -> None:
    """Hand over the files of the days that are over, and the labels of those for which it is time."""
    for file in sorted((store / "inbox").iterdir()):
        of = datetime.fromisoformat(file.stem.split("-", 1)[1]).replace(tzinfo=UTC)
        if of + DAY + (labels_after if file.name.startswith("delivered") else timedelta(0)) <= now:
            file.rename(home.root / "inbox" / file.name)


def run(home: Home, store: Path, *days: int, labels_after: timedelta = DAY) -> None:
    """Watch some hours after each of some days has ended."""
    for day in days:
        now = at(day)
        hand_over(home, store, now, labels_after)
        watch(home, now=now)


def at(day: int) -> datetime:
    return BEGIN + (day + 1) * DAY + timedelta(hours=6)


def said(slack: Slack) -> list[tuple[str, str]]:
    """Return (text, text of the message that it answers) of each message that is no digest."""
    heads = {m["ts"]: m["text"] for m in slack.messages}
    return [(m["text"], heads.get(m.get("thread_ts", ""), "")) for m in slack.messages if not m["text"].startswith("📊")]


def parts(home: Home, day: int) -> set[tuple[str, str]]:
    """Return the families of what leads and of each that is told with it."""
    every = {i.id: i for i in known_incidents(home, now=at(day))}
    return {(every[i.leader].family, i.family) for i in every.values()}


def of(home: Home, family: str, day: int) -> Incident:
    [one] = [i for i in known_incidents(home, now=at(day)) if i.family == family]
    return one


FAULT = "🟠 parcels: weight_kg: missing in 55 % of rows on Wed 22 January, usually 0 %"
HARM = "parcels: the model suffers now: 25 % of predictions on Wed 22 January were positive; the model expected 51 %; 100 % of that by weight_kg"


@pytest.mark.slow
def test_a_kpi_whose_labels_are_due_later_is_told_in_the_thread_of_its_fault_and_all_of_it_ends_once(
    make_home: Callable[..., Home], tmp_path: Path, slack: Slack, watchkeeper: Callable[..., Any]
):
    home, store = make_home(PARCELS | WAIT, name="late"), world(tmp_path, dict.fromkeys(range(21, 27), HARMFUL))
    run(home, store, *range(21, 26))
    assert [(text, head) for text, head in said(slack) if not head or "suffers now" in text] == [(FAULT, ""), (f"🔴 {HARM}", FAULT)]
    fault, harm = of(home, "data", 25), of(home, "kpi", 25)
    assert (fault.part_of, harm.part_of) == ("", fault.id)
    [row] = incident_listing(home, models=None, resolved=False, now=at(25))
    assert (row["id"], row["models"], row["severity"]) == (fault.id, ["parcels"], "high")
    assert watchkeeper("incidents", "--now", at(25).isoformat(), at=home).output.count("January") == 1
    assert f"*KPI:* `{harm.id}` warning: 24 % of predictions" in told(home, fault.id, now=at(25))
    assert f"*Data:* `{fault.id}` leads, high: weight_kg: missing" in told(home, harm.id, now=at(25))
    assert not any("At the same time" in told(home, one.id, now=at(25)) for one in (fault, harm)), "each is named once"
    pages(home, load_monitors(home)[0], now=at(25))
    of_fault, of_harm = ((home.site_dir / "incidents" / f"{one.id}.html").read_text() for one in (fault, harm))
    assert "The same fault, in the data and in the KPI" in of_fault
    assert f'<dt>KPI</dt><dd><a href="{harm.id}.html">warning: 24 % of predictions' in of_fault
    assert f'<a href="{fault.id}.html">the incident of its data</a>' in of_harm
    assert f"incidents/{harm.id}.html" not in (home.site_dir / "index.html").read_text()
    run(home, store, 26, 29, 33)
    *_, no_fault, end = said(slack)
    assert no_fault == ("🔴 parcels: its data is no longer at fault", FAULT)
    assert end == ("✅ parcels: resolved: calibration gap back to -3, -1 and -1 points (28 to 30 January)", FAULT)
    assert len([text for text, _ in said(slack) if text.startswith("✅")]) == 1
    lines = str([m["blocks"] for m in slack.messages if m["text"] == end[0]])
    assert "*Lasted:* 6 days, 22 to 27 Jan 2025." in lines
    assert "*Cause in the end:* faulty data: weight_kg (100 % of the change)." in lines
    assert {i.state for i in known_incidents(home, now=at(33))} == {"resolved"}
    assert incident_listing(home, models=None, resolved=False, now=at(33)) == []


@pytest.mark.nightly
def test_what_the_fault_did_may_be_over_before_the_fault(make_home: Callable[..., Home], tmp_path: Path, slack: Slack):
    home = make_home(PARCELS | WAIT)
    store = world(tmp_path, dict.fromkeys((21, 22), HARMFUL) | dict.fromkeys(range(23, 29), HARMLESS))
    run(home, store, *range(21, 33))
    assert of(home, "kpi", 32).resolved_at == at(28) < at(31) == of(home, "data", 32).resolved_at
    *_, no_harm, end = said(slack)
    assert no_harm == ("🔴 parcels: the model no longer suffers", FAULT)
    assert end == ("✅ parcels: resolved: share of missing values of weight_kg back to 0 %, 0 % and 0 % (30 January to 1 February)", FAULT)
    assert "*KPI:* `" in str(slack.messages[-1]["blocks"])


@pytest.mark.nightly
def test_labels_that_come_when_the_data_are_as_usual_again_tell_in_the_same_thread(make_home: Callable[..., Home], tmp_path: Path, slack: Slack):
    """Two bad days; their labels come six days later, after the end of the fault was told."""
    home = make_home(PARCELS | WAIT | {"labels": PARCELS["labels"] | {"mature_after": "7d"}})
    store = world(tmp_path, dict.fromkeys((21, 22), HARMFUL))
    run(home, store, *range(21, 34), labels_after=6 * DAY)
    assert parts(home, 33) == {("data", "data"), ("data", "kpi")}
    assert [text for text, head in said(slack) if not head] == [FAULT]
    ends = [text for text, _ in said(slack) if text.startswith("✅")]
    assert [text.partition(" back to ")[0] for text in ends] == [
        "✅ parcels: resolved: share of missing values of weight_kg",
        "✅ parcels: resolved: calibration gap",
    ]
    assert any(text == "🟠 parcels: 25 % of predictions on Wed 22 January were positive; the model expected 51 %" for text, _ in said(slack))


@pytest.mark.parametrize("runs", [(26, 33), (33,)], ids=["opened at once", "over before it is told"])
def test_a_past_judged_at_once_has_the_same_parts_and_is_told_once(
    make_home: Callable[..., Home], tmp_path: Path, slack: Slack, runs: tuple[int, ...]
):
    home, store = make_home(PARCELS | WAIT), world(tmp_path, dict.fromkeys(range(21, 27), HARMFUL))
    run(home, store, *runs)
    assert parts(home, 33) == {("data", "data"), ("data", "kpi")}
    opening, *end = said(slack)
    if end:
        assert opening[0] == "🔴 parcels: 23 % of predictions on 22 to 24 January were positive; the model expected 52 %; its data is at fault"
        assert end == [("✅ parcels: resolved: calibration gap back to -3, -1 and -1 points (28 to 30 January)", opening[0])]
    else:
        assert opening[0] == "✅ parcels: 23 % of predictions on 22 to 27 January were positive; the model expected 52 %"
    assert "Opened and resolved" in str(slack.messages[0]["blocks"]) or end
    [digest] = [m for m in slack.messages if m["text"].startswith("📊")]
    words = str(digest["blocks"])
    assert words.count("on 22 to 27 January") == 1, "one story in its why"
    assert "of 2 incidents" not in words


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(a_day(factor=100, harm=2.5), id="another unit", marks=pytest.mark.nightly),
        pytest.param(a_day(still=50.0, harm=2.5), id="stands still"),
    ],
)
def test_a_failed_expectation_and_the_kpi_that_suffers_by_that_column_are_one(
    make_home: Callable[..., Home], tmp_path: Path, slack: Slack, change: Change
):
    home = make_home(PARCELS | WAIT)
    suite(home, "parcels_events", expect("expect_column_values_to_be_between", column="weight_kg", max_value=30, severity="warning"))
    run(home, world(tmp_path, dict.fromkeys(range(21, 27), change)), 21, 24)
    assert parts(home, 24) == {("data", "data"), ("data", "kpi")}
    (opening, head), (news, thread) = said(slack)
    assert "of values not as the suite expects (at most 30) on Wed 22 January" in opening
    assert (head, thread) == ("", opening)
    assert "the model suffers now: " in news
    assert news.endswith("of that by weight_kg")


@pytest.mark.nightly
def test_where_the_kpi_came_first_the_fault_of_data_is_told_in_its_thread(make_home: Callable[..., Home], tmp_path: Path, slack: Slack):
    """Weights come in another unit, which no fault of data tells, and later not at all; labels come with the rows."""
    home = make_home(PARCELS | WAIT | AT_ONCE)
    store = world(tmp_path, dict.fromkeys((21, 22), a_day(factor=10, harm=2.5)) | dict.fromkeys(range(23, 27), HARMFUL))
    run(home, store, *range(21, 31), labels_after=timedelta(0))
    assert parts(home, 30) == {("kpi", "kpi"), ("kpi", "data")}
    assert of(home, "kpi", 30).opened_at == at(21) < at(23) == of(home, "data", 30).opened_at
    [opening] = [text for text, head in said(slack) if not head]
    assert opening == "🔴 parcels: 25 % of predictions on Wed 22 January were positive; the model expected 74 %"
    joined = next(m for m in slack.messages if "its data is at fault" in str(m["blocks"]))
    assert joined["text"] == "🚨 parcels: got worse: since Fri 24 Jan 2025 also faulty data: weight_kg"
    assert "its data is at fault: weight_kg: missing in" in str(joined["blocks"])
    assert len([text for text, _ in said(slack) if text.startswith("✅")]) == 1


@pytest.mark.nightly
def test_another_cause_or_no_harm_stays_its_own(make_home: Callable[..., Home], tmp_path: Path, slack: Slack):
    """Weights are missing on the days on which more parcels are late; the model's scores are as ever, so that the first cause is the outcome."""
    home, days = make_home(PARCELS | WAIT), range(21, 27)
    run(home, world(tmp_path, dict.fromkeys(days, HARMLESS), late=dict.fromkeys(days, 0.55)), *days, 27)
    assert parts(home, 27) == {("data", "data"), ("kpi", "kpi")}
    late = of(home, "kpi", 27).story
    assert late is not None
    assert [(c.kind, c.columns) for c in late.causes] == [("concept", []), ("data", ["weight_kg"])], "the fault is only possible"
    assert len([text for text, head in said(slack) if not head]) == 2
    assert not any("suffers" in text for text, _ in said(slack))
    assert len(incident_listing(home, models=None, resolved=False, now=at(27))) == 2


def test_a_run_that_was_killed_between_judging_and_telling_tells_it_once(make_home: Callable[..., Home], tmp_path: Path, slack: Slack):
    home, store = make_home(PARCELS | WAIT), world(tmp_path, dict.fromkeys(range(21, 27), HARMFUL))
    run(home, store, *range(21, 24))
    hand_over(home, store, at(24))
    gather(home, now=at(24))
    assert [e.part_of for e in judge(home, load_monitors(home)[0], now=at(24)) if e.event == "opened"] == [of(home, "data", 24).id]
    assert not any("suffers" in text for text, _ in said(slack))
    for later in (timedelta(0), timedelta(hours=1), timedelta(hours=2)):
        watch(home, now=at(24) + later)
    assert [head for text, head in said(slack) if "suffers now" in text] == [FAULT]
    before = sorted(e.event_id for e in home.lake.newest(IncidentEvent))
    watch(home, now=at(24) + timedelta(hours=3))
    assert sorted(e.event_id for e in home.lake.newest(IncidentEvent)) == before


@pytest.mark.nightly
def test_one_fault_of_two_models_and_what_it_did_to_both_are_one(make_home: Callable[..., Home], tmp_path: Path, slack: Slack):
    home = make_home(PARCELS | WAIT, PARCELS | WAIT | {"model": "letters"})
    run(home, world(tmp_path, dict.fromkeys(range(21, 27), HARMFUL)), 21, 24)
    [row] = incident_listing(home, models=None, resolved=False, now=at(24))
    assert row["models"] == ["letters", "parcels"]
    assert len(known_incidents(home, now=at(24))) == 4
    opening, news = said(slack)
    assert opening == (f"{FAULT.replace('parcels', 'letters')}; parcels too", ""), "before labels are due nobody knows of harm"
    assert news == (f"🔴 {HARM.replace('parcels', 'letters')}", opening[0])
    also = str(slack.messages[1]["blocks"])
    assert also.count("the model suffers now") == 2, "the headline and one line more"
    assert f"*Also:* {HARM}" in also
