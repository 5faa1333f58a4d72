"""A trace id on a prediction leads to its spans, and a trace to its predictions."""

import json

import pytest

from conftest import PARCELS
from otel_world import a_trace, json_of, trace_id_of
from watchkeeper.adapters.workspace import load_monitors
from watchkeeper.operations.ingest import ingest
from watchkeeper.operations.spans import spans_of
from watchkeeper.operations.take_telemetry import take

NOW = "2025-02-02T00:00Z"
TRACE, OTHER = a_trace(), a_trace(seconds=60)
TRACE_ID, OTHER_ID = trace_id_of(TRACE), trace_id_of(OTHER)


def spelled(how, trace_id):
    return {
        "plain": trace_id,
        "capitals": trace_id.upper(),
        "uuid": f"{trace_id[:8]}-{trace_id[8:12]}-{trace_id[12:16]}-{trace_id[16:20]}-{trace_id[20:]}",
        "traceparent": f"00-{trace_id}-00f067aa0ba902b7-01",
    }[how]


@pytest.fixture
def world(make_home):
    """Return a maker of a workspace with three predictions, two of which were made in one trace, and the spans of it and another."""

    def make(how="plain"):
        monitor = {**PARCELS, "columns": {**PARCELS["columns"], "trace_id": "trace"}}
        home = make_home(monitor, name="traced")
        traces = [TRACE_ID, TRACE_ID, "f" * 32]
        rows = [
            {
                "parcel": f"p{i}",
                "sent_at": "2025-02-01T10:00:00Z",
                "p_late": 0.3,
                "is_late": False,
                "version": "1",
                "depot": "north",
                "trace": spelled(how, t),
            }
            for i, t in enumerate(traces)
        ]
        (home.root / "inbox" / "p.jsonl").write_text("\n".join(map(json.dumps, rows)))
        (home.root / "inbox" / "otel.jsonl").write_bytes(json_of(TRACE, OTHER))
        from watchkeeper.cli.frame import moment

        now = moment(NOW)
        ingest(home, load_monitors(home)[0]["parcels"], now=now, source="events", files=[home.root / "inbox" / "p.jsonl"])
        take(home, load_monitors(home)[0], now=now, files=[home.root / "inbox" / "otel.jsonl"])
        return home

    return make


@pytest.mark.parametrize("how", ["plain", "capitals", "uuid", "traceparent"])
def test_a_prediction_shows_the_spans_of_its_trace_however_it_is_spelled(world, watchkeeper, how):
    home = world(how)
    told = watchkeeper("explain", "parcels", "p0", "--now", NOW, at=home)
    assert told.exit_code == 0, told.output
    lines = told.stdout.splitlines()
    assert "3 spans in 400 ms; 1 error; the slowest part is chat small-1: 300 ms (75 %) by itself" in lines
    assert "  POST /predict: 400 ms (100 %); parcels, gpu-7" in lines
    back = watchkeeper("explain", "parcels", "p1", "--trace", spelled(how, TRACE_ID), "--now", NOW, at=home)
    assert back.exit_code == 0, back.output
    assert back.stdout.startswith("parcels, p1,")


def test_a_trace_of_one_prediction_leads_to_it_and_one_of_several_names_them(world, watchkeeper):
    home = world()
    told = watchkeeper("explain", "parcels", "--trace", "f" * 32, "--now", NOW, at=home).stdout
    assert told.startswith("parcels, p2,")
    assert told.splitlines()[-1] == "No span of its trace has landed: `watchkeeper take-telemetry FILE` takes them in."
    several = watchkeeper("explain", "parcels", "--trace", TRACE_ID, "--now", NOW, at=home)
    assert several.exit_code == 2
    assert "2 predictions were made in this trace: p0 (" in several.stderr
    other = watchkeeper("explain", "parcels", "p2", "--trace", TRACE_ID, "--now", NOW, at=home)
    assert "'p2' was not made in this trace" in other.stderr


def test_a_trace_that_is_not_known_says_what_is(world, watchkeeper):
    home = world()
    assert "neither a prediction nor a span has the trace 'abc'" in watchkeeper("explain", "parcels", "--trace", "abc", "--now", NOW, at=home).stderr
    seen = watchkeeper("explain", "parcels", "--trace", OTHER_ID, "--now", NOW, at=home).stderr
    assert f"no prediction of parcels has the trace '{OTHER_ID}'. Its spans are there: parcels." in seen
    assert "no prediction is named" in watchkeeper("explain", "parcels", at=home).stderr


def test_json_has_the_spans_and_as_of_earlier_there_are_none(world, watchkeeper):
    from datetime import UTC, datetime, timedelta

    home = world()
    found = json.loads(watchkeeper("explain", "parcels", "p0", "--now", NOW, "--json", at=home).stdout)
    assert [s["name"] for s in found["spans"]] == ["POST /predict", "read features", "chat small-1"]
    assert json.loads(watchkeeper("explain", "parcels", "p2", "--now", NOW, "--json", at=home).stdout)["spans"] == []
    assert spans_of(home, TRACE_ID, now=datetime(2025, 2, 1, tzinfo=UTC)) == []
    began = min(s.started_at for s in spans_of(home, TRACE_ID, now=datetime(2025, 3, 1, tzinfo=UTC)))
    near = [len(spans_of(home, TRACE_ID, now=datetime(2025, 3, 1, tzinfo=UTC), near=began + timedelta(hours=h))) for h in (-20, 20, 30)]
    assert (near[0] > 0, near[1] > 0, near[2]) == (True, True, 0)
    assert spans_of(home, "", now=datetime(2025, 3, 1, tzinfo=UTC)) == []


def test_a_model_that_logs_no_trace_says_where_to_name_it(home, watchkeeper):
    said = watchkeeper("explain", "parcels", "--trace", TRACE_ID, at=home).stderr
    assert "the rows of parcels name no trace. Name the column that holds them as `columns.trace_id` in the monitor file." in said
