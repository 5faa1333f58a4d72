"""One prediction: what is known of it, by its id, and which ones are worth reading."""

import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from conftest import PARCELS, new_home, parcels_world
from evidence_world import signal
from incident_world import MONDAY, event
from intake_world import expect, suite
from measure_world import feature
from watchkeeper.adapters.workspace import load_monitor
from watchkeeper.cli import app
from watchkeeper.errors import UsageError
from watchkeeper.measures.rarity import place_of
from watchkeeper.operations.change import record_change
from watchkeeper.operations.explain import explain
from watchkeeper.operations.ingest import ingest
from watchkeeper.operations.pick import pick
from watchkeeper.operations.watch import watch
from watchkeeper.profiles.bins import fit_numeric
from watchkeeper.records import IncidentEvent, Profile, Run, Score, Signal
from watchkeeper.site.explanation import explanation_lines
from watchkeeper.windows import Window
from worlds import DAY, parcels_days

FIRST = datetime(2025, 1, 1, tzinfo=UTC)
NOW = FIRST + 25 * DAY
BAD = FIRST + 20 * DAY
HEAVY, SMALL, LATE, ODD = "20250122-00007", "20250122-00008", "20250122-00009", "20250122-00010"
LAST = "20250125-00010"
MONITOR = PARCELS | {
    "private": ["insured"],
    "columns": PARCELS["columns"] | {"attributions": {"weight_kg": "by_weight", "depot": "by_depot", "insured": "by_insured"}},
}


def _told(events: pa.Table, labels: pa.Table) -> tuple[pa.Table, pa.Table]:
    """A day with a parcel heavier than all, one of a depot that never was, one whose label changes, and one without."""
    rows = events.to_pylist()
    rows[7]["weight_kg"], rows[8]["depot"] = 500.0, "mars"
    changed = labels.slice(9, 1).to_pylist()[0]
    later = {**changed, "was_late": not changed["was_late"], "delivered_at": changed["delivered_at"] + timedelta(hours=1)}
    kept = [r for r in labels.to_pylist() if r["parcel"] not in (ODD, LAST)]
    return pa.Table.from_pylist(rows, schema=events.schema), pa.Table.from_pylist([*kept, later], schema=labels.schema)


def _insured(events: pa.Table, labels: pa.Table) -> tuple[pa.Table, pa.Table]:
    rows = events.num_rows
    more = {
        "insured": [f"name-{i % 3}" for i in range(rows)],
        "by_weight": [0.1 * w - 0.12 for w in events.column("weight_kg").to_pylist()],
        "by_depot": [None if d == "mars" else {"north": 0.02}.get(d, -0.04) for d in events.column("depot").to_pylist()],
        "by_insured": [0.01 * (i % 3) for i in range(rows)],
    }
    for name, values in more.items():
        events = events.append_column(name, pa.array(values))
    return events, labels


@pytest.fixture(scope="module")
def home(tmp_path_factory):

    place = new_home(tmp_path_factory.mktemp("explained") / "home", MONITOR)
    suite(
        place,
        "parcels_events",
        expect("expect_column_values_to_be_between", column="weight_kg", max_value=100, severity="warning", why="no van lifts more"),
    )
    change = {d: (lambda e, t, d=d: _insured(*(_told(e, t) if d in (21, 24) else (e, t)))) for d in range(25)}
    parcels_days(place.root, FIRST.date(), 25, rows=120, late=dict.fromkeys(range(20, 24), 0.7), change=change)
    record_change(
        place, "parcels", kind="release", at=FIRST, version="1", note="first model", who="ann", now=FIRST, parameters={"trees": "50", "depth": "4"}
    )
    watch(place, now=NOW)
    return place


@pytest.fixture(scope="module")
def monitor(home):
    return load_monitor(home, "parcels")


def lines(monitor, found) -> dict[str, str]:
    return dict(explanation_lines(monitor, found))


