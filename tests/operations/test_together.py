"""The same fault in several models is one incident: one message that names them, one line, over when all are; trouble of the same day is not."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from conftest import PARCELS, new_home
from slack_standin import Slack
from watchkeeper.adapters.workspace import Home, load_monitors
from watchkeeper.operations.act import act
from watchkeeper.operations.care import acknowledge, resolve
from watchkeeper.operations.incident_book import known_incidents
from watchkeeper.operations.judge import judge
from watchkeeper.operations.listing import incident_listing, told
from watchkeeper.operations.pages import pages
from watchkeeper.operations.silence import About, silence
from watchkeeper.operations.watch import gather, watch
from watchkeeper.records import Action, IncidentEvent
from watchkeeper.samples import GpuSample
from worlds import DAY, Change, parcels_days

BEGIN = datetime(2025, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
NOW = BEGIN + 25 * DAY + 6 * HOUR
"""The rows of the parcels ended three days before."""
LETTERS = PARCELS | {"model": "letters"}
FILES = "files inbox/parcels-*.parquet"


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """Two models that read the same files, which stop coming after 22 days, measured by an earlier run and not yet judged."""
    home = new_home(tmp_path_factory.mktemp("together") / "two", LETTERS, PARCELS)
    parcels_days(home.root, BEGIN.date(), 22, rows=120)
    assert gather(home, now=NOW - 2 * HOUR).failures == []
    return home


@pytest.fixture
def two(measured: Home, copy_of: Callable[[Home], Home]) -> Home:
    """The two models, to be judged."""
    return copy_of(measured)


def incidents(slack: Slack) -> list[dict[str, Any]]:
    """Return the messages that are no digests."""
    return [m for m in slack.messages if not m["text"].startswith("📊")]


def listed(home: Home, now: datetime, **how: Any) -> list[dict[str, Any]]:
    return incident_listing(home, models=how.pop("models", None), resolved=how.pop("resolved", False), now=now, **how)


def written(home: Home) -> list[IncidentEvent]:
    return sorted(home.lake.newest(IncidentEvent), key=lambda e: (e.at, e.model))


def test_a_file_that_both_read_and_that_stops_coming_is_one_incident_with_one_message(two: Home, slack: Slack, watchkeeper):
    watch(two, now=NOW)
    [message] = incidents(slack)
    assert message["text"] == "🔴 letters: no predictions landed on 23 to 25 January, usually 360; parcels too"
    [first, second] = known_incidents(two, now=NOW)
    assert (first.model, first.part_of, second.model, second.part_of) == ("letters", "", "parcels", first.id)
    body = json.dumps(message["blocks"])
    assert f"*Same fault:* 2 models: rows do not come ({FILES})." in body
    assert f"*parcels:* `{second.id}` high: no predictions landed on 23 to 25 January, usually 360." in body
    [row] = listed(two, NOW)
    assert (row["id"], row["models"], row["part_of"], row["state"]) == (first.id, ["letters", "parcels"], "", "open")
    shown = watchkeeper("incidents", "--now", NOW.isoformat(), at=two).output
    assert shown.count("no predictions landed") == 1
    assert "letters and parcels" in shown
    assert [r["id"] for r in listed(two, NOW, models=["parcels"])] == [first.id]


def test_it_shows_all_models_with_their_own_headlines_and_a_part_names_the_one_that_leads(two: Home, watchkeeper):
    watch(two, now=NOW)
    first, second = known_incidents(two, now=NOW)
    assert f"*parcels:* `{second.id}` high: no predictions landed on 23 to 25 January, usually 360." in told(two, first.id, now=NOW)
    assert f"*letters:* `{first.id}` leads, high: no predictions landed on 23 to 25 January, usually 360." in told(two, second.id, now=NOW)
    part = json.loads(watchkeeper("incidents", "show", second.id, "--json", "--now", NOW.isoformat(), at=two).output)
    assert (part["part_of"], part["models"]) == (first.id, ["parcels"])
    leads = json.loads(watchkeeper("incidents", "show", first.id, "--json", "--now", NOW.isoformat(), at=two).output)
    assert part["first_told_at"] == leads["first_told_at"] is not None, "the message of the one that leads tells of it"
    pages(two, load_monitors(two)[0], now=NOW)
    page, of_part = ((two.site_dir / "incidents" / f"{i.id}.html").read_text() for i in (first, second))
    assert "The same fault in 2 models" in page
    assert f'<a href="{second.id}.html">high: no predictions landed' in page
    assert f'<a href="{first.id}.html">the incident of letters</a>' in of_part
    index = (two.site_dir / "index.html").read_text()
    assert f"incidents/{first.id}.html" in index
    assert f"incidents/{second.id}.html" not in index
    assert "letters, parcels" in index


def test_a_repeated_run_changes_and_sends_nothing(two: Home, slack: Slack):
    watch(two, now=NOW)
    before = written(two)
    for later in (timedelta(0), HOUR):
        done = watch(two, now=NOW + later)
        assert (done.events, done.actions) == ([], [])
    assert written(two) == before
    assert len(incidents(slack)) == 1


@pytest.mark.nightly
def test_a_model_that_is_judged_later_joins_in_the_thread_and_as_of_before_it_there_was_one(two: Home, slack: Slack):
    """Each run is of one model, the one that leads first, and neither knows of the other's monitor."""
    watch(two, ["parcels"], now=NOW)
    watch(two, ["letters"], now=NOW + 8 * HOUR)
    opened, joined = incidents(slack)
    assert opened["text"] == "🔴 parcels: no predictions landed on 23 to 25 January, usually 360"
    assert joined["text"] == "🔴 parcels: also letters: no predictions landed on 23 to 25 January, usually 360"
    assert (joined["thread_ts"], opened.get("thread_ts")) == (opened["ts"], None)
    assert [r["models"] for r in listed(two, NOW)] == [["parcels"]]
    assert [r["models"] for r in listed(two, NOW + 8 * HOUR)] == [["parcels", "letters"]]
    assert watch(two, ["letters"], now=NOW + 9 * HOUR).actions == []


