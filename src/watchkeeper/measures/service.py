"""Service figures of a window: how many predictions, how fast, how many failed.

Belongs here: one function a metric, view -> Estimate. Does not: sources other than the events' own columns.
"""

from math import sqrt

import numpy as np

from watchkeeper.measures.views import ServiceView
from watchkeeper.profiles.grids import latency_middle
from watchkeeper.stats.intervals import Z95, Estimate, proportion, undefined


def rows(view: ServiceView) -> Estimate:
    """How many predictions landed."""
    return Estimate(float(view.rows), n=view.rows)


def error_ratio(view: ServiceView) -> Estimate:
    """Share of requests whose status is an error."""
    if view.status.n == 0:
        return undefined("no status was logged")
    return proportion(int(view.status.dense(2)[1]), view.status.n)


def latency_p50(view: ServiceView) -> Estimate:
    """Median latency, ms."""
    return _percentile(view, 0.50)


def latency_p95(view: ServiceView) -> Estimate:
    """95th percentile of latency, ms."""
    return _percentile(view, 0.95)


def latency_p99(view: ServiceView) -> Estimate:
    """99th percentile of latency, ms."""
    return _percentile(view, 0.99)


def _percentile(view: ServiceView, q: float) -> Estimate:
    """Return a percentile from log bins (within 1 %); the interval is the order-statistic one."""
    n = view.latency.valued
    if n == 0:
        return undefined("no latency was logged")
    spread = Z95 * sqrt(n * q * (1 - q))
    cumulated = np.cumsum(view.latency.counts)
    ranks = np.clip([n * q, n * q - spread, n * q + spread], 1, n)
    value, low, high = latency_middle(view.latency.cells[np.searchsorted(cumulated, ranks)])
    return Estimate(float(value), float(high - low) / (2 * Z95), float(low), float(high), n)