def test_all_that_is_known_is_told(home, monitor):
    found = explain(home, monitor, HEAVY, now=NOW)
    said = lines(monitor, found)
    assert said[""].startswith(f"parcels, {HEAVY}, Wed 22 Jan 2025, ")
    assert "reference predictions that scored within 0.02 of it, " in said["Score"]
    assert said["Unusual inputs"].startswith("weight_kg 500: above all of the reference, whose highest is ")
    assert said["Version"] == "1; release of Wed 1 Jan 2025, 00:00: first model (depth 4, trees 50)"
    assert said["Moved by"].startswith("weight_kg 500 by +49.9, above all of the reference, whose highest is ")
    assert "depot " in said["Moved by"]
    assert said["Moved by"].endswith("(attributions as they were logged)")
    assert said["Landed"].endswith(
        "parcels-2025-01-22.parquet, row 7; of its whole file did not hold: weight_kg: 1 % of 120 rows not as expected (at most 100), this row is one of them"
    )
    assert said["Segments"].startswith("depot ")
    assert said["Incidents"].startswith(("critical", "high", "warning"))
    assert said["Label"].startswith(("positive, known Wed 22 Jan", "positive, known Thu 23 Jan", "not positive, known"))


def test_what_did_not_hold_of_its_file_is_told_with_the_share_of_rows_and_whether_this_is_one_of_them(make_home):
    home = make_home(MONITOR | {"labels": None})
    monitor = load_monitor(home, "parcels")
    text = {"column": "depot", "severity": "warning"}
    suite(
        home,
        "parcels_events",
        expect("expect_column_values_to_not_be_null", column="weight_kg", severity="warning", why="scales never fail"),
        expect("expect_column_values_to_be_between", column="by_weight", min_value=0, strict_min=True, severity="warning"),
        expect("expect_column_values_to_be_in_set", value_set=["north", "south", "east"], **text),
        expect("expect_column_values_to_match_regex", regex="^[a-z]+$", **text),
        expect("expect_column_values_to_be_in_set", column="insured", value_set=["name-1", "name-2"], severity="warning"),
        expect("expect_table_row_count_to_be_between", min_value=60, severity="warning"),
    )
    events, _ = _insured(*parcels_world(FIRST, rows=50))
    rows = [r | {"by_weight": 0.0 if n in range(1, 5) else 1.0} for n, r in enumerate(events.to_pylist())]
    rows[0] |= {"weight_kg": None, "by_weight": None}
    rows[1]["depot"], rows[2]["depot"] = "mars", "M4"
    pq.write_table(pa.Table.from_pylist(rows, schema=events.schema), home.root / "inbox" / "parcels-1.parquet")
    ingest(home, monitor, now=NOW)

    def told(place: int) -> list[str]:
        return lines(monitor, explain(home, monitor, rows[place]["parcel"], now=NOW))["Landed"].partition("did not hold: ")[2].split("; ")

    null, limits, names, spelling, private, size = told(0)
    assert null == "weight_kg: 2 % of 50 rows not as expected (not be null), this row is one of them"
    assert limits == "by_weight: 8 % of 50 rows not as expected (above 0), this row is not", "what is missing breaks no limit"
    assert names == "depot: 4 % of 50 rows not as expected (one of north, south and east), this row is not"
    assert spelling == "depot: 2 % of 50 rows not as expected (match regex), this row may be sound"
    assert private.startswith("insured: ")
    assert private.endswith(" of 50 rows not as expected (one of a set), this row may be sound"), "of what is private nothing is told"
    assert size == "the table: table row count to be between (50 was seen)"
    assert [one.rpartition(", ")[2] for one in told(2)[:3]] == ["this row is not", "this row is one of them", "this row is one of them"]


def test_how_rows_with_about_such_a_score_came_out_is_counted_in_the_reference(home, monitor):
    """By the rows themselves, and no curve: where no row of the reference scored so, that is said."""
    found = explain(home, monitor, "20250103-00003", now=NOW)
    events, labels = home.lake.read("events/parcels"), home.lake.read("labels/parcels")
    came = dict(zip(labels.column("id").to_pylist(), labels.column("label").to_pylist(), strict=True))
    near = [
        bool(came[r["parcel"]])
        for r in events.to_pylist()
        if r["sent_at"] < FIRST + 14 * DAY and r["parcel"] in came and abs(r["p_late"] - found.score) <= found.alike.within
    ]
    assert found.alike.within == 0.02
    assert (found.alike.n, found.alike.positive) == (len(near), sum(near))
    assert found.alike.n >= 50