def test_as_of_an_earlier_moment_a_run_opens_what_it_would_have_opened_then(two: Home):
    """The run of today knows of the other model's incident, one of the day before does not."""
    every = load_monitors(two)[0]
    watch(two, ["parcels"], now=NOW)
    watch(two, ["letters"], now=NOW - HOUR)
    assert [(i.model, i.part_of) for i in known_incidents(two, now=NOW)] == [("letters", ""), ("parcels", "")]
    assert judge(two, every, now=NOW) == []


@pytest.mark.nightly
def test_it_is_over_when_all_of_it_is_and_the_end_of_one_is_an_update(make_home: Callable[..., Home], slack: Slack):
    """The letters have the days that were missing from a file of their own, the parcels come again."""
    own = LETTERS | {"events": {"files": "inbox/parcels-*.parquet"}, "alerts": {"cooldown": "1h"}}
    home = make_home(own, PARCELS)
    parcels_days(home.root, BEGIN.date(), 22, rows=120)
    watch(home, now=NOW)
    leading, part = known_incidents(home, now=NOW)
    parcels_days(home.root, BEGIN.date(), 30, rows=120)
    watch(home, ["letters"], now=NOW + 2 * DAY)
    assert [(r["id"], r["state"], r["headline"]) for r in listed(home, NOW + 2 * DAY)] == [(leading.id, "open", leading.headline)]
    watch(home, ["parcels"], now=NOW + 2 * DAY + 2 * HOUR)
    opened, one_over, over = incidents(slack)
    assert one_over["text"] == "🔴 parcels: letters is no longer out of line"
    assert "*As it stands:* no predictions landed on 23 to 25 January, usually 360." in json.dumps(one_over["blocks"], ensure_ascii=False)
    assert over["text"].startswith("✅ letters: resolved: restated")
    assert over["text"].endswith("; parcels too")
    assert {m.get("thread_ts") for m in (one_over, over)} == {opened["ts"]}
    assert listed(home, NOW + 3 * DAY) == []
    [row] = listed(home, NOW + 3 * DAY, resolved=True)
    assert row["resolved_at"] == NOW + 2 * DAY + 2 * HOUR
    assert part.id not in str(row["id"])


