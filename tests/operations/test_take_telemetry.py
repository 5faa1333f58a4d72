"""Telemetry of others lands once: files by their content, spans and values by their keys; what is broken is told of, and stops nothing."""

import json
import os
import shutil
import threading
import time
from datetime import timedelta
from itertools import pairwise
from urllib.parse import parse_qs, urlsplit

import pytest

from conftest import PARCELS
from otel_world import AT, SECRET, a_trace, json_of, metrics, metrics_json, one_span, protobuf_of, with_lengths
from receiver import Answer, Receiver
from telemetry_world import NOW, put, taken_in
from watchkeeper.adapters.workspace import load_monitors
from watchkeeper.operations.query import query
from watchkeeper.operations.take_telemetry import Taken, faults, taken_text
from watchkeeper.operations.upkeep import upkeep
from watchkeeper.operations.watch import watch
from watchkeeper.records import Batch
from watchkeeper.samples import TELEMETRY_QUARANTINE, MetricSample, Span


def span_rows(home):
    found = home.lake.read(Span.TABLE)
    return 0 if found is None else found.num_rows


def test_the_same_file_twice_adds_nothing_whatever_its_name(telling):
    home = telling(files=["inbox/*.jsonl"])
    data = json_of(a_trace(), a_trace(seconds=60))
    put(home, "a.jsonl", data)
    (first,) = taken_in(home)
    assert (first.status, first.spans, first.rows_duplicate) == ("landed", 6, 0)
    copy = put(home, "b.jsonl", data)
    assert taken_in(home) == []
    (again,) = taken_in(home, files=[copy])
    assert (again.is_repeat, again.spans, again.reason) == (True, 0, "the same content was taken in before, as a.jsonl")
    assert span_rows(home) == 6


def test_a_file_that_has_grown_brings_what_is_new_in_it(telling):
    home = telling(files=["inbox/*.jsonl"])
    whole = json_of(a_trace(), a_trace(seconds=60))
    half_written = whole[:-100]
    put(home, "a.jsonl", half_written)
    (first,) = taken_in(home)
    assert (first.status, first.spans, first.rows_quarantined) == ("landed", 3, 0)
    assert first.reason == "line 2 is not whole yet, and is read when it is"
    put(home, "a.jsonl", whole)
    (second,) = taken_in(home, now=NOW + timedelta(minutes=15))
    assert (second.spans, second.rows_duplicate) == (3, 3)
    assert span_rows(home) == 6


def test_a_file_of_other_bytes_in_which_nothing_is_new_says_so(telling):
    home = telling(files=["inbox/*.jsonl"])
    one, two = json_of(a_trace()), json_of(a_trace(seconds=60))
    put(home, "a.jsonl", one + two)
    taken_in(home)
    put(home, "b.jsonl", two + b"\n" + one)
    put(home, "c.jsonl", one + b"{broken\n")
    again, broken = taken_in(home)
    assert (again.status, again.spans, again.rows_duplicate) == ("landed", 0, 6)
    assert again.reason == "nothing in it is new: 6 spans were taken in before"
    assert broken.reason.startswith("nothing in it is new: 3 spans were taken in before; set aside: line 2 ")
    (kept,) = [b for b in home.lake.newest(Batch) if b.name == "b.jsonl"]
    assert kept.reason == again.reason


def test_a_file_whose_only_line_is_being_written_waits_and_nothing_is_set_aside(telling):
    home = telling(files=["inbox/*"])
    whole = json_of(a_trace())
    path = put(home, "a.jsonl", whole[:-100])
    (first,) = taken_in(home, files=[path])
    assert (first.status, first.spans, first.rows_quarantined) == ("empty", 0, 0)
    assert first.reason == "line 1 is not whole yet, and is read when it is"
    put(home, "a.jsonl", whole)
    (second,) = taken_in(home, now=NOW + timedelta(minutes=15))
    assert (second.status, second.spans) == ("landed", 3)
    assert home.lake.read("telemetry/quarantine") is None