def test_an_id_is_found_letter_by_letter_and_the_monitors_environment_before_a_shadow(make_home):
    home = make_home(PARCELS | {"columns": PARCELS["columns"] | {"id": "number", "environment": "site"}, "labels": None}, name="shadowed")
    monitor = load_monitor(home, "parcels")
    events, _ = parcels_world(FIRST, rows=40)
    both = []
    for site, shift in (("production", 0), ("staging", 1)):
        rows = events.append_column("number", pa.array(range(1000, 1040))).append_column("site", pa.array([site] * 40))
        moved = pc.add(rows.column("sent_at"), pa.scalar(timedelta(seconds=shift), pa.duration("us")))
        both.append(rows.set_column(rows.column_names.index("sent_at"), "sent_at", moved))
    for site, rows in zip(("production", "staging"), both, strict=True):
        pq.write_table(rows, home.root / "inbox" / f"parcels-{site}.parquet")
    ingest(home, monitor, now=NOW)
    found = explain(home, monitor, "1003", now=NOW)
    assert (found.environment, found.times_landed) == ("production", 2)
    with pytest.raises(UsageError, match="letter by letter"):
        explain(home, monitor, "1003.0", now=NOW)


def test_of_an_id_that_several_versions_scored_each_can_be_told_of(make_home):
    home = make_home(PARCELS | {"labels": None}, name="released")
    monitor = load_monitor(home, "parcels")
    events, _ = parcels_world(FIRST, rows=40)
    for version in ("1", "2"):
        scored = pa.array([float(version) / 10] * 40)
        rows = events.set_column(events.column_names.index("p_late"), "p_late", scored)
        rows = rows.set_column(rows.column_names.index("version"), "version", pa.array([version] * 40))
        pq.write_table(rows, home.root / "inbox" / f"parcels-{version}.parquet")
    ingest(home, monitor, now=NOW)
    name = events["parcel"][3].as_py()
    told = {version: explain(home, monitor, name, now=NOW, version=version) for version in ("1", "2")}
    assert [(v, f.version, f.score, f.versions, f.times_landed) for v, f in told.items()] == [
        ("1", "1", 0.1, ("1", "2"), 1),
        ("2", "2", 0.2, ("1", "2"), 1),
    ]
    assert lines(monitor, told["1"])["Version"] == "1; 2 scored this id too: `--version 2` tells of it"
    latest = explain(home, monitor, name, now=NOW)
    other = {"1": "2", "2": "1"}[latest.version]
    assert f"`--version {other}` tells of it" in lines(monitor, latest)["Version"]
    assert "its id 2 times in the lake" in lines(monitor, latest)["Landed"]
    with pytest.raises(UsageError, match=r"--version: version '3' did not score '.*'\. Those that did: 1, 2\."):
        explain(home, monitor, name, now=NOW, version="3")
    shown = CliRunner().invoke(app, ["--home", str(home.root), "explain", "parcels", name, "--version", "1", "--json", "--now", NOW.isoformat()])
    assert json.loads(shown.stdout)["score"] == 0.1


@pytest.mark.parametrize(
    ("family", "subject", "about", "of"),
    [
        ("data", "missing segments", [("rows", "depot=east")], {"east"}),
        ("data", "missing rows", [("rows", "")], {"north", "east"}),
        ("segment", "depot=north", [("calibration_gap_to_rest", "depot=north")], {"north"}),
        ("target", "target recall depot=north", [("recall", "depot=north")], {"north"}),
        ("service", "service", [("latency_to_rest", "depot=east"), ("latency_p95", "")], {"north", "east"}),
        ("cost", "budget", [], {"north", "east"}),
    ],
)
def test_the_incidents_of_a_row_are_of_the_model_or_of_a_segment_that_it_is_in(make_home, family, subject, about, of):
    """A row of north landed: those of east that did not come are nothing of it."""
    home = make_home(PARCELS | {"labels": None})
    monitor = load_monitor(home, "parcels")
    parcels_days(home.root, MONDAY.date(), 1, rows=40)
    ingest(home, monitor, now=MONDAY + 2 * DAY)
    during = {"window_start": MONDAY, "window_end": MONDAY + DAY, "computed_at": MONDAY + DAY}
    raised = [replace(signal(metric, family=family, segment=segment), **during, signal_id=f"s{n}") for n, (metric, segment) in enumerate(about)]
    home.lake.append_records(Signal, raised)
    home.lake.append_records(IncidentEvent, [event(family=family, subject=subject, signals=[s.signal_id for s in raised])])
    rows = home.lake.read("events/parcels").to_pylist()
    found = {depot: next(r["parcel"] for r in rows if r["depot"] == depot) for depot in ("north", "east")}
    told = {depot for depot, name in found.items() if explain(home, monitor, name, now=MONDAY + 3 * DAY).incidents}
    assert told == of