def test_what_people_do_with_the_leading_one_is_done_with_all_of_it(two: Home, slack: Slack):
    watch(two, now=NOW)
    leading, part = known_incidents(two, now=NOW)
    acknowledge(two, leading.id, who="ann", now=NOW + HOUR)
    assert {i.state for i in known_incidents(two, now=NOW + HOUR)} == {"acknowledged"}
    silence(two, About(incident=leading.id), until=NOW + 2 * DAY, who="ann", why="the feed is mended", now=NOW + HOUR)
    assert {i.state for i in known_incidents(two, now=NOW + HOUR)} == {"silenced"}
    watch(two, now=NOW + DAY)
    assert len(incidents(slack)) == 1, "what joined since is silent"
    resolve(two, leading.id, who="bob", why="the feed was closed", now=NOW + 2 * DAY + HOUR)
    assert {(i.state, i.closed_by) for i in known_incidents(two, now=NOW + 2 * DAY + HOUR)} == {("resolved", "bob")}
    act(two, load_monitors(two)[0], now=NOW + 2 * DAY + HOUR)
    assert incidents(slack)[1]["text"] == "✅ letters: resolved by bob: the feed was closed; parcels too"
    assert part.id != leading.id


def test_a_silence_of_one_model_hides_no_trouble_of_another(two: Home, slack: Slack):
    silence(two, About(model="letters"), until=NOW + 2 * DAY, who="ann", why="letters are moved", now=NOW - HOUR)
    watch(two, now=NOW)
    [message] = incidents(slack)
    assert message["text"].endswith("; parcels too")
    [row] = listed(two, NOW)
    assert row["state"] == "open"


@pytest.mark.nightly
def test_each_channel_is_told_once(make_home: Callable[..., Home], slack: Slack):
    """The owners of the letters read another channel than those of the parcels."""
    home = make_home(LETTERS | {"owner": "#letters"}, PARCELS, PARCELS | {"model": "boxes"})
    parcels_days(home.root, BEGIN.date(), 22, rows=120)
    watch(home, now=NOW)
    there = {name: number for number, name in ((m["text"], m["channel"]) for m in incidents(slack))}
    assert there == {
        slack.channels["#parcels"]: "🔴 boxes: no predictions landed on 23 to 25 January, usually 360; letters and parcels too",
        slack.channels["#letters"]: "🔴 letters: no predictions landed on 23 to 25 January, usually 360; boxes and parcels too",
    }
    assert [r["models"] for r in listed(home, NOW)] == [["boxes", "letters", "parcels"]]
    assert watch(home, now=NOW + HOUR).actions == []


def test_what_a_model_leads_that_is_watched_no_more_is_told_by_the_next(two: Home, slack: Slack):
    watch(two, now=NOW)
    (two.monitors_dir / "letters.yaml").unlink()
    parcels_days(two.root, BEGIN.date(), 30, rows=120)
    watch(two, now=NOW + 2 * DAY)
    assert [m["text"] for m in incidents(slack)[1:]] == ["✅ parcels: resolved: restated: with what has landed since, nothing is out of line"]


@pytest.mark.nightly
def test_trouble_of_the_same_day_in_different_sources_is_two_incidents(make_home: Callable[..., Home], slack: Slack):
    home = make_home(LETTERS | {"events": {"files": "inbox/sent-*.parquet"}}, PARCELS)
    parcels_days(home.root, BEGIN.date(), 22, rows=120)
    for file in sorted(home.root.glob("inbox/parcels-*")):
        file.with_name(file.name.replace("parcels", "sent")).write_bytes(file.read_bytes())
    watch(home, now=NOW)
    assert [r["models"] for r in listed(home, NOW)] == [["letters"], ["parcels"]]
    assert len(incidents(slack)) == 2
    assert not any("too" in m["text"] for m in incidents(slack))


