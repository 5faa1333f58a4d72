"""Whatever others write, a number or a moment that is none stops no other file, line or source, and is told of."""

import json

import pytest

from otel_world import AT, a_trace, json_of, nanoseconds
from receiver import Answer, Receiver
from telemetry_world import NOW, put, taken_in
from watchkeeper.operations.take_telemetry import faults
from watchkeeper.samples import MetricSample, Span


def with_tokens(value):
    """Return a trace as JSON whose call of a language model tells such a number of tokens."""
    request = json.loads(json_of(a_trace()))
    spans = request["resourceSpans"][0]["scopeSpans"][0]["spans"]
    (chat,) = [s for s in spans if s["name"].startswith("chat")]
    (tokens,) = [a for a in chat["attributes"] if a["key"] == "gen_ai.usage.input_tokens"]
    tokens["value"] = value
    return json.dumps(request).encode() + b"\n"


@pytest.mark.parametrize("value", [{"doubleValue": 1e300}, {"stringValue": "99999999999999999999"}, {"stringValue": "9223372036854775808"}])
def test_more_tokens_than_a_column_holds_are_not_known_and_every_span_lands(telling, value):
    home = telling(files=["inbox/*"])
    put(home, "a.jsonl", with_tokens(value))
    put(home, "b.jsonl", json_of(a_trace(seconds=60)))
    assert [(t.status, t.spans) for t in taken_in(home)] == [("landed", 3), ("landed", 3)]
    tokens = {s.started_at: s.input_tokens for s in home.lake.newest(Span) if s.operation == "chat"}
    assert sorted(tokens.values(), key=str) == [120, None]


def test_the_most_tokens_that_a_column_holds_are_kept(telling):
    home = telling(files=["inbox/*"])
    put(home, "a.jsonl", with_tokens({"stringValue": str(2**63 - 1)}))
    assert [t.status for t in taken_in(home)] == ["landed"]
    assert [s.input_tokens for s in home.lake.newest(Span) if s.operation == "chat"] == [2**63 - 1]


@pytest.mark.parametrize("scale", [-9, -10, -11, -2_000, -(2**31), 20])
def test_an_exponential_histogram_of_any_scale_has_its_counts(telling, scale):
    home = telling(files=["inbox/*"])
    buckets = {"offset": -1, "bucketCounts": ["1", "2", "4"]}
    point = {"timeUnixNano": str(nanoseconds()), "count": "7", "scale": scale, "positive": buckets}
    metric = {"name": "took", "exponentialHistogram": {"aggregationTemporality": 2, "dataPoints": [point]}}
    put(home, "a.jsonl", json.dumps({"resourceMetrics": [{"scopeMetrics": [{"metrics": [metric]}]}]}).encode())
    assert [(t.status, t.rows_quarantined) for t in taken_in(home)] == [("landed", 0)]
    found = home.lake.newest(MetricSample)
    assert [s.value for s in found if s.name == "took_count"] == [7.0]
    counts = {float(json.loads(s.labels)["le"]): s.value for s in found if s.name == "took_bucket"}
    assert counts[float("inf")] == 7.0
    assert counts[1.0] == 1.0, "the bucket below the base's power 0 ends at 1, whatever the base"


class Page(Receiver):
    """Answers with a metrics page."""

    text = "m 1\n"

    def answer(self, request):
        del request
        return Answer(content=self.text)


def test_a_page_with_a_moment_that_is_none_is_told_of_and_the_others_land(telling):
    with Page() as odd, Page() as good:
        odd.text = f"m 1 {int(AT.timestamp()) * 10**9}\n"  # nanoseconds, where the format has milliseconds
        home = telling(prometheus=[{"name": "odd", "scrape": f"{odd.url}/metrics"}, {"name": "good", "scrape": f"{good.url}/metrics"}])
        taken = taken_in(home, is_live=True)
    assert [t.status for t in taken] == ["failed", "landed"]
    assert "gives a value at no moment of the calendar. Prometheus' format counts milliseconds since 1970" in faults(taken)[0][1]


def test_an_answer_whose_text_cannot_be_stored_fails_alone(telling):
    half = {"metric": {"__name__": "m", "lane": "\ud83d"}, "values": [[NOW.timestamp(), "1"]]}  # half of a character, which is none
    with Receiver() as odd, Page() as good:
        odd.faults.append(Answer(content={"status": "success", "data": {"resultType": "matrix", "result": [half]}}))
        home = telling(prometheus=[{"name": "odd", "server": odd.url, "query": "m"}, {"name": "good", "scrape": f"{good.url}/metrics"}])
        taken = taken_in(home, is_live=True)
    assert [t.status for t in taken] == ["failed", "landed"]
    assert taken[0].reason == "could not be taken in (UnicodeEncodeError)"