def test_where_no_version_is_logged_none_can_be_asked_for(make_home):
    columns = {k: v for k, v in PARCELS["columns"].items() if k != "version"}
    home = make_home(PARCELS | {"labels": None, "columns": columns}, name="nameless")
    monitor = load_monitor(home, "parcels")
    events, _ = parcels_world(FIRST, rows=40)
    pq.write_table(events, home.root / "inbox" / "parcels-1.parquet")
    ingest(home, monitor, now=NOW)
    with pytest.raises(UsageError, match="name no version"):
        explain(home, monitor, events["parcel"][3].as_py(), now=NOW, version="1")


@pytest.mark.parametrize(
    ("value", "said"), [(1000.0, "higher than over 99.9 % of the reference"), (-1000.0, "lower than over 99.9 % of the reference")]
)
def test_a_place_near_an_end_of_the_reference_is_said_in_words(value, said):
    rng = np.random.default_rng(0)
    bins = fit_numeric("x", rng.normal(size=5_000))
    values = np.concatenate([rng.normal(0, 0.5, 100_000), [value, 2 * value]])
    assert place_of(feature(bins, values), value).said == said


def test_what_the_reference_never_had_is_said(home, monitor):
    found = explain(home, monitor, SMALL, now=NOW)
    place = {i.name: i.place for i in found.inputs}["depot"]
    assert (place.said, place.is_unusual) == ("never seen in the reference", True)


def test_a_label_that_changed_is_told_with_what_it_said_before(home, monitor):
    first, last = explain(home, monitor, LATE, now=NOW).truths
    assert {first.label, last.label} == {"0", "1"}
    assert " before" in lines(monitor, explain(home, monitor, LATE, now=NOW))["Label"]


def test_a_label_that_is_waited_for_and_one_that_never_came(home, monitor):
    assert lines(monitor, explain(home, monitor, LAST, now=NOW))["Label"] == "not here yet; due by Mon 27 Jan 2025, 12:00"
    assert lines(monitor, explain(home, monitor, ODD, now=NOW))["Label"] == "never came; it was due by Fri 24 Jan 2025, 12:00"


def test_a_label_that_waits_in_quarantine_came(home, monitor, make_home):
    other = make_home(PARCELS, name="held")
    events, labels = parcels_world(FIRST, rows=40)
    known = labels.to_pylist()
    known[3]["was_late"] = None
    pq.write_table(events, other.root / "inbox" / "parcels-1.parquet")
    odd = pa.Table.from_pylist([{**r, "was_late": "perhaps" if i == 3 else str(r["was_late"])} for i, r in enumerate(known)])
    pq.write_table(odd, other.root / "inbox" / "delivered-1.parquet")
    its = load_monitor(other, "parcels")
    ingest(other, its, now=NOW)
    said = lines(its, explain(other, its, known[3]["parcel"], now=NOW))["Label"]
    assert said.startswith("came, and waits in quarantine (")
    assert "perhaps" in said or "was_late" in said


def test_a_prediction_of_classes_says_how_sure_the_model_was(make_home):
    columns = PARCELS["columns"] | {"score": None, "probabilities": {"early": "p_early", "late": "p_late2", "lost": "p_lost"}, "prediction": "says"}
    other = make_home(PARCELS | {"task": "multiclass", "columns": columns, "labels": None, "segments": []}, name="classes")
    events, _ = parcels_world(FIRST, rows=5)
    for name, p in (("p_early", 0.2), ("p_late2", 0.55), ("p_lost", 0.25)):
        events = events.append_column(name, pa.array([p] * 5))
    pq.write_table(events.append_column("says", pa.array(["late"] * 5)), other.root / "inbox" / "parcels-1.parquet")
    its = load_monitor(other, "parcels")
    ingest(other, its, now=NOW)
    found = explain(other, its, events.column("parcel")[0].as_py(), now=NOW)
    assert lines(its, found)["Score"] == "late 0.550, lost 0.250, early 0.200; late leads by 0.300"