def without(share: float) -> Change:
    """Take the weights of some rows away."""

    def change(events: pa.Table, labels: pa.Table) -> tuple[pa.Table, pa.Table]:
        kept = [None if i % 10 < 10 * share else w for i, w in enumerate(events["weight_kg"].to_pylist())]
        return events.set_column(events.column_names.index("weight_kg"), "weight_kg", pa.array(kept, pa.float64())), labels

    return change


@pytest.mark.nightly
def test_the_same_column_of_the_same_source_is_the_same_fault_and_another_column_is_not(make_home: Callable[..., Home]):
    """The boxes know the depot alone, and lose it on the same days."""

    def change(events: pa.Table, labels: pa.Table) -> tuple[pa.Table, pa.Table]:
        events, labels = without(0.5)(events, labels)
        kept = [None if i % 2 else d for i, d in enumerate(events["depot"].to_pylist())]
        return events.set_column(events.column_names.index("depot"), "depot", pa.array(kept, pa.string())), labels

    few = {"segments": [], "features": ["weight_kg"]}
    home = make_home(LETTERS | few, PARCELS | few, PARCELS | {"model": "boxes", "segments": [], "features": ["depot"]})
    parcels_days(home.root, BEGIN.date(), 24, rows=300, change=dict.fromkeys((21, 22, 23), change))
    now = BEGIN + 25 * DAY
    for monitor in load_monitors(home)[0]:
        watch(home, [monitor], now=now)
    rows = [r for r in listed(home, now, resolved=True) if r["subject"] == "missing values"]
    assert sorted(r["models"] for r in rows) == [["boxes"], ["letters", "parcels"]]
    assert {tuple(e.faults) for e in written(home) if e.event == "opened" and e.subject == "missing values"} == {
        (f"missing values in depot ({FILES})",),
        (f"missing values in weight_kg ({FILES})",),
    }


ALL_KNOWN = BEGIN + 28 * DAY


