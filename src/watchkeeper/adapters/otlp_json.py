"""Requests of OTLP in JSON as the messages they would be in protobuf.

Belongs here: the JSON mapping, with its hexadecimal ids and its two spellings of keys. Does not: lines and files (otlp.py), or
what a message says (otlp_spans.py, otlp_metrics.py). Spans come in thousands and are made field by field, of those fields that
are kept: protobuf's own reader of JSON takes several times as long, and reads the metrics.
"""

import base64
import binascii
import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from google.protobuf import json_format
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue, KeyValueList
from opentelemetry.proto.metrics.v1.metrics_pb2 import MetricsData
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span, Status, TracesData

Data = TracesData | MetricsData
_OTHERS = {"resourceLogs": "log records", "resource_logs": "log records", "resourceProfiles": "profiles", "resource_profiles": "profiles"}
_SAID = 200


class NoRequestError(ValueError):
    """Why a text is no request of OTLP, in a clause."""


def json_of(text: str) -> Any:
    """Return what a text says in JSON, None where it is none."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def requests(text: str) -> Iterator[Data]:
    """Yield the messages of a text: one request, or several in a list.

    Raises:
        NoRequestError: it is none, or the next one is none.

    """
    found = json_of(text)
    if found is None:
        raise NoRequestError("is not JSON")
    for one in found if isinstance(found, list) else [found]:
        yield from _request(one)


def _request(found: Any) -> Iterator[Data]:
    if not isinstance(found, dict):
        raise NoRequestError("is no OTLP request: a JSON object was expected")
    traces, metrics = _get(found, "resourceSpans", "resource_spans"), _get(found, "resourceMetrics", "resource_metrics")
    if traces is None and metrics is None:
        other = next((what for name, what in _OTHERS.items() if name in found), None)
        raise NoRequestError(
            f"holds {other}, which are not taken in" if other else "is no OTLP request: it has neither resourceSpans nor resourceMetrics"
        )
    try:
        if traces is not None:
            yield TracesData(resource_spans=[_resource_spans(r) for r in _list(traces)])
        if metrics is not None:
            yield json_format.ParseDict({"resourceMetrics": metrics}, MetricsData(), ignore_unknown_fields=True)
    except (json_format.ParseError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise NoRequestError(f"is no OTLP request ({' '.join(str(error).split())[:_SAID]})") from error


def _get(found: Mapping[str, Any], name: str, other: str, default: Any = None) -> Any:
    """Return a field by either spelling of its name; null is as good as absent."""
    value = found.get(name)
    value = found.get(other) if value is None else value
    return default if value is None else value


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise TypeError(f"{str(value)[:40]!r} is not a list")
    return value


def _resource_spans(found: Mapping[str, Any]) -> ResourceSpans:
    resource = Resource(attributes=_pairs(_get(found, "resource", "resource", {})))
    scopes = _list(_get(found, "scopeSpans", "scope_spans", []))
    return ResourceSpans(resource=resource, scope_spans=[ScopeSpans(spans=[_span(s) for s in _list(scope.get("spans") or [])]) for scope in scopes])


def _span(found: Mapping[str, Any]) -> Span:
    status = found.get("status") or {}
    return Span(
        trace_id=_id(_get(found, "traceId", "trace_id", "")),
        span_id=_id(_get(found, "spanId", "span_id", "")),
        parent_span_id=_id(_get(found, "parentSpanId", "parent_span_id", "")),
        name=found.get("name") or "",
        kind=_number_of(Span.SpanKind, found.get("kind")),
        start_time_unix_nano=int(_get(found, "startTimeUnixNano", "start_time_unix_nano", 0)),
        end_time_unix_nano=int(_get(found, "endTimeUnixNano", "end_time_unix_nano", 0)),
        attributes=_pairs(found),
        events=[Span.Event(name=e.get("name") or "", attributes=_pairs(e)) for e in found.get("events") or []],
        status=Status(code=_number_of(Status.StatusCode, status.get("code")), message=status.get("message") or ""),
    )


def _number_of(kind: Any, value: Any) -> Any:
    """Return the number of a kind or code that is written as one, or by its name; of names that are not known 0."""
    return int(value or 0) if not isinstance(value, str) or value.isdigit() else dict(kind.items()).get(value, 0)


def _id(text: str) -> bytes:
    try:
        return binascii.unhexlify(text)
    except (binascii.Error, ValueError) as error:
        raise ValueError(f"{text[:40]!r} is not a hexadecimal id") from error


def _pairs(found: Mapping[str, Any]) -> list[KeyValue]:
    return [KeyValue(key=pair["key"], value=_any(pair.get("value") or {})) for pair in found.get("attributes") or []]


def _any(value: Mapping[str, Any]) -> AnyValue:
    """Return a value by the one key that says what it is; of kinds that are not known nothing."""
    return next((_MAKERS[name](said) for name, said in value.items() if name in _MAKERS), AnyValue())


_MAKERS: Mapping[str, Callable[[Any], AnyValue]] = {
    spelled: make
    for spellings, make in (
        (("stringValue", "string_value"), lambda said: AnyValue(string_value=said)),
        (("intValue", "int_value"), lambda said: AnyValue(int_value=int(said))),
        (("boolValue", "bool_value"), lambda said: AnyValue(bool_value=said)),
        (("doubleValue", "double_value"), lambda said: AnyValue(double_value=float(said))),
        (("bytesValue", "bytes_value"), lambda said: AnyValue(bytes_value=base64.b64decode(said))),
        (("arrayValue", "array_value"), lambda said: AnyValue(array_value=ArrayValue(values=[_any(v) for v in said.get("values") or []]))),
        (("kvlistValue", "kvlist_value"), lambda said: AnyValue(kvlist_value=KeyValueList(values=_pairs({"attributes": said.get("values")})))),
    )
    for spelled in spellings
}