def test_private_inputs_are_masked_unless_a_reason_is_given_which_is_kept(home, monitor):
    (masked,) = [i for i in explain(home, monitor, HEAVY, now=NOW).inputs if i.name == "insured"]
    assert (masked.value, masked.place.said) == ("***", "")
    (shown,) = [i for i in explain(home, monitor, HEAVY, now=NOW, private_reason="ticket 9").inputs if i.name == "insured"]
    assert shown.value == "name-1"
    assert "of the reference" in shown.place.said, "found again though the bins hold hashes"
    (kept,) = [r for r in home.lake.newest(Run) if r.operation == "explain"]
    assert kept.reason.endswith(f"ticket 9; {HEAVY}")


def test_the_attribution_of_a_private_input_is_masked_with_it(home, monitor):
    (masked,) = [i for i in explain(home, monitor, HEAVY, now=NOW).inputs if i.name == "insured"]
    assert masked.attribution is None
    (shown,) = [i for i in explain(home, monitor, HEAVY, now=NOW, private_reason="ticket 9").inputs if i.name == "insured"]
    assert shown.attribution == pytest.approx(0.01)
    assert "insured" not in lines(monitor, explain(home, monitor, HEAVY, now=NOW))["Moved by"]


def test_attributions_are_watched_for_drift_and_are_no_inputs(home, monitor):
    drift = {s.feature for s in home.lake.newest(Score, where=pc.field("metric") == "psi") if not s.segment}
    assert {"@attribution=weight_kg", "@attribution=depot", "@attribution=insured"} <= drift
    assert not drift & {"by_weight", "by_depot", "by_insured"}
    assert {i.name for i in explain(home, monitor, HEAVY, now=NOW).inputs} == {"weight_kg", "depot", "insured"}
    kept = home.lake.read(Profile.TABLE, columns=["low", "sum", "n"], where=pc.field("feature") == "@attribution=insured")
    assert pc.sum(kept.column("n")).as_py() > 0
    assert (pc.sum(kept.column("sum")).as_py(), kept.column("low").null_count) == (0.0, kept.num_rows), "of private ones counts alone are kept"


def test_an_id_that_never_landed_is_said_and_one_in_quarantine_with_its_reason(home, monitor):
    with pytest.raises(UsageError, match="no prediction with the id 'nobody' has landed"):
        explain(home, monitor, "nobody", now=NOW)
    with pytest.raises(UsageError, match="has landed"):
        explain(home, monitor, HEAVY, now=FIRST)


def test_an_id_that_waits_in_quarantine_is_its_own_and_not_a_part_of_another_one(make_home):
    place = make_home(MONITOR)
    suite(place, "parcels_events", expect("expect_column_values_to_be_between", column="weight_kg", max_value=0.2))
    parcels_days(place.root, FIRST.date(), 1, rows=20)
    watch(place, now=FIRST + 2 * DAY)
    watched = load_monitor(place, "parcels")
    with pytest.raises(UsageError, match=r"it waits in quarantine \(weight_kg"):
        explain(place, watched, "20250101-00003", now=FIRST + 2 * DAY)
    with pytest.raises(UsageError, match="no prediction with the id '00003' has landed"):
        explain(place, watched, "00003", now=FIRST + 2 * DAY)


def test_the_least_sure_are_those_nearest_to_the_threshold(home, monitor):
    found = pick(home, monitor, "low_confidence", now=NOW, limit=10)
    assert len(found) == 10
    margins = [p.margin for p in found]
    assert margins == sorted(margins)
    assert {p.at.date() for p in found} <= {date(2025, 1, 19) + timedelta(days=d) for d in range(7)}


def test_the_most_wrong_are_those_that_were_sure(home, monitor):
    found = pick(home, monitor, "wrong", now=NOW, window=Window(BAD, BAD + DAY), limit=500)
    assert found
    assert all(p.decision != str(int(p.label == "true")) for p in found)
    assert [p.error for p in found] == sorted((p.error for p in found), reverse=True)


def _wide(events: pa.Table, labels: pa.Table) -> tuple[pa.Table, pa.Table]:
    """A day on which thirty columns come that the reference has no values of, and one parcel is heavier than all."""
    more = {f"later_{i:02}": pa.array(np.zeros(events.num_rows)) for i in range(30)}
    weight = events.column("weight_kg").to_pylist()
    weight[3] = 500.0
    wide = pa.table({**more, **{n: events.column(n) for n in events.column_names}})
    return wide.set_column(wide.column_names.index("weight_kg"), "weight_kg", pa.array(weight)), labels


