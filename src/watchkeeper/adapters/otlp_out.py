"""Our own metrics to OpenTelemetry: as a message, as JSON, and posted to a collector.

Belongs here: the message, one request, and what its answer means. Does not: which metrics there are (operations/export.py).
"""

import http.client
import json
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping, Sequence
from datetime import datetime
from importlib.metadata import version
from typing import Any

from google.protobuf import json_format
from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest, ExportMetricsServiceResponse
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, InstrumentationScope, KeyValue
from opentelemetry.proto.metrics.v1.metrics_pb2 import Gauge as GaugeMessage
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics
from opentelemetry.proto.resource.v1.resource_pb2 import Resource

from watchkeeper.adapters.our_metrics import Gauge
from watchkeeper.adapters.scrape import place
from watchkeeper.errors import DeliveryError
from watchkeeper.words import counted

TIMEOUT_S = 10.0
_PATH, _MOST = "/v1/metrics", 65_536


def request_of(gauges: Sequence[Gauge], *, workspace: str, now: datetime) -> ExportMetricsServiceRequest:
    """Return metrics as one request, their values dated `now`."""
    resource = Resource(
        attributes=_pairs({"service.name": "watchkeeper", "service.version": version("watchkeeper"), "watchkeeper.workspace": workspace})
    )
    scope = ScopeMetrics(
        scope=InstrumentationScope(name="watchkeeper", version=version("watchkeeper")), metrics=[_metric(g, now) for g in gauges if g.points]
    )
    return ExportMetricsServiceRequest(resource_metrics=[ResourceMetrics(resource=resource, scope_metrics=[scope])])


def json_text(request: ExportMetricsServiceRequest) -> str:
    """Return a request as one line of OTLP's JSON, as the collector's file receiver reads it."""
    return json.dumps(json_format.MessageToDict(request), ensure_ascii=False, separators=(",", ":")) + "\n"


def post(url: str, request: ExportMetricsServiceRequest, *, headers: Mapping[str, str], timeout_s: float = TIMEOUT_S) -> None:
    """Send a request to a collector; an address without a path has the usual one.

    Raises:
        DeliveryError: it refused all or some of it, cannot be reached, or does not answer in time.

    """
    where = f"OpenTelemetry collector at {place(url)}"
    parts = urllib.parse.urlsplit(url)
    address = urllib.parse.urlunsplit(parts._replace(path=_PATH)) if parts.path in ("", "/") else url
    sent = {"Content-Type": "application/x-protobuf", "User-Agent": "watchkeeper", **headers}
    asked = urllib.request.Request(address, data=request.SerializeToString(), headers=sent, method="POST")  # noqa: S310 - `place` let only http and https pass
    try:
        with _STAYING.open(asked, timeout=timeout_s) as answer:
            kind, content = answer.headers.get_content_type(), answer.read(_MOST)
    except urllib.error.HTTPError as error:
        then = (
            "Name the address that takes them itself; none is followed with a token."
            if _is_elsewhere(error.code)
            else "Look at its log, and at `bearer`."
        )
        raise DeliveryError(f"answered {error.code} {error.reason}", where=where, then=then) from error
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise DeliveryError(
            f"gave no answer ({getattr(error, 'reason', error) or type(error).__name__})",
            where=where,
            then="Look whether it runs, and listens there.",
        ) from error
    if kind == "text/html":
        raise DeliveryError(
            "answered with a web page", where=where, then="Name the address of its OTLP receiver for HTTP, such as http://collector:4318."
        )
    _require_all_taken(kind, content, where)


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Follows no redirect, which would take the token to wherever an answer says."""

    def redirect_request(self, *_: Any) -> None:
        """Have the answer be told of as an error."""


_STAYING = urllib.request.build_opener(_NoRedirect)


def _require_all_taken(kind: str, content: bytes, where: str) -> None:
    try:
        if kind == "application/json":
            told = json_format.Parse(content or b"{}", ExportMetricsServiceResponse(), ignore_unknown_fields=True)
        else:
            told = ExportMetricsServiceResponse.FromString(content)
    except (DecodeError, json_format.ParseError):
        return  # it took the request, and says so in words of its own
    if told.partial_success.rejected_data_points:
        said = f"{counted(told.partial_success.rejected_data_points, 'value')} refused: {told.partial_success.error_message[:200]}"
        raise DeliveryError(said, where=where, then="Look at its limits.")


def _is_elsewhere(status: int) -> bool:
    return http.client.MULTIPLE_CHOICES <= status < http.client.BAD_REQUEST


def _metric(gauge: Gauge, now: datetime) -> Metric:
    nanoseconds = int(now.timestamp()) * 1_000_000_000 + now.microsecond * 1_000
    points = [NumberDataPoint(attributes=_pairs(labels), time_unix_nano=nanoseconds, as_double=value) for labels, value in gauge.points]
    return Metric(name=gauge.name, unit=gauge.unit, description=gauge.about, gauge=GaugeMessage(data_points=points))


def _pairs(labels: Mapping[str, str]) -> list[KeyValue]:
    return [KeyValue(key=name, value=AnyValue(string_value=value)) for name, value in labels.items() if value]
