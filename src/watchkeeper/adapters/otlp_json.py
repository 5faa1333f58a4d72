"""Requests of OTLP in JSON as the messages they would be in protobuf.

Belongs here: the JSON mapping, with its hexadecimal ids and its two spellings of keys. Does not: lines and files (otlp.py), or
what a message says (otlp_spans.py, otlp_metrics.py). Spans come in thousands and are made field by field, of those fields that
are kept: protobuf's own reader of JSON takes several times as long, and reads the metrics.
"""

import base64
import binascii
import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from google.protobuf import json_format
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue, KeyValueList
from opentelemetry.proto.metrics.v1.metrics_pb2 import MetricsData
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span, Status, TracesData

Data = TracesData | MetricsData
_OTHERS = {"resourceLogs": "log records", "resource_logs": "log records", "resourceProfiles": "profiles", "resource_profiles": "profiles"}
_FIELD = re.compile(r"Failed to parse (\w+) field: ")


class NoRequestError(ValueError):
    """Why a text is no request of OTLP, in a clause."""


def json_of(text: str) -> Any:
    """Return what a text says in JSON, None where it is none."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def is_cut_off(text: str) -> bool:
    """Tell whether a text is the beginning of JSON, and lacks only its end.

    >>> is_cut_off('{"a": ['), is_cut_off('{"a": "b'), is_cut_off("{not json")
    (True, True, False)
    """
    try:
        json.loads(text)
    except RecursionError:
        return False
    except json.JSONDecodeError as error:
        return error.pos >= len(text.rstrip()) or error.msg.startswith(("Unterminated string", "Invalid \\escape", "Invalid \\uXXXX"))
    return False


def _json(text: str) -> Any:
    """Return what a text says in JSON, null included.

    Raises:
        NoRequestError: it is none, or nested so deeply that nobody can tell.

    """
    try:
        return json.loads(text)
    except RecursionError as error:
        raise NoRequestError("is nested too deeply to be read") from error
    except ValueError as error:
        raise NoRequestError("is not JSON") from error


def requests(text: str) -> Iterator[Data]:
    """Yield the messages of a text: one request, or several in a list.

    Raises:
        NoRequestError: it is none, or the next one is none.

    """
    found = _json(text)
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
            yield TracesData(resource_spans=[_resource_spans(r) for r in _list(traces, "resourceSpans")])
        if metrics is not None:
            yield json_format.ParseDict({"resourceMetrics": metrics}, MetricsData(), ignore_unknown_fields=True)
    except _FieldError as error:
        raise NoRequestError(f"is no OTLP request: {error}") from error
    except json_format.ParseError as error:
        raise NoRequestError(f"is no OTLP request: {_field_of(error)} is not of its kind") from error
    except (TypeError, ValueError, AttributeError, KeyError, RecursionError) as error:
        raise NoRequestError("is no OTLP request: a field of it is not of its kind") from error


class _FieldError(ValueError):
    """Which field is wrong and what it must be; never what stands there, which may be what people wrote."""


def _field_of(error: json_format.ParseError) -> str:
    """Return the path of the field that protobuf's reader stopped at, without what stands there, which its message ends with."""
    said, at, path = str(error), 0, []
    while (found := _FIELD.match(said, at)) is not None:
        path.append(found[1])
        at = found.end()
    return ".".join(path) or "a field of its metrics"


def _get(found: Mapping[str, Any], name: str, other: str, default: Any = None) -> Any:
    """Return a field by either spelling of its name; null is as good as absent."""
    value = found.get(name)
    value = found.get(other) if value is None else value
    return default if value is None else value


def _list(value: Any, name: str) -> list[Any]:
    if not isinstance(value, list):
        raise _FieldError(f"{name} is not a list")
    return value


def _object(value: Any, name: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise _FieldError(f"{name} is not an object")
    return value


def _text(value: Any, name: str) -> str:
    if value is not None and not isinstance(value, str):
        raise _FieldError(f"{name} is not a text")
    return value or ""


def _whole(value: Any, name: str) -> int:
    try:
        return int(value)
    except (TypeError, ValueError, OverflowError) as error:
        raise _FieldError(f"{name} is not a whole number") from error


def _resource_spans(found: Mapping[str, Any]) -> ResourceSpans:
    found = _object(found, "an entry of resourceSpans")
    resource = Resource(attributes=_pairs(_object(_get(found, "resource", "resource", {}), "resource")))
    scopes = [_object(s, "an entry of scopeSpans") for s in _list(_get(found, "scopeSpans", "scope_spans", []), "scopeSpans")]
    return ResourceSpans(resource=resource, scope_spans=[ScopeSpans(spans=[_span(s) for s in _list(s.get("spans") or [], "spans")]) for s in scopes])


def _span(found: Mapping[str, Any]) -> Span:
    found = _object(found, "an entry of spans")
    status = _object(found.get("status") or {}, "status")
    events = [_object(e, "an entry of events") for e in _list(found.get("events") or [], "events")]
    return Span(
        trace_id=_id(_get(found, "traceId", "trace_id", ""), "traceId"),
        span_id=_id(_get(found, "spanId", "span_id", ""), "spanId"),
        parent_span_id=_id(_get(found, "parentSpanId", "parent_span_id", ""), "parentSpanId"),
        name=_text(found.get("name"), "name"),
        kind=_number_of(Span.SpanKind, found.get("kind"), "kind"),
        start_time_unix_nano=_whole(_get(found, "startTimeUnixNano", "start_time_unix_nano", 0), "startTimeUnixNano"),
        end_time_unix_nano=_whole(_get(found, "endTimeUnixNano", "end_time_unix_nano", 0), "endTimeUnixNano"),
        attributes=_pairs(found),
        events=[Span.Event(name=_text(e.get("name"), "the name of an event"), attributes=_pairs(e)) for e in events],
        status=Status(code=_number_of(Status.StatusCode, status.get("code"), "status.code"), message=_text(status.get("message"), "status.message")),
    )


def _number_of(kind: Any, value: Any, name: str) -> Any:
    """Return the number of a kind or code that is written as one, or by its name; of names that are not known 0."""
    return _whole(value or 0, name) if not isinstance(value, str) or value.isdigit() else dict(kind.items()).get(value, 0)


def _id(text: Any, name: str) -> bytes:
    try:
        return binascii.unhexlify(text)
    except (binascii.Error, ValueError, TypeError) as error:
        raise _FieldError(f"{name} is not a hexadecimal id") from error


def _pairs(found: Mapping[str, Any]) -> list[KeyValue]:
    return [_pair(pair) for pair in _list(found.get("attributes") or [], "attributes")]


def _pair(found: Any) -> KeyValue:
    try:
        return KeyValue(key=found["key"], value=_any(found.get("value") or {}))
    except (TypeError, ValueError, AttributeError, KeyError, OverflowError) as error:
        raise _FieldError("an attribute is no key with a value of the kind it says") from error


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