@pytest.fixture(scope="module")
def alike(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """Two models, one of which names what retrains it, whose labels of four days are all alike."""

    def all_late(events: pa.Table, labels: pa.Table) -> tuple[pa.Table, pa.Table]:
        return events, labels.set_column(1, "was_late", pa.array([True] * labels.num_rows))

    asked = {"retraining": {"deployment": "train/nightly", "severity": "warning"}}
    home = new_home(tmp_path_factory.mktemp("alike") / "home", LETTERS, PARCELS | asked)
    parcels_days(home.root, BEGIN.date(), 26, rows=300, change=dict.fromkeys((22, 23, 24, 25), all_late))
    watch(home, now=ALL_KNOWN)
    return home


def test_labels_that_are_all_alike_in_a_file_that_both_read_are_one_fault(alike: Home):
    [row] = [r for r in listed(alike, ALL_KNOWN, resolved=True) if r["family"] == "kpi"]
    assert row["models"] == ["letters", "parcels"]
    leading = next(e for e in written(alike) if e.incident_id == row["id"])
    assert leading.faults == ["labels are not as they were (files inbox/delivered-*.parquet)"]


@pytest.mark.nightly
def test_an_outcome_that_changed_for_both_is_no_fault_that_they_share(make_home: Callable[..., Home]):
    home = make_home(LETTERS, PARCELS)
    parcels_days(home.root, BEGIN.date(), 26, rows=300, late=dict.fromkeys((22, 23), 0.6))
    now = BEGIN + 28 * DAY
    watch(home, now=now)
    assert sorted(r["models"] for r in listed(home, now, resolved=True) if r["family"] == "kpi") == [["letters"], ["parcels"]]


SERVED = {"columns": PARCELS["columns"] | {"latency": "took_ms", "host": "host"}, "segments": []}


def slow_host(home: Home, prefix: str, *, hosts: tuple[str, ...], days: int, slow: range) -> None:
    """Write days of parcels with how long each took: on some days three times as long as usual, everywhere."""

    def change(day: int) -> Change:
        def timed(events: pa.Table, labels: pa.Table) -> tuple[pa.Table, pa.Table]:
            rng = np.random.default_rng([day, len(prefix)])
            took = rng.lognormal(np.log(50.0), 0.3, events.num_rows) * (3.0 if day in slow else 1.0)
            return events.append_column("took_ms", pa.array(took)).append_column("host", pa.array(rng.choice(hosts, events.num_rows))), labels

        return timed

    parcels_days(home.root, BEGIN.date(), days, rows=300, change={d: change(d) for d in range(days)})
    if prefix != "parcels":
        for file in sorted(home.root.glob("inbox/parcels-*")):
            file.rename(file.with_name(file.name.replace("parcels", prefix)))


def gpus(host: str, model: str, *, days: int, slow: range) -> list[GpuSample]:
    """Return hourly readings of a GPU that serves a model; on some days its clocks are held down."""
    held = {d: ["sw_thermal_slowdown"] if d in slow else [] for d in range(days)}
    return [
        GpuSample(
            sampled_at=BEGIN + d * DAY + (h + 1) * HOUR,
            interval_s=3600.0,
            host=host,
            device=0,
            device_uuid=f"{host}-{model}",
            device_name="A10",
            model=model,
            throttle_reasons=held[d],
            temperature_c=88.0 if held[d] else 61.0,
        )
        for d in range(days)
        for h in range(24)
    ]


@pytest.mark.nightly
@pytest.mark.parametrize("other", ["gpu-1", "gpu-2"])
def test_a_gpu_host_that_throttles_under_two_models_is_one_incident_and_two_hosts_are_two(make_home: Callable[..., Home], slack: Slack, other: str):
    """The models read files of their own: only the host is the same."""
    home = make_home(LETTERS | SERVED | {"events": {"files": "inbox/letters-*.parquet"}}, PARCELS | SERVED)
    days, slow = 24, range(21, 24)
    for prefix, host in (("letters", other), ("parcels", "gpu-1")):
        slow_host(home, prefix, hosts=(host,), days=days, slow=slow)
        home.lake.append_records(GpuSample, gpus(host, prefix, days=days, slow=slow))
    now = BEGIN + days * DAY + 2 * HOUR
    watch(home, now=now)
    rows = [r for r in listed(home, now) if r["family"] == "service"]
    causes = {r["causes"][0]["subject"].partition(" (")[0] for r in rows}
    assert causes == {f"GPU 0 of host {host} throttled" for host in (other, "gpu-1")}
    is_one = other == "gpu-1"
    assert [r["models"] for r in rows] == ([["letters", "parcels"]] if is_one else [["letters"], ["parcels"]])
    said = [m for m in incidents(slack) if "latency" in m["text"]]
    assert [("*Same fault:* 2 models: host gpu-1." in json.dumps(m["blocks"])) for m in said] == ([True] if is_one else [False, False])


def test_a_retraining_is_asked_for_each_model_by_its_own_incident(alike: Home):
    """The labels of both are wrong: the deployment that the parcels name is asked once, that of the letters never, as they name none."""
    [kpi] = [r for r in listed(alike, ALL_KNOWN) if r["family"] == "kpi"]
    assert kpi["models"] == ["letters", "parcels"]
    part = next(i for i in known_incidents(alike, now=ALL_KNOWN) if i.part_of == kpi["id"])
    decided = [a for a in alike.lake.newest(Action) if a.kind == "retrain" and a.incident_id in (kpi["id"], part.id)]
    assert {(a.model, a.incident_id) for a in decided} == {("parcels", part.id)}
