"""OTLP files as OpenTelemetry's SDK and collectors write them: spans and values in, contents left out, broken lines told of."""

import gzip
import json

import pyarrow as pa
import pytest

from otel_world import (
    AT,
    SECRET,
    a_trace,
    json_of,
    metrics,
    metrics_json,
    metrics_protobuf,
    protobuf_of,
    trace_id_of,
    with_lengths,
    with_varints,
)
from watchkeeper.adapters.otlp import Broken, messages, unpacked
from watchkeeper.adapters.otlp_metrics import samples
from watchkeeper.adapters.otlp_spans import About, spans
from watchkeeper.errors import UnreadableError

ABOUT = About(now=AT, batch="b", models={"parcels"}, private={"income"}, also={"lane", "income", *(f"a{i:03}" for i in range(200))})


def spans_of(data, about=ABOUT):
    return [s for m in messages(data, "f") if not isinstance(m.content, Broken) for s in spans(m.content, about)]


def values_of(data):
    return [told.sample for m in messages(data, "f") for told in samples(m.content, ABOUT)]


def zstd(data):
    return pa.Codec("zstd").compress(data, asbytes=True)


def test_spans_of_the_sdks_own_file_exporter_have_their_columns():
    trace = a_trace()
    features, chat, root = spans_of(json_of(trace))
    assert {s.trace_id for s in (features, chat, root)} == {trace_id_of(trace)}
    assert (root.parent_span_id, features.parent_span_id, chat.parent_span_id) == ("", root.span_id, root.span_id)
    assert (root.name, root.kind, root.service, root.host, root.model) == ("POST /predict", "server", "parcels", "gpu-7", "parcels")
    assert (root.started_at, root.duration_ms, features.duration_ms, chat.duration_ms) == (AT, 400.0, 50.0, 300.0)
    assert (root.status, chat.status, len(chat.status_message)) == ("unset", "error", 500)
    assert (chat.operation, chat.request_model, chat.response_model) == ("chat", "small-1", "small-1-2025-01")
    assert (chat.input_tokens, chat.output_tokens, chat.finish_reasons) == (120, 30, ["length"])
    assert (root.input_tokens, root.finish_reasons) == (None, [])
    assert json.loads(root.attributes) == {"http.route": "/predict", "service.version": "1.4"}


def test_what_people_wrote_and_secrets_are_not_kept():
    kept = "".join(repr(s) for s in spans_of(json_of(a_trace()))) + "".join(repr(s) for s in values_of(metrics_protobuf(metrics())))
    assert SECRET not in kept
    assert "hunter2" not in kept
    assert "exception.type" in kept


@pytest.mark.parametrize("form", [protobuf_of, json_of])
@pytest.mark.parametrize("framed", [lambda d: d, with_lengths, with_varints, gzip.compress, zstd, lambda d: with_lengths(zstd(d))])
def test_every_way_of_writing_one_request_gives_the_same_spans(form, framed):
    trace = a_trace()
    assert spans_of(framed(form(trace))) == spans_of(json_of(trace))


@pytest.mark.parametrize("framed", [with_lengths, with_varints])
def test_messages_after_each_other_are_all_read_and_the_one_that_is_being_written_is_left(framed):
    first, second = protobuf_of(a_trace()), protobuf_of(a_trace(seconds=60))
    assert len(spans_of(framed(first, second))) == 6
    *whole, last = messages(framed(first, second)[:-3], "f")
    assert [type(m.content).__name__ for m in whole] == ["TracesData"]
    assert last.content == Broken("is not whole yet", is_unfinished=True)


def test_a_last_line_that_is_being_written_is_no_broken_line():
    data = json_of(a_trace(), a_trace(seconds=60))
    assert [m.content for m in messages(data[:-40], "f")][1] == Broken("is not whole yet", is_unfinished=True)
    assert [m.content for m in messages(data[:-40] + b"\n", "f")][1] == Broken("is not JSON")


def test_a_file_without_a_message_has_none_and_is_no_error():
    for data in (b"", b"\n \n", gzip.compress(b"", mtime=0), zstd(b"")):
        assert list(messages(data, "f")) == []


@pytest.mark.parametrize("at", [10, 300, -40])
@pytest.mark.parametrize("indent", [None, 2])
def test_a_first_request_that_is_being_written_is_no_broken_one(indent, at):
    text = json.dumps(json.loads(json_of(a_trace())), indent=indent)
    assert [m.content for m in messages(text[:at].encode(), "f")] == [Broken("is not whole yet", is_unfinished=True)]