def test_a_rotated_file_is_read_once_more_and_then_known_by_its_new_name(telling):
    home, hour_ago = telling(files=["inbox/*.jsonl*"]), time.time() - 3600
    first = put(home, "a.jsonl", json_of(a_trace()))
    os.utime(first, (hour_ago, hour_ago))
    assert [t.spans for t in taken_in(home)] == [3]
    rotated = first.rename(first.with_name("a.jsonl.1"))
    assert taken_in(home) == []
    rotated.write_bytes(json_of(a_trace()))  # as long, and of the same time: who reads it sees other spans
    os.utime(rotated, (hour_ago, hour_ago))
    batches = home.lake.read(Batch.TABLE).num_rows
    assert taken_in(home, now=NOW + timedelta(hours=1)) == []
    assert home.lake.read(Batch.TABLE).num_rows == batches
    (known,) = home.lake.newest(Batch)
    assert (known.name, known.landed_at, known.rows_landed) == ("a.jsonl", NOW, 3)
    os.utime(rotated, (hour_ago + 60, hour_ago + 60))
    assert [t.spans for t in taken_in(home, now=NOW + timedelta(hours=2))] == [3]


def test_an_empty_file_is_empty_each_time_and_not_set_aside(make_home, watchkeeper):
    home = make_home(PARCELS, name="rotated", telemetry={"files": ["inbox/*"]})
    empties = [put(home, name, b"") for name in ("a.jsonl", "b.jsonl")]
    for path in empties:
        told = watchkeeper("take-telemetry", str(path), "--json", at=home)
        assert told.exit_code == 0
        assert [(t["status"], t["is_repeat"], t["reason"]) for t in json.loads(told.stdout)] == [("empty", False, "nothing is in it yet")]
    assert taken_in(home) == []
    put(home, "a.jsonl", json_of(a_trace()))
    assert [t.spans for t in taken_in(home)] == [3]


def test_two_collectors_that_tell_of_the_same_spans_count_once(telling):
    home, trace = telling(files=["inbox/*"]), a_trace()
    put(home, "a.jsonl", json_of(trace))
    put(home, "b.pb", with_lengths(protobuf_of(trace), protobuf_of(trace)))
    first, second = taken_in(home)
    assert (first.spans, second.spans, second.rows_duplicate) == (3, 0, 6)
    assert span_rows(home) == 3


def test_a_broken_line_is_set_aside_with_its_reason_and_the_rest_lands(telling):
    home = telling(files=["inbox/*"])
    good = json_of(a_trace())
    put(home, "a.jsonl", good + b'{"resourceSpans": "' + SECRET.encode() + b'"\n' + metrics_json(metrics()))
    (told,) = taken_in(home)
    assert (told.status, told.spans, told.rows_quarantined) == ("partial", 3, 1)
    assert told.values > 5
    assert told.reason == "set aside: line 2 is not JSON"
    asked = "SELECT name, row_number, reasons, row FROM telemetry_quarantine"
    assert query(home, load_monitors(home)[0], asked, now=NOW).to_pylist() == [
        {"name": "a.jsonl", "row_number": 1, "reasons": ["line 2 is not JSON"], "row": None}
    ]
    assert taken_in(home) == []
    assert taken_text([told]).startswith("Telemetry: 3 spans and ")
    assert taken_text([told]).endswith(" values landed, 1 line set aside.")


SECRETS = {
    "x-api-key": "LEAKME",
    "jwt": "LEAKME",
    "ai.prompt": "LEAKME",
    "http.response.body": "LEAKME",
    "customer_email": "LEAKME@mail.example",
    "url.path": "/of/LEAKME",
    "aws.secret_access_key": "LEAKME",
    "credit_card": "4111 1111 1111 1111",
    "langfuse.input": "LEAKME",
    "some.nested": {"prompt": "LEAKME"},
    "http.route": "/x?LEAKME",
    "error.type": "Bearer LEAKME",
    "service.name": "https://u:LEAKME@host",
    "lane": '{"password": "LEAKME", "a": "LEAKME"}',
    "gen_ai.request.model": "sk-proj-LEAKME",
}
"""Attributes, each with what must not reach the lake: by its name, or where the name is kept or asked for, by its value."""


