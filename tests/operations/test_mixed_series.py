"""No value stands for several series: those that only a label told apart which is not kept are left out, with a word, and not laid over each other."""

import json

from conftest import PARCELS
from otel_world import nanoseconds
from receiver import Answer, Receiver
from telemetry_world import NOW, put, taken_in
from watchkeeper.adapters.workspace import load_monitors
from watchkeeper.operations.query import query
from watchkeeper.operations.take_telemetry import taken_text
from watchkeeper.samples import MetricSample


def landed(home):
    return {(s.name, *json.loads(s.labels).values()): s.value for s in home.lake.newest(MetricSample)}


class Page(Receiver):
    """Answers with a metrics page."""

    text = 'm{client="a",lane="fast"} 1\nm{client="b",lane="fast"} 2\nm{client="a",lane="slow"} 4\nother{lane="fast"} 8\n'

    def answer(self, request):
        del request
        return Answer(content=self.text)


def test_series_that_only_a_dropped_label_tells_apart_are_left_out_and_told_of(telling):
    with Page() as page:
        home = telling(prometheus=[{"name": "page", "scrape": f"{page.url}/metrics"}])
        (told,) = taken_in(home, is_live=True)
    why = (
        "2 series of 'm' differ only in labels that are not kept (client), and so none of them is; naming these in `telemetry.attributes` keeps them"
    )
    assert (told.status, told.values, told.rows_duplicate, told.reason) == ("partial", 2, 0, why)
    assert landed(home) == {("m", "slow"): 4.0, ("other", "fast"): 8.0}
    assert taken_text([told]) == f"Telemetry: 0 spans and 2 values landed. Of page {why}."


def test_a_label_that_is_named_keeps_them_apart(telling):
    with Page() as page:
        home = telling(prometheus=[{"name": "page", "scrape": f"{page.url}/metrics"}], attributes=["client"])
        (told,) = taken_in(home, is_live=True)
    assert (told.status, told.values, told.reason) == ("landed", 4, "")
    assert landed(home) == {("m", "a", "fast"): 1.0, ("m", "b", "fast"): 2.0, ("m", "a", "slow"): 4.0, ("other", "fast"): 8.0}


def test_values_that_look_like_secrets_are_no_way_to_tell_series_apart(telling):
    with Page() as page:
        page.text = "".join(f'cpu_seconds{{id="/kubepods/{digit * 64}"}} {digit}\n' for digit in "123")
        home = telling(prometheus=[{"name": "cadvisor", "scrape": f"{page.url}/metrics"}])
        (told,) = taken_in(home, is_live=True)
    assert (told.status, told.values) == ("partial", 0)
    assert (
        told.reason == "3 series of 'cpu_seconds' differ only in labels that are not kept (id), and so none of them is; have the source add them up"
    )
    assert home.lake.read(MetricSample.TABLE) is None


def test_what_a_monitor_calls_private_is_not_said_to_be_kept_when_named(make_home):
    monitor = {**PARCELS, "private": ["weight_kg"]}
    with Page() as page:
        page.text = 'm{weight_kg="1"} 1\nm{weight_kg="2"} 2\n'
        home = make_home(monitor, telemetry={"prometheus": [{"name": "page", "scrape": f"{page.url}/metrics"}]})
        (told,) = taken_in(home, is_live=True)
    assert (told.status, told.values) == ("partial", 0)
    assert told.reason.endswith("(weight_kg), and so none of them is; have the source add them up")


def test_series_of_a_query_are_told_apart_too(telling):
    series = [{"metric": {"__name__": "p95", "user": user}, "values": [[NOW.timestamp(), "1"]]} for user in ("ann", "ben")]
    with Receiver() as server:
        server.faults.append(Answer(content={"status": "success", "data": {"resultType": "matrix", "result": series}}))
        home = telling(prometheus=[{"name": "p95", "server": server.url, "query": "p95"}])
        (told,) = taken_in(home)
    assert (told.status, told.values) == ("partial", 0)
    assert "2 series of 'p95'" in told.reason
    assert "ann" not in told.reason


def by_process(*points, key="process.pid", label=None):
    """Return a line of OTLP for each (who, seconds, value): a counter that a process tells of, or the whole service by a label."""
    lines = []
    for who, seconds, value in points:
        of_point = [{"key": label, "value": {"stringValue": who}}] if label else []
        resource = [{"key": "service.name", "value": {"stringValue": "parcels"}}]
        resource += [] if label else [{"key": key, "value": {"stringValue": who}}]
        point = {"timeUnixNano": str(nanoseconds(seconds)), "asDouble": value, "attributes": of_point}
        metric = {"name": "requests", "sum": {"aggregationTemporality": 2, "isMonotonic": True, "dataPoints": [point]}}
        lines.append({"resourceMetrics": [{"resource": {"attributes": resource}, "scopeMetrics": [{"metrics": [metric]}]}]})
    return "".join(json.dumps(line) + "\n" for line in lines).encode()


BESIDE = (("1", 0, 10.0), ("2", 1, 3.0), ("1", 60, 11.0), ("2", 61, 5.0))
AFTER = (("1", 0, 10.0), ("1", 60, 11.0), ("2", 120, 1.0), ("2", 180, 2.0))


def test_two_processes_that_tell_of_one_counter_at_a_time_are_left_out_of_a_file_and_told_of(telling, make_home):
    home = telling(files=["inbox/*"])
    put(home, "a.jsonl", by_process(*BESIDE))
    (told,) = taken_in(home)
    assert (told.status, told.values, told.rows_quarantined) == ("quarantined", 0, 1)
    assert "2 series of 'requests' differ only in labels that are not kept (process.pid)" in told.reason
    (aside,) = query(home, load_monitors(home)[0], "SELECT row_number, reasons FROM telemetry_quarantine", now=NOW).to_pylist()
    assert aside["row_number"] == -1
    assert aside["reasons"][0] in told.reason
    named = make_home(PARCELS, name="named", telemetry={"files": ["inbox/*"], "attributes": ["process.pid"]})
    put(named, "a.jsonl", by_process(*BESIDE))
    assert [(t.status, t.values) for t in taken_in(named)] == [("landed", 4)]


def test_a_process_that_was_started_again_goes_on_with_its_series(telling):
    home = telling(files=["inbox/*"])
    put(home, "a.jsonl", by_process(*AFTER))
    (told,) = taken_in(home)
    assert (told.status, told.values) == ("landed", 4)


def test_a_label_of_the_series_tells_two_apart_at_whatever_time(telling):
    home = telling(files=["inbox/*"])
    put(home, "a.jsonl", by_process(*AFTER, label="customer"))
    (told,) = taken_in(home)
    assert (told.status, told.values) == ("quarantined", 0)
    assert "(customer)" in told.reason