@pytest.mark.parametrize("packed", [lambda d: d, zstd])
def test_a_first_message_that_is_being_written_is_no_broken_one(packed):
    data = with_lengths(packed(protobuf_of(a_trace())))
    for at in (20, len(data) - 3):
        assert [m.content for m in messages(data[:at], "f")] == [Broken("is not whole yet", is_unfinished=True)]


def test_what_is_broken_in_its_middle_is_not_waited_for():
    pretty = json.dumps(json.loads(json_of(a_trace())), indent=2)
    assert any(m.content == Broken("is not JSON") for m in messages(("{nonsense\n" + pretty).encode(), "f"))
    assert [type(m.content).__name__ for m in messages(b'{"a": [\n' + json_of(a_trace()), "f")] == ["Broken", "TracesData"]


def test_a_broken_line_is_told_of_and_the_others_are_read():
    good = json_of(a_trace()).decode().strip()
    bad = {
        "2025-02-01 INFO a line of another log": "is not JSON",
        "{not json": "is not JSON",
        '{"resourceSpans": 7}': "is no OTLP request",
        '{"resourceLogs": []}': "holds log records, which are not taken in",
        '{"some": "log"}': "is no OTLP request: it has neither resourceSpans nor resourceMetrics",
        '"text"': "is no OTLP request: a JSON object was expected",
        good.replace('"traceId":"', '"traceId":"xyz'): "is no OTLP request: traceId is not a hexadecimal id",
        "[" * 100_000: "is nested too deeply to be read",
        "null": "is no OTLP request: a JSON object was expected",
    }
    found = list(messages("\n".join([good, *bad, good, ""]).encode(), "f"))
    assert len(list(messages("\n".join([*bad, good]).encode(), "f"))) == len(bad) + 1
    assert [m.number for m in found] == list(range(len(bad) + 2))
    for message, why in zip(found[1:-1], bad.values(), strict=True):
        assert why in message.content.reason
    assert all(not isinstance(m.content, Broken) for m in (found[0], found[-1]))


def in_first_span(**fields):
    found = json.loads(json_of(a_trace()))
    found["resourceSpans"][0]["scopeSpans"][0]["spans"][0] |= fields
    return json.dumps(found)


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (in_first_span(startTimeUnixNano="LEAKME"), "startTimeUnixNano is not a whole number"),
        (in_first_span(endTimeUnixNano=["LEAKME"]), "endTimeUnixNano is not a whole number"),
        (in_first_span(spanId="LEAKME"), "spanId is not a hexadecimal id"),
        (in_first_span(name={"LEAKME": 1}), "name is not a text"),
        (in_first_span(kind={"LEAKME": 1}), "kind is not a whole number"),
        (in_first_span(status="LEAKME"), "status is not an object"),
        (in_first_span(status={"message": ["LEAKME"]}), "status.message is not a text"),
        (in_first_span(attributes="LEAKME"), "attributes is not a list"),
        (in_first_span(attributes=[{"key": "a", "value": {"intValue": "LEAKME"}}]), "an attribute is no key with a value of the kind it says"),
        (in_first_span(attributes=[{"key": "a", "value": {"stringValue": ["LEAKME"]}}]), "an attribute is no key with a value of the kind it says"),
        (in_first_span(attributes=["LEAKME"]), "an attribute is no key with a value of the kind it says"),
        (in_first_span(events=["LEAKME"]), "an entry of events is not an object"),
        ('{"resourceSpans": "LEAKME"}', "resourceSpans is not a list"),
        ('{"resourceSpans": ["LEAKME"]}', "an entry of resourceSpans is not an object"),
        ('{"resourceMetrics": "LEAKME"}', "resourceMetrics is not of its kind"),
        (
            '{"resourceMetrics": [{"scopeMetrics": [{"metrics": [{"name": "m", "gauge": {"dataPoints": [{"timeUnixNano": "LEAKME"}]}}]}]}]}',
            "timeUnixNano is not of its kind",
        ),
        ('{"resourceMetrics": [{"scopeMetrics": [{"metrics": [{"name": ["LEAKME"]}]}]}]}', "name is not of its kind"),
    ],
)
def test_of_a_broken_line_the_field_is_told_and_nothing_that_stands_there(line, why):
    (message,) = messages(line.encode(), "f")
    assert message.content.reason.startswith("is no OTLP request: ")
    assert message.content.reason.endswith(why)
    assert "LEAKME" not in message.content.reason


def test_one_request_over_many_lines_is_one_request():
    data = json_of(a_trace())
    assert spans_of(json.dumps(json.loads(data), indent=2).encode()) == spans_of(data)


