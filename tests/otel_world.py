"""Files of OpenTelemetry, written by its SDK's own exporters: a request to a model of parcels that calls a language model, and metrics of it."""

import io
import struct
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from opentelemetry import trace
from opentelemetry.exporter.otlp.json.file import FileMetricExporter, FileSpanExporter
from opentelemetry.exporter.otlp.proto.common.metrics_encoder import encode_metrics
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.metrics.view import ExponentialBucketHistogramAggregation, View
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

AT = datetime(2025, 2, 1, 10, 0, tzinfo=UTC)
SECRET = "dear model, my account is 4711"  # noqa: S105 - what must not be kept
RESOURCE = Resource({"service.name": "parcels", "service.version": "1.4", "host.name": "gpu-7", "process.command_args": ["serve", "--key=hunter2"]})


def nanoseconds(seconds: float = 0.0) -> int:
    """Return a moment so many seconds after the world's beginning, as OpenTelemetry counts."""
    return int(AT.timestamp()) * 1_000_000_000 + round(seconds * 1e9)


def a_trace(*, seconds: float = 0.0) -> Sequence[ReadableSpan]:
    """Return the spans of one request of 400 ms: reading features (50 ms), and a chat (300 ms) that fails over to another model."""
    kept = InMemorySpanExporter()
    provider = TracerProvider(resource=RESOURCE, shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(kept))
    tracer = provider.get_tracer("parcels")

    def part(name: str, parent: Any, start: float, end: float, **about: Any) -> Any:
        context = None if parent is None else trace.set_span_in_context(parent)
        span = tracer.start_span(name, context, start_time=nanoseconds(seconds + start), **about)
        span.end(nanoseconds(seconds + end))
        return span

    root = tracer.start_span("POST /predict", kind=trace.SpanKind.SERVER, start_time=nanoseconds(seconds), attributes={"http.route": "/predict"})
    part("read features", root, 0.02, 0.07)
    chat = tracer.start_span("chat small-1", trace.set_span_in_context(root), trace.SpanKind.CLIENT, start_time=nanoseconds(seconds + 0.08))
    chat.set_attributes(
        {
            "gen_ai.operation.name": "chat",
            "gen_ai.request.model": "small-1",
            "gen_ai.response.model": "small-1-2025-01",
            "gen_ai.usage.input_tokens": 120,
            "gen_ai.usage.output_tokens": 30,
            "gen_ai.response.finish_reasons": ["length"],
            "gen_ai.request.temperature": 0.2,
            "gen_ai.input.messages": SECRET,
            "gen_ai.prompt.0.content": SECRET,
            "http.request.header.authorization": SECRET,
        }
    )
    chat.record_exception(ValueError(SECRET))
    chat.set_status(trace.StatusCode.ERROR, "context window is full " + "x" * 600)
    chat.end(nanoseconds(seconds + 0.38))
    root.end(nanoseconds(seconds + 0.4))
    return kept.get_finished_spans()


def one_span(name: str, attributes: Mapping[str, Any], error: str) -> Sequence[ReadableSpan]:
    """Return a trace of one span that failed."""
    kept = InMemorySpanExporter()
    provider = TracerProvider(resource=RESOURCE, shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(kept))
    span = provider.get_tracer("parcels").start_span(name, start_time=nanoseconds(), attributes=dict(attributes))
    span.set_status(trace.StatusCode.ERROR, error)
    span.end(nanoseconds(1))
    return kept.get_finished_spans()


def trace_id_of(spans: Sequence[ReadableSpan]) -> str:
    """Return the id as it would be logged with a prediction."""
    return trace.format_trace_id(spans[0].context.trace_id)


def json_of(*batches: Sequence[ReadableSpan]) -> bytes:
    """Return what the SDK's file exporter writes of some batches: a line each."""
    out = io.StringIO()
    exporter = FileSpanExporter(stream=out)
    for batch in batches:
        exporter.export(batch)
    return out.getvalue().encode()


def protobuf_of(spans: Sequence[ReadableSpan]) -> bytes:
    """Return what the SDK posts to a collector."""
    return encode_spans(spans).SerializeToString()


def with_lengths(*parts: bytes) -> bytes:
    """Return messages as the collector's file exporter writes them: each after its length in four bytes."""
    return b"".join(struct.pack(">I", len(part)) + part for part in parts)


def with_varints(*parts: bytes) -> bytes:
    """Return messages as the specification has them: each after its length as a varint."""
    from google.protobuf.internal.encoder import _VarintBytes

    return b"".join(_VarintBytes(len(part)) + part for part in parts)


def metrics() -> Any:
    """Return metrics of a running service: a counter, a gauge, a histogram, and one of exponential buckets."""
    reader = InMemoryMetricReader()
    views = [View(instrument_name="queue.time", aggregation=ExponentialBucketHistogramAggregation())]
    meter = MeterProvider([reader], RESOURCE, views=views, shutdown_on_exit=False).get_meter("parcels")
    meter.create_counter("requests", unit="{request}").add(41, {"http.route": "/predict", "user.id": SECRET})
    meter.create_gauge("queue.length").set(3, {"lane": "fast"})
    duration = meter.create_histogram("request.duration", unit="s", explicit_bucket_boundaries_advisory=[0.1, 1.0])
    for seconds in (0.05, 0.5, 0.7, 20.0):
        duration.record(seconds)
    queue = meter.create_histogram("queue.time", unit="ms")
    for milliseconds in (1.0, 2.0, 4.0, 1000.0):
        queue.record(milliseconds)
    return reader.get_metrics_data()


def metrics_json(found: Any) -> bytes:
    """Return what the SDK's file exporter writes of metrics."""
    out = io.StringIO()
    FileMetricExporter(stream=out).export(found)
    return out.getvalue().encode()


def metrics_protobuf(found: Any) -> bytes:
    """Return what the SDK posts of metrics to a collector."""
    return encode_metrics(found).SerializeToString()