def leaked(home):
    """Tell whether a secret stands anywhere under the lake, in files and logs as they are, or in rows, whose files are compressed."""
    lake = home.root / "warehouse" / "lake"
    tables = {str(p.parent.parent.relative_to(lake)) for p in lake.rglob("_delta_log/*.json")}
    assert Span.TABLE in tables
    found = b"".join([*(p.read_bytes() for p in lake.rglob("*") if p.is_file()), *(repr(home.lake.read(t).to_pylist()).encode() for t in tables)])
    assert b"/predict" in found, "rows are looked through"
    return b"LEAKME" in found or b"4111 1111" in found


@pytest.mark.parametrize("form", ["json", "protobuf"])
def test_no_secret_reaches_the_lake_in_rows_or_in_its_log(telling, form):
    home = telling(files=["inbox/*"], attributes=["lane", "some.nested"])
    plain = {n: v for n, v in SECRETS.items() if isinstance(v, str)}
    trace = one_span("GET /x?token=LEAKME", plain, "Authorization: Bearer LEAKME postgres://u:LEAKME@h/db")
    if form == "json":
        request = json.loads(json_of(trace))
        (made,) = request["resourceSpans"][0]["scopeSpans"][0]["spans"]
        nested = [{"key": "prompt", "value": {"stringValue": "LEAKME"}}]
        made["attributes"].append({"key": "some.nested", "value": {"kvlistValue": {"values": nested}}})
        put(home, "a.jsonl", json.dumps(request).encode() + b"\n" + json_of(a_trace()))
    else:
        put(home, "a.pb", with_lengths(protobuf_of(trace), protobuf_of(a_trace())))
    (told,) = taken_in(home)
    assert (told.spans, told.rows_quarantined) == (4, 0)
    assert not leaked(home)
    kept = next(s for s in home.lake.newest(Span) if s.name == "GET /x")
    assert kept.status_message == "Authorization: (removed)"
    assert json.loads(kept.attributes)["http.route"] == "/x"
    upkeep(home, load_monitors(home)[0], now=NOW + timedelta(days=1))
    assert not leaked(home)


def test_the_log_of_telemetry_has_no_text_as_minimum_or_maximum(telling):
    home = telling(files=["inbox/*"])
    put(home, "a.jsonl", json_of(a_trace()) + metrics_json(metrics()))
    taken_in(home)
    home.lake.compact(Span.TABLE)
    for record, number in ((Span, "duration_ms"), (MetricSample, "value")):
        logs = (home.root / "warehouse" / "lake" / record.TABLE / "_delta_log").glob("*.json")
        said = [json.loads(a["add"]["stats"]) for p in logs for a in map(json.loads, p.read_text().splitlines()) if "add" in a]
        assert said
        assert all(number in one["minValues"] for one in said)
        assert not [v for one in said for n, v in one["minValues"].items() if isinstance(v, str) and not n.endswith("at")]


def test_labels_of_series_stay_apart_and_lose_what_they_tell_of_persons(telling):
    with Page() as page:
        page.text = 'm{lane="fast",customer_email="LEAKME"} 1\nm{lane="slow",path="/x?token=LEAKME"} 2\n'
        home = telling(prometheus=[{"name": "page", "scrape": f"{page.url}/metrics"}])
        taken_in(home, is_live=True)
    assert {s.labels: s.value for s in home.lake.newest(MetricSample)} == {'{"lane": "fast"}': 1.0, '{"lane": "slow", "path": "/x"}': 2.0}


