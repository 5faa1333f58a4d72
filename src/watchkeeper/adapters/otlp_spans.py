"""Spans of OpenTelemetry as records.

Belongs here: which field of a span is which column, GenAI semantic conventions included. Does not: reading files (otlp.py),
or which attributes are kept (otlp_attributes.py).
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from opentelemetry.proto.trace.v1.trace_pb2 import Span as SpanMessage
from opentelemetry.proto.trace.v1.trace_pb2 import Status, TracesData

from watchkeeper.adapters.otlp_attributes import attributes_text, values
from watchkeeper.redaction import without_secrets
from watchkeeper.samples import Span

_NAME, _STATUS = 200, 500
_TRACE_ID, _SPAN_ID = 16, 8
_MOST = 2**63 - 1
"""What a column of whole numbers holds."""
_HOSTS = ("host.name", "k8s.pod.name", "k8s.node.name", "host.id")
_TAKEN = frozenset(
    {"service.name", "watchkeeper.model", "gen_ai.operation.name", "gen_ai.request.model", "gen_ai.response.model", "gen_ai.response.finish_reasons"}
    | {f"gen_ai.usage.{n}_tokens" for n in ("input", "output", "prompt", "completion")}
)
"""Attributes that have columns of their own; the last two are what older instrumentations called them."""
_OF_RESOURCE = ("service.version", "deployment.environment.name", "deployment.environment", "cloud.region", "k8s.namespace.name")
"""What is kept of the program that made the spans; the rest would be the same text on each of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """What the file cannot tell: the moment, the batch, the models there are, what their monitors call private, and the attributes kept besides."""

    now: datetime
    batch: str = ""
    models: Collection[str] = ()
    private: Collection[str] = ()
    also: Collection[str] = ()


def spans(found: TracesData, about: About) -> Iterator[Span | str]:
    """Yield each span as a record, or in a clause why it is none."""
    for group in found.resource_spans:
        resource = values(group.resource.attributes)
        for scope in group.scope_spans:
            for one in scope.spans:
                fault = _fault(one)
                yield fault or _span(one, resource, about)


def _fault(one: SpanMessage) -> str:
    if len(one.trace_id) != _TRACE_ID or not any(one.trace_id):
        return "a span has no trace id of 16 bytes"
    if len(one.span_id) != _SPAN_ID or not any(one.span_id):
        return "a span has no id of 8 bytes"
    if not one.start_time_unix_nano or not one.end_time_unix_nano:
        return "a span has no start or no end"
    if one.end_time_unix_nano < one.start_time_unix_nano:
        return "a span ends before it starts"
    return "" if moment_of(one.start_time_unix_nano) else "a span starts at no moment of the calendar"


def moment_of(nanoseconds: int) -> datetime | None:
    """Return a moment by its nanoseconds since 1970, None where the calendar has none."""
    try:
        return datetime.fromtimestamp(nanoseconds // 1_000_000_000, UTC).replace(microsecond=nanoseconds // 1_000 % 1_000_000)
    except (OverflowError, ValueError, OSError):
        return None


def _span(one: SpanMessage, resource: Mapping[str, Any], about: About) -> Span:
    own = values(one.attributes)
    known = {n: resource[n] for n in _OF_RESOURCE if n in resource} | own
    error = _exception(one)
    rest = {n: v for n, v in known.items() if n not in _TAKEN} | ({"exception.type": error} if error else {})
    return Span(
        trace_id=one.trace_id.hex(),
        span_id=one.span_id.hex(),
        parent_span_id=one.parent_span_id.hex() if any(one.parent_span_id) else "",
        name=_text(one.name),
        kind=_kind(one),
        service=_text(resource.get("service.name")),
        host=host_of(resource),
        model=_model(own, resource, about.models),
        started_at=moment_of(one.start_time_unix_nano) or about.now,
        duration_ms=(one.end_time_unix_nano - one.start_time_unix_nano) / 1e6,
        status={Status.STATUS_CODE_OK: "ok", Status.STATUS_CODE_ERROR: "error"}.get(one.status.code, "unset"),
        status_message=without_secrets(one.status.message)[:_STATUS],
        operation=_text(own.get("gen_ai.operation.name")),
        request_model=_text(own.get("gen_ai.request.model")),
        response_model=_text(own.get("gen_ai.response.model")),
        input_tokens=_count(own, "gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens"),
        output_tokens=_count(own, "gen_ai.usage.output_tokens", "gen_ai.usage.completion_tokens"),
        finish_reasons=_texts(own.get("gen_ai.response.finish_reasons")),
        attributes=attributes_text(rest, also=about.also, private=about.private),
        landed_at=about.now,
        batch=about.batch,
    )


def _kind(one: SpanMessage) -> str:
    try:
        named = SpanMessage.SpanKind.Name(one.kind)
    except ValueError:  # of a newer release
        return ""
    return "" if named.endswith("UNSPECIFIED") else named.removeprefix("SPAN_KIND_").lower()


def _exception(one: SpanMessage) -> str:
    """Return the type of the last exception that was recorded; its message may hold what people wrote."""
    types = [values(e.attributes).get("exception.type") for e in one.events if e.name == "exception"]
    return _text(types[-1]) if types else ""


def host_of(resource: Mapping[str, Any]) -> str:
    """Return where the program ran, as it tells."""
    return next((_text(resource[n]) for n in _HOSTS if resource.get(n)), "")


def _model(own: Mapping[str, Any], resource: Mapping[str, Any], models: Collection[str]) -> str:
    said = _text(own.get("watchkeeper.model") or resource.get("watchkeeper.model"))
    service = _text(resource.get("service.name"))
    return said or (service if service in models else "")


def _text(value: Any) -> str:
    """Return a text or a number as a text; of what is made of parts nothing."""
    return without_secrets(str(value))[:_NAME] if isinstance(value, str | int | float) else ""


def _texts(value: Any) -> list[str]:
    return [_text(v) for v in value] if isinstance(value, list) else [_text(value)] if value else []


def _count(own: Mapping[str, Any], *names: str) -> int | None:
    found = next((own[n] for n in names if n in own), None)
    try:
        return int(found) if found is not None and 0 <= int(found) <= _MOST else None
    except (TypeError, ValueError, OverflowError):
        return None
