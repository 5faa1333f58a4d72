"""Silencing: what may be silenced and for how long, and that nobody is told of it meanwhile, but afterwards."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import duckdb
import pytest

from evidence_world import score, signal
from incident_world import DAY, MONDAY, event, happen
from slack_standin import Slack, broken
from watchkeeper.adapters.settings import Settings
from watchkeeper.adapters.workspace import Home
from watchkeeper.errors import UsageError
from watchkeeper.judgement.incidents import LASTED
from watchkeeper.monitor import Monitor
from watchkeeper.operations.act import act
from watchkeeper.operations.care import resolve
from watchkeeper.operations.incident_book import known_incidents, known_silences
from watchkeeper.operations.listing import incident_listing, told
from watchkeeper.operations.pages import pages
from watchkeeper.operations.silence import About, end_silence, silence, silences_in_force
from watchkeeper.operations.status import overview_rows
from watchkeeper.operations.watch import present
from watchkeeper.records import Action, Score, Signal, Silence

HOUR = timedelta(hours=1)
NOW = MONDAY + DAY + 7 * HOUR
"""An hour after the incident of day 0 opened."""
UNTIL = MONDAY + 5 * DAY
ONE, ALL = About(incident="i1"), About(model="parcels")


@pytest.fixture
def slack() -> Iterator[Slack]:
    with Slack() as server:
        yield server


@pytest.fixture
def run(home: Home, parcels: Monitor) -> Callable[..., list[tuple[str, str, str]]]:
    """Act on the parcels and return (kind, state, reason): `run(now, settings)`."""

    def acting(now: datetime, settings: Settings | None = None) -> list[tuple[str, str, str]]:
        rows = act(home, {"parcels": parcels}, now=now, settings=settings or Settings())
        return [(row.kind, row.state, row.reason) for row in rows]

    return acting


def silenced(home: Home, about: About = ONE, *, until: datetime = UNTIL, now: datetime = NOW, why: str = "the fix ships on Friday") -> Silence:
    return silence(home, about, until=until, who="ann", why=why, now=now)


WHY = "silenced by ann until 08 Mar 2025, 00:00 UTC: the fix ships on Friday"


def test_a_silence_is_kept_whole_and_the_incident_says_by_whom_until_when_and_why(home: Home):
    happen(home, event())
    made = silenced(home, until=datetime(2025, 3, 8, 1, tzinfo=ZoneInfo("Europe/Berlin")))
    assert home.lake.newest(Silence) == [made]
    assert (made.incident_id, made.model, made.until, made.who, made.why, made.at) == ("i1", "parcels", UNTIL, "ann", "the fix ships on Friday", NOW)
    [row] = incident_listing(home, models=None, resolved=False, now=NOW)
    assert (row["state"], row["who"], row["why"], row["until"]) == ("silenced", "ann", "the fix ships on Friday", UNTIL)
    assert "Silenced by ann until Sat 8 Mar 2025, 00:00: the fix ships on Friday.\n" in told(home, "i1", now=NOW)
    [later] = incident_listing(home, models=None, resolved=False, now=UNTIL)
    assert (later["state"], later["who"], later["until"]) == ("open", "", None)


def test_the_same_silence_again_adds_nothing_and_another_one_lengthens_it(home: Home):
    happen(home, event())
    assert silenced(home, now=NOW + HOUR, until=UNTIL) == silenced(home, now=NOW + 2 * HOUR, until=UNTIL)
    silenced(home, now=NOW + 3 * HOUR, until=UNTIL + DAY)
    assert [s.until for s in silences_in_force(home, now=NOW + 4 * HOUR)] == [UNTIL, UNTIL + DAY]
    [one] = known_incidents(home, now=NOW + 4 * HOUR)
    assert one.silence is not None
    assert one.silence.until == UNTIL + DAY


@pytest.mark.parametrize(
    ("about", "until", "why", "said"),
    [
        (ONE, NOW, "why", "until: Tue 4 Mar 2025, 07:00 UTC is not in the future. It is Tue 4 Mar 2025, 07:00 UTC; name a later moment, or how long"),
        (
            ONE,
            NOW + 91 * DAY,
            "why",
            "until: a silence may last 90 days, and Tue 3 Jun 2025, 07:00 UTC is later. Name an earlier moment, and silence it",
        ),
        (ONE, UNTIL, " ", "reason: a silence needs a reason. Say why, for example"),
        (About(), UNTIL, "why", "silence: it is not plain what is to be silent. Name an incident, or a model"),
        (About(incident="i1", model="parcels"), UNTIL, "why", "silence: it is not plain what is to be silent."),
        (About(metric="psi"), UNTIL, "why", "model: a metric or a segment is silenced of a model. Name the model as well."),
        (About(model="parcel"), UNTIL, "why", "no model 'parcel'"),
        (
            About(model="parcels", metric="log_los"),
            UNTIL,
            "why",
            "metric: no incident of parcels can be about a metric 'log_los'. Did you mean log_loss",
        ),
        (
            About(model="parcels", segment="depo=north"),
            UNTIL,
            "why",
            "segment: 'depo=north' is no segment of parcels. Write for example depot=VALUE.",
        ),
        (About(model="parcels", segment="depot"), UNTIL, "why", "segment: 'depot' is no segment of parcels."),
        (About(incident="i9"), UNTIL, "why", "incident: no incident has an id that begins with 'i9'"),
    ],
)
def test_a_silence_that_is_not_said_plainly_is_refused_with_what_to_do(home: Home, about: About, until: datetime, why: str, said: str):
    happen(home, event())
    with pytest.raises(UsageError) as refused:
        silenced(home, about, until=until, why=why)
    assert said in str(refused.value)
    assert home.lake.newest(Silence) == []


def test_a_segment_that_no_score_is_about_is_refused_with_one_that_is_near(home: Home):
    home.lake.append_records(Score, [score("calibration_gap", 0.1, segment=name) for name in ("depot=north", "depot=south")])
    with pytest.raises(UsageError, match=r"segment: no score of parcels is about a segment 'depot=nroth'\. Did you mean depot=north"):
        silenced(home, About(model="parcels", segment="depot=nroth"))
    assert silenced(home, About(model="parcels", segment="depot=north")).segment == "depot=north"


def test_before_any_segment_was_measured_any_of_a_declared_column_may_be_silenced(home: Home):
    assert silenced(home, About(model="parcels", segment="depot=nroth")).segment == "depot=nroth"


def test_what_is_over_or_lasts_cannot_be_silenced(home: Home):
    happen(home, event(), event(incident="i2"), replace(event("resolved", day=1, incident="i2"), why=LASTED))
    resolve(home, "i1", who="bob", why="a false alarm", now=NOW)
    with pytest.raises(
        UsageError, match=r"is over already: resolved by bob on .* and cannot be silenced\. `watchkeeper incidents` lists what goes on"
    ):
        silenced(home, now=NOW + HOUR)
    with pytest.raises(UsageError, match="is closed as lasting, is known and tells nobody any more, so that it need not be silenced"):
        silenced(home, About(incident="i2"), now=MONDAY + 3 * DAY)


def test_no_message_goes_out_while_it_lasts_and_the_next_news_after_it_opens_the_incident(home: Home, run, slack: Slack):
    happen(home, event())
    silenced(home)
    assert run(NOW, slack.as_bot) == [("open", "skipped", WHY)]
    assert run(happen(home, event("joined", day=1, severity="critical")), slack.as_bot) == [("update", "skipped", WHY)]
    assert slack.messages == []
    assert run(UNTIL, slack.as_bot) == []
    assert run(happen(home, event("joined", day=4)), slack.as_bot) == [("open", "sent", "")]
    assert [m["text"] for m in slack.messages] == ["🚨 parcels: joined on day 4"]
    assert run(happen(home, event("resolved", day=5)), slack.as_bot) == [("resolve", "sent", "")]
    assert slack.messages[1]["thread_ts"] == slack.messages[0]["ts"]


def test_an_incident_that_opens_in_a_silence_of_its_model_is_silent_too_and_that_of_another_model_is_not(home: Home, run, slack: Slack):
    silenced(home, ALL, now=MONDAY)
    happen(home, event(), event(incident="i2", model="letters"))
    assert run(NOW, slack.as_bot) == [("open", "skipped", WHY)]
    assert {i.id: i.state for i in known_incidents(home, now=NOW)} == {"i1": "silenced", "i2": "open"}


@pytest.mark.parametrize(
    ("about", "silent"),
    [
        (About(model="parcels", metric="log_loss"), {"i1"}),
        (About(model="parcels", segment="depot=north"), {"i2"}),
        (About(model="parcels", metric="calibration_gap", segment="depot=north"), {"i2"}),
        (About(model="parcels", metric="roc_auc"), set()),
    ],
)
def test_a_metric_or_a_segment_of_a_model_silences_what_is_about_that_alone(home: Home, run, about: About, silent: set[str]):
    found = {"a": signal("log_loss"), "b": signal("calibration_gap", segment="depot=north"), "c": signal("roc_auc")}
    home.lake.append_records(Signal, [replace(one, signal_id=name, computed_at=MONDAY + DAY) for name, one in found.items()])
    happen(
        home,
        event(signals=["a"]),
        event(incident="i2", subject="depot=north", signals=["b?"]),
        event(incident="i3", subject="both", signals=["a", "c"]),
    )
    silenced(home, about)
    run(NOW)
    states = {a.incident_id: a.state for a in home.lake.newest(Action) if a.state in ("sent", "skipped")}
    assert {name for name, state in states.items() if state == "skipped"} == silent
    assert {i.id for i in known_incidents(home, now=NOW) if i.state == "silenced"} == silent


def test_the_end_of_what_people_know_of_is_told_when_the_silence_is_over(home: Home, run, slack: Slack):
    run(happen(home, event()), slack.as_bot)
    silenced(home)
    resolve(home, "i1", who="bob", why="mended", now=NOW + DAY)
    assert run(NOW + DAY, slack.as_bot) == []
    assert run(UNTIL, slack.as_bot) == [("resolve", "sent", "")]
    assert [m["text"] for m in slack.messages][1:] == ["✅ parcels: resolved by bob: mended"]
    assert run(UNTIL + DAY, slack.as_bot) == []


def test_a_message_that_waits_to_be_sent_again_is_passed_over_and_an_end_waits_on(home: Home, run, slack: Slack):
    slack.faults.append(broken())
    assert run(happen(home, event()), slack.as_bot)[0][1] == "failed"
    silenced(home)
    assert run(NOW, slack.as_bot) == [("open", "skipped", WHY)]
    assert run(UNTIL, slack.as_bot) == []
    assert run(happen(home, event("joined", day=4)), slack.as_bot) == [("open", "sent", "")]
    slack.faults.append(broken())
    now = happen(home, event("resolved", day=5))
    assert [state for _, state, _ in run(now, slack.as_bot)] == ["failed"]
    silenced(home, ALL, until=now + DAY, now=now)
    assert run(now + HOUR, slack.as_bot) == []
    assert run(now + DAY, slack.as_bot) == [("resolve", "sent", "")]


def test_a_silence_that_is_ended_lets_the_next_news_through_and_both_rows_stay(home: Home, run):
    happen(home, event())
    made = silenced(home)
    run(NOW)
    over = end_silence(home, made.silence_id[:5], who="bob", why="the fix failed", now=NOW + HOUR)
    assert over.until == NOW + HOUR
    assert run(happen(home, event("joined", day=1))) == [("open", "sent", "")]
    assert sorted((s.event, s.who, s.why) for s in home.lake.newest(Silence)) == [
        ("begun", "ann", "the fix ships on Friday"),
        ("ended", "bob", "the fix failed"),
    ]
    assert [s.until for s in known_silences(home, now=NOW)] == [UNTIL]


def test_made_again_after_its_end_the_same_silence_lasts_again(home: Home):
    happen(home, event())
    end_silence(home, silenced(home).silence_id, who="ann", now=NOW + HOUR)
    again = silenced(home, now=NOW + 2 * HOUR)
    assert silences_in_force(home, now=NOW + 3 * HOUR) == [again]


@pytest.mark.parametrize("name", ["", "nothing"])
def test_only_a_silence_that_lasts_can_be_ended(home: Home, name: str):
    happen(home, event())
    made = silenced(home)
    with pytest.raises(UsageError) as refused:
        end_silence(home, name, who="ann", now=NOW)
    assert (
        str(refused.value)
        == f"silence: no silence that lasts has an id that begins with {name!r}. `watchkeeper silence --list` shows those that last."
    )
    with pytest.raises(UsageError, match="no silence that lasts"):
        end_silence(home, made.silence_id, who="ann", now=UNTIL)


def test_the_pages_and_the_overview_show_it_until_it_is_over(home: Home, parcels: Monitor):
    happen(home, event())
    silenced(home)

    def page(name: str, now: datetime) -> str:
        pages(home, {"parcels": parcels}, now=now)
        return (home.site_dir / name).read_text()

    said = page("incidents/i1.html", NOW)
    assert "silenced ·" in said
    assert "by ann until Sat 8 Mar 2025, 00:00: the fix ships on Friday" in said
    assert "Silenced by ann (incident i1 of parcels) until Sat 8 Mar 2025, 00:00: the fix ships on Friday." in said
    assert "silenced ·" in page("index.html", NOW)
    [row] = overview_rows(home, {"parcels": parcels}, now=NOW)
    assert [i.state for i in row.incidents] == ["silenced"]
    after = page("incidents/i1.html", UNTIL)
    assert "open ·" in after
    assert "The silence was over." in after


def test_the_published_file_shows_it_and_is_made_anew_when_it_is_over_though_nothing_else_happened(home: Home):
    happen(home, event())
    silenced(home, until=NOW + 6 * HOUR)

    def published(now: datetime) -> tuple[str, str, str, datetime | None]:
        present(home, None, now=now)
        with duckdb.connect(home.published, read_only=True) as connection:
            [row] = connection.execute("SELECT state, who, why, until FROM incidents").fetchall()
        return row

    assert published(NOW) == ("silenced", "ann", "the fix ships on Friday", (NOW + 6 * HOUR).replace(tzinfo=None))
    assert published(NOW + 6 * HOUR) == ("open", "", "", None)


def test_a_silence_stands_in_the_way_of_no_retraining(home: Home, parcels: Monitor):
    monitor = Monitor.model_validate({**parcels.model_dump(by_alias=True, exclude_none=True), "retraining": {"deployment": "train/parcels"}})
    happen(home, event(), event("joined", day=1), event("joined", day=2))
    silenced(home, ALL, now=MONDAY + 3 * DAY + 7 * HOUR, until=MONDAY + 9 * DAY)
    rows = act(home, {"parcels": monitor}, now=MONDAY + 3 * DAY + 8 * HOUR, settings=Settings(), post=lambda _posting: "run-1")
    assert {(r.kind, r.state) for r in rows} == {("open", "skipped"), ("update", "skipped"), ("retrain", "sent")}
    assert json.loads(next(r.payload for r in rows if r.kind == "retrain"))["incident_id"] == "i1"