def test_a_file_that_is_none_is_set_aside_whole_and_named(telling):
    home = telling(files=["inbox/*"])
    put(home, "a.png", b"\x89PNG\r\n\x1a\n")
    put(home, "b.jsonl", json_of(a_trace()))
    picture, spans = taken_in(home)
    assert (picture.status, picture.rows_quarantined, spans.status) == ("quarantined", 1, "landed")
    assert "holds no OTLP messages" in picture.reason
    batch = next(b for b in home.lake.newest(Batch) if b.name == "a.png")
    assert (batch.source, batch.model, batch.path) == ("telemetry", "", "inbox/a.png")


def test_killed_between_landing_and_its_mark_nothing_is_there_twice(telling):
    from intake_world import DyingLake, Killed

    home = telling(files=["inbox/*"])
    put(home, "a.jsonl", json_of(a_trace()))
    home.__dict__["lake"] = DyingLake(home.root / "warehouse" / "lake")
    home.lake.commits_left = 2  # the lease, and the spans
    with pytest.raises(Killed):
        taken_in(home)
    del home.__dict__["lake"]
    shutil.rmtree(home.root / "warehouse" / "lake" / "leases")  # a lease ends with its process, and this one lives on
    assert span_rows(home) == 3
    (told,) = taken_in(home)
    assert (told.spans, told.rows_duplicate, span_rows(home)) == (0, 3, 3)


def test_two_runs_at_once_land_everything_once(telling):
    home = telling(files=["inbox/*"])
    for minute in range(4):
        put(home, f"{minute}.jsonl", json_of(a_trace(seconds=60 * minute)))
    from watchkeeper.adapters.workspace import find_home

    runs = [threading.Thread(target=lambda: taken_in(find_home(home.root))) for _ in range(2)]
    for run in runs:
        run.start()
    for run in runs:
        run.join()
    assert span_rows(home) == 12
    assert [b.rows_landed for b in home.lake.newest(Batch)] == [3] * 4  # one that was too young to have a stamp may be told of again, with it


def test_as_of_before_it_landed_a_span_is_not_there(telling):
    home = telling(files=["inbox/*"])
    put(home, "a.jsonl", json_of(a_trace()))
    taken_in(home)
    assert home.lake.newest(Span, as_of=NOW - timedelta(seconds=1)) == []


def test_upkeep_removes_spans_that_are_older_than_any_monitor_keeps(telling):
    home = telling(files=["inbox/*"])
    put(home, "a.jsonl", json_of(a_trace()) + metrics_json(metrics()))
    taken_in(home)
    upkeep(home, load_monitors(home)[0], now=AT + timedelta(days=799))
    assert span_rows(home) == 3
    upkeep(home, load_monitors(home)[0], now=AT + timedelta(days=801))
    assert span_rows(home) == 0


PAGE = """# HELP vllm:requests_running Requests.
# TYPE vllm:requests_running gauge
vllm:requests_running{model_name="small"} 3
# TYPE tokens_total counter
tokens_total{model_name="small"} 1200 1738404000000
# TYPE process_open_fds gauge
process_open_fds 7
vllm:cache_usage NaN
"""


class Page(Receiver):
    """Answers with a metrics page."""

    text = PAGE

    def answer(self, request):
        del request
        return Answer(content=self.text)


def values(home):
    return {s.name: s for s in home.lake.newest(MetricSample)}


def test_a_page_is_scraped_with_its_token_and_only_what_is_named_is_kept(telling, monkeypatch):
    monkeypatch.setenv("WATCHKEEPER_TOKEN_FLEET", "t0ps3cret")
    with Page() as page:
        source = {"name": "vllm", "scrape": f"{page.url}/metrics", "only": ["vllm:*", "tokens_*"], "bearer": "fleet"}
        home = telling(prometheus=[source])
        (told,) = taken_in(home, is_live=True)
        assert page.requests[0].headers["authorization"] == "Bearer t0ps3cret"
        assert (told.status, told.values) == ("landed", 3)
        assert taken_in(home, is_live=False) == []
    found = values(home)
    assert (found["vllm:requests_running"].value, found["vllm:requests_running"].kind, found["vllm:requests_running"].at) == (3.0, "gauge", NOW)
    assert (found["tokens_total"].value, found["tokens_total"].kind, found["tokens_total"].at) == (1200.0, "counter", AT)
    assert found["vllm:cache_usage"].value is None
    assert json.loads(found["tokens_total"].labels) == {"model_name": "small"}
    assert "t0ps3cret" not in repr(home.lake.read(MetricSample.TABLE).to_pylist())