def test_of_many_columns_that_came_after_the_reference_few_are_shown_and_the_rest_is_counted(make_home):
    place = make_home(PARCELS)
    parcels_days(place.root, FIRST.date(), 16, rows=30, change={15: _wide})
    watch(place, now=FIRST + 17 * DAY)
    asked = ["explain", "parcels", "--now", (FIRST + 17 * DAY).isoformat(), "--home", str(place.root)]
    usual, odd = (CliRunner().invoke(app, [*asked, f"20250116-0000{n}"], env={"COLUMNS": "200"}).stdout for n in (4, 3))
    every = json.loads(CliRunner().invoke(app, [*asked, "20250116-00003", "--json"]).stdout)["inputs"]
    known = len(every) - 30
    assert 0 < known < 20
    for shown in (usual, odd):
        names = [line.split()[0] for line in shown.partition("in the reference")[2].splitlines() if line.strip()]
        assert {i["name"] for i in every if not i["name"].startswith("later_")} <= set(names)
        assert sum(n.startswith("later_") for n in names) == 20 - known
        assert f"And {len(every) - 20} more inputs, less telling than these 20: --json has all. 30 columns have no values in the reference." in shown
    assert f"Unusual inputs: none of {known}; 30 more are not compared" in usual
    assert "Unusual inputs: weight_kg 500: above all of the reference" in odd


def test_an_error_is_nought_of_what_was_right_and_nothing_of_what_has_no_label(home, monitor):
    """Also where the label is private, and not shown."""
    window = Window(BAD + DAY, BAD + 2 * DAY)
    for watched in (monitor, monitor.model_copy(update={"private": ["was_late"]})):
        told = {p.id: p for p in pick(home, watched, "any", now=NOW, window=window, limit=500)}
        assert [p.id for p in told.values() if p.error is None] == [ODD]
        assert [p.id for p in told.values() if not p.is_labelled] == [ODD]
        assert 0.0 in {p.error for p in told.values()}
        wrong = {p.id for p in pick(home, watched, "wrong", now=NOW, window=window, limit=500)}
        assert wrong == {p.id for p in told.values() if p.error}


def test_a_table_says_that_a_label_is_awaited(home):
    asked = ["sample", "parcels", "--window", "2025-01-22", "--limit", "500", "--now", NOW.isoformat(), "--home", str(home.root)]
    shown = CliRunner().invoke(app, asked, env={"COLUMNS": "200"}).stdout.splitlines()
    assert [line.split()[0] for line in shown if line.rstrip().endswith("no label yet")] == [ODD]
    told = json.loads(CliRunner().invoke(app, [*asked, "--json"]).stdout)
    assert [p["id"] for p in told if p["error"] is None] == [ODD]


def test_a_segment_narrows_the_choice_and_an_unknown_one_is_refused(home, monitor):
    ids = {p.id for p in pick(home, monitor, "any", now=NOW, window=Window(BAD + DAY, BAD + 2 * DAY), segment="depot=mars", limit=500)}
    assert ids == {SMALL}
    with pytest.raises(UsageError, match="keeps apart: depot"):
        pick(home, monitor, "any", now=NOW, segment="insured=name-1")


@pytest.mark.parametrize(
    ("kind", "changes", "said"), [("low_confidence", {"task": "regression"}, "no chances"), ("wrong", {"labels": None}, "no labels")]
)
def test_what_a_model_cannot_be_asked_for_is_said(home, monitor, kind, changes, said):
    with pytest.raises(UsageError, match=said):
        pick(home, monitor.model_copy(update=changes), kind, now=NOW)


def test_between_an_edit_of_the_monitor_and_the_next_run_it_is_said_that_nothing_is_counted_yet(home, copy_of):
    edited = copy_of(home)
    (edited.monitors_dir / "parcels.yaml").write_text(json.dumps(MONITOR | {"segments": []}))
    monitor = load_monitor(edited, "parcels")
    found = explain(edited, monitor, HEAVY, now=NOW)
    assert "not compared: the reference is not counted yet as the monitor now has it; `watchkeeper run` does so" in lines(monitor, found)["Score"]
    assert not any("has no values" in said for said in lines(monitor, found).values())
    watch(edited, now=NOW)
    assert "not compared" not in lines(monitor, explain(edited, monitor, HEAVY, now=NOW))["Score"]