def test_fields_that_are_not_known_are_passed_over():
    found = json.loads(json_of(a_trace()))
    scope = found["resourceSpans"][0]["scopeSpans"][0]
    scope["spans"][0] |= {"profileId": "aa", "kind": 99, "entityRefs": [{"type": "x"}]}
    found["newField"] = {"a": 1}
    first, *_ = spans_of(json.dumps(found).encode())
    assert (first.name, first.kind) == ("read features", "")
    of_a_later_release = protobuf_of(a_trace()) + b"\xfa\x3f\x03abc"  # field 1023
    assert len(spans_of(of_a_later_release)) == 3


def test_spans_that_cannot_be_placed_are_told_of_one_by_one():
    found = json.loads(json_of(a_trace()))
    first, second, third = found["resourceSpans"][0]["scopeSpans"][0]["spans"]
    first["traceId"], second["endTimeUnixNano"] = "00" * 16, "1"
    third["startTimeUnixNano"] = "0"
    assert spans_of(json.dumps(found).encode()) == [
        "a span has no trace id of 16 bytes",
        "a span ends before it starts",
        "a span has no start or no end",
    ]


def test_attributes_are_bounded_and_private_columns_stay_out():
    found = json.loads(json_of(a_trace()))
    more = {f"a{i:03}": "x" * 1000 for i in range(200)} | {"income": "70000"}
    found["resourceSpans"][0]["scopeSpans"][0]["spans"][0]["attributes"] = [{"key": k, "value": {"stringValue": v}} for k, v in more.items()]
    kept = json.loads(spans_of(json.dumps(found).encode())[0].attributes)
    assert len(kept) == 64
    assert {len(v) for v in kept.values()} == {256}
    assert "income" not in kept


def test_metrics_of_the_sdk_become_samples_as_prometheus_names_them():
    found = metrics()
    of_json, of_protobuf = values_of(metrics_json(found)), values_of(with_lengths(metrics_protobuf(found)))
    assert of_json == of_protobuf
    by_name = {(s.name, json.loads(s.labels).get("le")): s for s in of_json}
    requests = by_name["requests", None]
    assert (requests.value, requests.kind, requests.unit, requests.source) == (41.0, "counter", "{request}", "otlp")
    assert json.loads(requests.labels) == {"host.name": "gpu-7", "http.route": "/predict", "service.name": "parcels", "service.version": "1.4"}
    assert (by_name["queue.length", None].value, by_name["queue.length", None].kind) == (3.0, "gauge")
    assert [by_name["request.duration_bucket", le].value for le in ("0.1", "1.0", "+Inf")] == [1.0, 3.0, 4.0]
    assert (by_name["request.duration_count", None].value, by_name["request.duration_sum", None].value) == (4.0, 21.25)
    buckets = sorted((float(le), s.value) for (name, le), s in by_name.items() if name == "queue.time_bucket")
    assert [count for _, count in buckets] == [1.0, 2.0, 3.0, 4.0, 4.0]
    for (bound, _), inside in zip(buckets, (1.0, 2.0, 4.0, 1000.0), strict=False):
        assert inside <= bound * (1 + 1e-9) < inside * 1.1


def test_a_value_that_is_not_known_is_null_and_a_delta_is_called_one():
    found = json.loads(metrics_json(metrics()))
    parts = {m["name"]: m for m in found["resourceMetrics"][0]["scopeMetrics"][0]["metrics"]}
    parts["queue.length"]["gauge"]["dataPoints"][0]["flags"] = 1
    parts["requests"]["sum"]["aggregationTemporality"] = 1
    parts["request.duration"]["histogram"]["dataPoints"][0]["sum"] = "NaN"
    by_name = {s.name: s for s in values_of(json.dumps(found).encode())}
    assert by_name["queue.length"].value is None
    assert by_name["request.duration_sum"].value is None
    assert by_name["requests"].kind == "delta"


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"2025-02-01 INFO started\n", "holds no OTLP messages"),
        (b"\x89PNG\r\n\x1a\n0000", "holds no OTLP messages"),
        (bytes(range(256)) * 20, "holds no OTLP messages"),
        (gzip.compress(b"x" * 1000, mtime=0)[:-8], "is not whole gzip data"),
    ],
)
def test_bytes_that_are_no_otlp_are_one_clear_error(data, why):
    with pytest.raises(UnreadableError, match=why):
        list(messages(data, "f"))


def test_a_small_file_that_unpacks_to_a_huge_one_is_refused():
    with pytest.raises(UnreadableError, match="more than 1,000,000 bytes"):
        unpacked(gzip.compress(b" " * 2_000_000, mtime=0), "f", most=1_000_000)