def test_sources_that_fail_are_told_of_in_a_sentence_and_stop_no_other(telling):
    with Page() as good, Page() as html, Page() as crowded, Page() as slow:
        html.text = "<!doctype html><title>Sign in</title>"
        crowded.text = "".join(f'm{{i="{i}"}} 1\n' for i in range(200))
        slow.release.clear()
        home = telling(
            prometheus=[
                {"name": "slow", "scrape": f"{slow.url}/metrics", "timeout": "1s"},
                {"name": "html", "scrape": f"{html.url}/metrics"},
                {"name": "crowded", "scrape": f"{crowded.url}/metrics", "series": 100},
                {"name": "secret", "scrape": f"{good.url}/metrics", "bearer": "nowhere"},
                {"name": "good", "scrape": f"{good.url}/metrics"},
            ]
        )
        taken = taken_in(home, is_live=True)
        slow.release.set()
    assert [t.status for t in taken] == ["failed", "failed", "failed", "failed", "landed"]
    said = [f"{name}: {reason}" for name, reason in faults(taken)]
    assert "no answer within 1 s" in said[0]
    assert "answers a web page, and no metrics" in said[1]
    assert "answers 200 series, and 'crowded' may have 100" in said[2]
    assert "Set WATCHKEEPER_TOKEN_NOWHERE, or keep it in a Prefect Secret block named watchkeeper-token-nowhere." in said[3]


class Server(Receiver):
    """Answers range queries as Prometheus does: a value a step, whose number is its moment in minutes."""

    def answer(self, request):
        asked = {n: v[0] for n, v in parse_qs(urlsplit(request.path).query).items()}
        start, end, step = (float(asked[n]) for n in ("start", "end", "step"))
        if "nonsense" in asked["query"]:
            return Answer(400, {"status": "error", "errorType": "bad_data", "error": "parse error"})
        points = []
        while start <= end:
            points.append([start, "NaN" if start % 600 == 0 else str(start / 60)])
            start += step
        series = [{"metric": {"__name__": "p95", "region": r}, "values": points} for r in ("east", "west")]
        return Answer(content={"status": "success", "data": {"resultType": "matrix", "result": series}, "warnings": ["x"]})


def test_a_page_of_bytes_or_of_words_is_one_sentence_without_what_stands_there(telling):
    with Page() as page:
        home = telling(prometheus=[{"name": "page", "scrape": f"{page.url}/metrics"}])
        for text in ("m \x1b[31mLEAKME\x07\n", "m LEAKME\n", "\x00\x01\xab LEAKME {{\n"):
            page.text = text
            (told,) = taken_in(home, is_live=True)
            assert told.status == "failed"
            assert "answers what is no metrics: a line of it is neither a comment nor a name with a number" in told.reason
            assert "LEAKME" not in told.reason
            assert told.reason.isprintable()


def test_a_query_is_asked_for_what_is_new_since_the_last_answer(telling):
    with Server() as server:
        home = telling(prometheus=[{"name": "p95", "server": server.url, "query": "p95", "lookback": "10m"}])
        (first,) = taken_in(home)
        (second,) = taken_in(home, now=NOW + timedelta(minutes=3, seconds=30))
        (third,) = taken_in(home, now=NOW + timedelta(minutes=3, seconds=40))
    assert (first.values, second.values, third.status) == (20, 6, "empty")
    found = sorted((s.at, s.value) for s in home.lake.newest(MetricSample) if "east" in s.labels)
    assert [at for at, _ in found] == [NOW + timedelta(minutes=m) for m in range(-9, 4)]
    assert [value for at, value in found] == [None if at == NOW else at.timestamp() / 60 for at, _ in found]


