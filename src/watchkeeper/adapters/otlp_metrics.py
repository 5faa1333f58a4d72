"""Metrics of OpenTelemetry as samples, each series under the names that Prometheus would give its parts.

Belongs here: points of each kind -> values with labels. Does not: reading files (otlp.py), or which labels are private
(otlp_attributes.py). A histogram becomes `_bucket` (counts up to `le`), `_count` and `_sum`, a summary its quantiles.
"""

import math
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, Literal

from opentelemetry.proto.metrics.v1.metrics_pb2 import AGGREGATION_TEMPORALITY_DELTA, DataPointFlags, Metric, MetricsData

from watchkeeper.adapters.otlp_attributes import labels_of, values
from watchkeeper.adapters.otlp_spans import About, host_of, moment_of
from watchkeeper.adapters.series import Labels, Told
from watchkeeper.redaction import without_secrets
from watchkeeper.samples import MetricSample

SOURCE = "otlp"
_NAME, _UNIT = 200, 63
_SCOPE = "otel.scope.name"
_KEPT_OF_RESOURCE = ("service.name", "service.version", "watchkeeper.model")
_STALE = DataPointFlags.DATA_POINT_FLAGS_NO_RECORDED_VALUE_MASK
Kind = Literal["gauge", "counter", "delta"]
Part = tuple[str, dict[str, str], float, Kind]
"""What is added to a metric's name, the labels it has besides, its value, and what that is."""


@dataclass(frozen=True, slots=True)
class _Teller:
    """The program that tells: what of its own labels each value has, and what not."""

    kept: Mapping[str, Any]
    lost: Labels


def samples(found: MetricsData, about: About) -> Iterator[Told | str]:
    """Yield each value as a record, with the labels it lost, or in a clause why a point is none."""
    for group in found.resource_metrics:
        resource = values(group.resource.attributes)
        for scope in group.scope_metrics:
            teller = _teller(resource | ({_SCOPE: scope.scope.name} if scope.scope.name else {}), about.also)
            for metric in scope.metrics:
                yield from _of_metric(metric, teller, about)


def _teller(resource: Mapping[str, Any], also: Collection[str]) -> _Teller:
    """Return who tells, by what is known of the program and of the library in it that measures."""
    host = host_of(resource)
    kept = {n: v for n, v in resource.items() if n in _KEPT_OF_RESOURCE or n in also} | ({"host.name": host} if host else {})
    return _Teller(kept, frozenset((n, repr(v)) for n, v in resource.items() if kept.get(n) != v))


def _of_metric(metric: Metric, teller: _Teller, about: About) -> Iterator[Told | str]:
    form = metric.WhichOneof("data")
    if not metric.name or form is None:
        yield f"the metric {_named(metric)!r} has no values of a kind that is known" if metric.name else "a metric has no name"
        return
    data = getattr(metric, form)
    for point in data.data_points:
        at = moment_of(point.time_unix_nano) if point.time_unix_nano else None
        if at is None:
            yield f"a value of the metric {_named(metric)!r} has no time"
            continue
        labels = {**teller.kept, **values(point.attributes)}
        is_stale = bool(point.flags & _STALE)
        for suffix, more, value, kind in _PARTS[form](data, point):
            text, lost = labels_of({**labels, **more}, also=about.also, private=about.private)
            sample = MetricSample(
                name=_named(metric) + suffix,
                labels=text,
                value=None if is_stale or math.isnan(value) else value,
                at=at,
                kind=kind,
                unit=without_secrets(metric.unit)[:_UNIT],
                source=SOURCE,
                landed_at=about.now,
                batch=about.batch,
            )
            yield Told(sample=sample, lost=lost, teller=teller.lost)


def _named(metric: Metric) -> str:
    return without_secrets(metric.name)[:_NAME]


def _number(point: Any) -> float:
    return float(point.as_int if point.WhichOneof("value") == "as_int" else point.as_double)


def _total(data: Any) -> Kind:
    return "delta" if data.aggregation_temporality == AGGREGATION_TEMPORALITY_DELTA else "counter"


def _of_gauge(_data: Any, point: Any) -> Iterator[Part]:
    yield "", {}, _number(point), "gauge"


def _of_sum(data: Any, point: Any) -> Iterator[Part]:
    """Yield a sum; one that also falls stands as it is at its moment."""
    kind = _total(data)
    yield "", {}, _number(point), "gauge" if kind == "counter" and not data.is_monotonic else kind


def _of_histogram(data: Any, point: Any) -> Iterator[Part]:
    yield from _in_buckets(_total(data), point, [*point.explicit_bounds, math.inf], list(point.bucket_counts))


def _of_exponential(data: Any, point: Any) -> Iterator[Part]:
    """Yield a histogram whose bounds are powers of 2 ** (2 ** -scale), negative ones mirrored, zero between them; without its many empty buckets."""
    positive, negative = point.positive, point.negative
    below = [-_bound(point.scale, negative.offset + i) for i in reversed(range(len(negative.bucket_counts)))]
    above = [_bound(point.scale, positive.offset + i + 1) for i in range(len(positive.bucket_counts))]
    counts = [*reversed(negative.bucket_counts), point.zero_count, *positive.bucket_counts, 0]
    yield from _in_buckets(_total(data), point, [*below, point.zero_threshold, *above, math.inf], counts, is_sparse=True)


def _bound(scale: int, index: int) -> float:
    """Return where a bucket begins, 2 ** (index * 2 ** -scale); infinity of what no number holds.

    >>> _bound(0, 3), _bound(1, 2), _bound(-10, 1), _bound(-2000, -1)
    (8.0, 2.0, inf, 0.0)
    """
    try:
        return float(2.0 ** math.ldexp(index, -scale))
    except OverflowError:
        return math.inf if index > 0 else 0.0


def _in_buckets(kind: Kind, point: Any, bounds: list[float], counts: list[int], *, is_sparse: bool = False) -> Iterator[Part]:
    for bound, own, so_far in zip(bounds, counts, accumulate(counts), strict=False):  # without buckets there are no counts
        if is_sparse and not own and not math.isinf(bound):
            continue
        yield "_bucket", {"le": "+Inf" if math.isinf(bound) else repr(bound)}, float(so_far), kind
    yield "_count", {}, float(point.count), kind
    if point.HasField("sum"):
        yield "_sum", {}, point.sum, kind


def _of_summary(_data: Any, point: Any) -> Iterator[Part]:
    for one in point.quantile_values:
        yield "", {"quantile": repr(one.quantile)}, one.value, "gauge"
    yield "_count", {}, float(point.count), "counter"
    yield "_sum", {}, point.sum, "counter"


_PARTS: Mapping[str, Any] = {
    "gauge": _of_gauge,
    "sum": _of_sum,
    "histogram": _of_histogram,
    "exponential_histogram": _of_exponential,
    "summary": _of_summary,
}