def test_a_query_goes_on_from_its_last_value_however_old_that_is(telling):
    """Of more minutes than are asked for at once."""
    with Server() as server:
        home = telling(prometheus=[{"name": "p95", "server": server.url, "query": "p95", "lookback": "10m"}])
        (first,) = taken_in(home, now=NOW - timedelta(days=8))
        before = len(server.requests)
        (second,) = taken_in(home)
        asked = parse_qs(urlsplit(server.requests[before].path).query)
    assert first.values == 20
    assert float(asked["start"][0]) == (NOW - timedelta(days=8) + timedelta(minutes=1)).timestamp()
    assert second.rows_duplicate == 0


def test_traces_land_where_metrics_have_landed_before(telling):
    home = telling(files=["inbox/*.jsonl"])
    for n, data in enumerate([metrics_json(metrics()), json_of(a_trace()), protobuf_of(a_trace(seconds=60))]):
        put(home, f"{n}.jsonl", data)
        (told,) = taken_in(home)
        assert (told.status, told.reason, told.spans + told.values > 0) == ("landed", "", True)
    assert span_rows(home) == 6


def test_spans_of_days_far_apart_land_once(telling):
    home = telling(files=["inbox/*.jsonl"])
    first, second = (json_of(a_trace(seconds=86_400.0 * days)) for days in (-40, 0))
    put(home, "a.jsonl", first + second)
    (told,) = taken_in(home)
    put(home, "b.jsonl", second + first)
    (again,) = taken_in(home)
    assert (told.spans, again.spans, again.rows_duplicate) == (6, 0, 6)


def test_a_broken_line_of_a_file_that_grows_is_set_aside_once(telling):
    home = telling(files=["inbox/*.jsonl"])
    data = b"nonsense {\n"
    for seconds in (0.0, 60.0, 120.0):
        data += json_of(a_trace(seconds=seconds))
        put(home, "a.jsonl", data)
        (told,) = taken_in(home)
        assert (told.spans, told.rows_quarantined) == (3, 1)
    put(home, "a.jsonl", data + b"more nonsense {\n")
    taken_in(home)
    assert sorted(home.lake.read(TELEMETRY_QUARANTINE).column("row_number").to_pylist()) == [0, data.count(b"\n")]


def test_a_source_is_told_of_by_its_whole_name():
    assert faults([Taken(name="s3://bucket/x", status="failed", reason="cannot be read: 403")]) == [("s3://bucket/x", "cannot be read: 403")]


def test_what_was_set_aside_later_is_not_there_before(telling):
    home = telling(files=["inbox/*.jsonl"])
    put(home, "a.jsonl", b"nonsense {\n")
    taken_in(home)
    asked = "SELECT count(*) AS n FROM telemetry_quarantine"
    monitors = load_monitors(home)[0]
    assert [query(home, monitors, asked, now=at).to_pylist() for at in (NOW - timedelta(hours=1), NOW)] == [[{"n": 0}], [{"n": 1}]]


def test_a_long_gap_is_asked_for_in_pieces_that_a_server_gives(telling):
    with Server() as server:
        home = telling(prometheus=[{"name": "p95", "server": server.url, "query": "p95", "lookback": "10d"}])
        (told,) = taken_in(home)
    asked = [{n: float(v[0]) for n, v in parse_qs(urlsplit(r.path).query).items() if n != "query"} for r in server.requests]
    assert [(a["end"] - a["start"]) / a["step"] + 1 for a in asked] == [83, 332, 1328, 5312, 7345], "four times as many each, and 10,000 at most"
    assert all(one["end"] + one["step"] == after["start"] for one, after in pairwise(asked))
    assert told.values == 2 * 10 * 24 * 60
    assert home.lake.read(MetricSample.TABLE).num_rows == told.values


class Busy(Server):
    """Answers no more than so many steps at once, as a server does whose answer would be too long or too late."""

    most = 120

    def answer(self, request):
        asked = {n: v[0] for n, v in parse_qs(urlsplit(request.path).query).items()}
        if (float(asked["end"]) - float(asked["start"])) / float(asked["step"]) >= self.most:
            return Answer(503, "query timed out")
        return super().answer(request)


def test_what_was_answered_before_a_failure_has_landed_and_the_next_run_goes_on_from_there(telling):
    with Busy() as server:
        home = telling(prometheus=[{"name": "p95", "server": server.url, "query": "p95", "lookback": "7h"}])
        landed = []
        for _ in range(6):
            (told,) = taken_in(home)
            landed.append((told.status, home.lake.read(MetricSample.TABLE).num_rows))
    assert landed[:2] == [("failed", 2 * 83), ("failed", 2 * 2 * 83)]
    assert landed[-1] == ("empty", 2 * 7 * 60)


class Quiet(Receiver):
    """Answers that there is nothing."""

    def answer(self, request):
        del request
        return Answer(content={"status": "success", "data": {"resultType": "matrix", "result": []}})


def test_a_query_that_finds_nothing_for_long_is_never_asked_for_more_than_its_series_allow(telling):
    with Quiet() as server:
        home = telling(prometheus=[{"name": "quiet", "server": server.url, "query": "up", "lookback": "1d", "series": 100_000}])
        assert [t.status for t in taken_in(home)] == ["empty"]
    assert len(server.requests) == 24 * 60 // 8


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (Answer(content="<html>Sign in</html>"), "answers a web page, and not as a Prometheus server"),
        (Answer(content="hello"), "answers what is not JSON"),
        (Answer(content={"status": "error", "error": "out of memory"}), "gives no answer (out of memory)"),
        (Answer(content={"status": "success", "data": {"resultType": "vector", "result": []}}), "something else than series over time"),
        (Answer(content={"status": "success", "data": {"resultType": "matrix", "result": [{"metric": {}, "values": [["x", 1]]}]}}), "something else"),
        (Answer(503, "busy"), "answers 503"),
        (Answer(400, {"status": "error", "error": "parse error"}), "it does not take the query of 'p95'"),
        (Answer(silent=True), "cannot be read"),
    ],
)
def test_what_is_no_answer_of_a_prometheus_server_is_one_clear_sentence(telling, answer, why):
    with Server() as server:
        server.faults.append(answer)
        home = telling(prometheus=[{"name": "p95", "server": server.url, "query": "p95"}])
        (told,) = taken_in(home)
    assert told.status == "failed"
    assert why in told.reason


def test_a_million_series_are_refused_before_they_are_read_as_such(telling):
    series = ",".join(['{"metric":{},"values":[]}'] * 1_000_000)
    with Server() as server:
        server.faults.append(Answer(content='{"status":"success","data":{"resultType":"matrix","result":[' + series + "]}}"))
        home = telling(prometheus=[{"name": "all", "server": server.url, "query": '{__name__=~".+"}'}])
        (told,) = taken_in(home)
    assert told.status == "failed"
    assert "answers 1,000,000 series, and 'all' may have 10,000 (`series`)" in told.reason


def test_the_watch_takes_telemetry_in_and_goes_on_without_it(telling):
    home = telling(files=["inbox/*.jsonl"], prometheus=[{"name": "gone", "server": "http://127.0.0.1:9", "query": "up"}])
    put(home, "a.jsonl", json_of(a_trace()))
    done = watch(home, now=NOW)
    assert done.telemetry == ["Telemetry: 3 spans and 0 values landed."]
    assert len(done.unread) == 1
    assert done.unread[0][0] == "gone"
    assert done.unread[0][1].startswith("http://127.0.0.1:9/api/v1/query_range: cannot be read")
    assert done.models == ["parcels"]
    assert not done.failures
