"""Service figures of a window: how many predictions, how fast, how many failed, how busy what answers was.

Belongs here: one function a metric, view -> Estimate. Does not: reading parts (service_view.py), a place beside all others (service_to_rest.py), sources
other than the events' own columns.
"""

from dataclasses import replace
from math import isfinite, sqrt

import numpy as np

from watchkeeper.measures.service_view import LIMIT, TAIL, Measured, ServiceView
from watchkeeper.profiles.grids import latency_middle
from watchkeeper.profiles.statuses import OF_THE_CLIENT
from watchkeeper.stats.intervals import Z95, Estimate, proportion, undefined
from watchkeeper.words import number_text

_MINUTE, _DAY = 60, 86_400
_FEWEST, _THOUSAND = 30, (500.0, 2_000.0)


def rows(view: ServiceView) -> Estimate:
    """How many predictions landed."""
    return Estimate(float(view.rows), n=view.rows)


def error_ratio(view: ServiceView) -> Estimate:
    """Share of requests whose status is an error."""
    if view.status.n == 0:
        return undefined("no status was logged")
    return proportion(view.errors, view.status.n)


def class_metric(name: str) -> str:
    """Return what the share of a class of errors (statuses.py) is called."""
    return "other_error_ratio" if name == "other" else f"{name}_ratio"


def class_ratio(name: str, view: ServiceView) -> Estimate:
    """Share of requests whose status is of one class of errors."""
    if view.status.n == 0:
        return undefined("no status was logged")
    return proportion(view.by_class[name], view.status.n)


def availability(view: ServiceView) -> Estimate:
    """Share of requests that were answered without an error of the service: what the client did wrong, or called off, is none.

    Without any request there is no such share: a service scaled to zero is not down.
    """
    if view.status.n == 0:
        return undefined("no status was logged")
    theirs = sum(view.by_class[name] for name in OF_THE_CLIENT)
    return proportion(view.status.n - view.errors + theirs, view.status.n)


def latency_percentile(q: float, view: ServiceView) -> Estimate:
    """A percentile of latency, ms."""
    found = _percentile(view.timed, q, "latency")
    return replace(found, reason="; ".join(filter(None, (_another_unit(view), found.reason)))) if found.is_defined else found


def queue_time_p95(view: ServiceView) -> Estimate:
    """95th percentile of the time in the queue, ms; a request that did not wait has one of 0."""
    if view.waited == 0:
        return undefined("no queue time was logged")
    return _of_cells(view.queue.cells, view.queue.counts, 0.95)


def latency_over(name: str, view: ServiceView) -> Estimate:
    """Share of requests slower than a limit."""
    if view.timed.n == 0:
        return _none(view.timed, "latency")
    if not view.limits.get(name):
        return undefined("the reference has no latency to be slower than")
    found = proportion(view.timed.beyond(view.limits[name]), view.timed.n)
    return replace(found, reason=f"slower than {number_text(view.limit_ms(name), 'ms')}")


def over_limit(view: ServiceView) -> Estimate:
    """Share of requests slower than `service.latency_limit`, else than 95 % of the reference's."""
    return latency_over(LIMIT, view)


def over_tail(view: ServiceView) -> Estimate:
    """Share of requests slower than 99 % of the reference's."""
    return latency_over(TAIL, view)


def rows_per_second(view: ServiceView) -> Estimate:
    """Requests a second, in the mean over the window."""
    return _rate(view.rows, view)


def rows_peak_minute(view: ServiceView) -> Estimate:
    """Requests of the minute that had most of them."""
    if not view.minutes.valued:
        return undefined("minutes were not counted")
    if not view.seconds <= _DAY:
        return undefined("minutes are told apart within a day only")
    return Estimate(float(view.minutes.counts.max()), n=view.minutes.valued)


def concurrency(view: ServiceView) -> Estimate:
    """Requests in flight, in the mean over the window: their number a second times how long they took, by Little's law."""
    if view.timed.n == 0:
        return _none(view.timed, "latency")
    mean_s = view.timed.sum / view.timed.n / 1e3
    return _rate(view.rows * mean_s, view)


def saturation(view: ServiceView) -> Estimate:
    """Share of the time of all requests that they spent waiting in the queue.

    It is 0 while something is always free and rises to 1 with the load; of one server with random arrivals (M/M/1) it is the share of time that it is busy.
    """
    if view.waited == 0:
        return undefined("no queue time was logged")
    if view.timed.n == 0:
        return _none(view.timed, "latency")
    waited, took = view.queued.sum / view.waited, view.timed.sum / view.timed.n
    if waited > took:
        return undefined("requests wait longer than they take: `latency` must include the time in the queue, in the same unit", view.waited)
    return Estimate(waited / took, n=view.waited)


def tokens_per_request(view: ServiceView) -> Estimate:
    """Tokens that a request takes and gives, in the mean."""
    every = [t for t in (view.taken, view.given) if t.n]
    if not every:
        return undefined(_left_out(view) or "no tokens were logged")
    value = sum(t.sum / t.n for t in every)
    return replace(Estimate(value, n=min(t.n for t in every)), reason=_left_out(view))


def tokens_per_second(view: ServiceView) -> Estimate:
    """Tokens taken and given a second, in the mean over the window."""
    said = _left_out(view)
    if said and not view.taken.n and not view.given.n:
        return undefined(said)
    found = _rate(view.taken.sum + view.given.sum, view)
    return replace(found, reason=found.reason or said)


def token_speed(view: ServiceView) -> Estimate:
    """Tokens given in a second of answering: how fast a reader sees them come."""
    answering = (view.timed.sum - view.queued.sum) / 1e3
    given = view.given
    if not given.n or not view.timed.n:
        return undefined("no tokens were given, or no latency was logged")
    if answering <= 0:
        return undefined("requests wait longer than they take: `latency` must include the time in the queue, in the same unit", given.n)
    return replace(Estimate(given.sum / answering, n=given.n), reason=given.said("output tokens") if given.unusable else "")


def _left_out(view: ServiceView) -> str:
    """Say which counts of tokens are none; rows without one are usual, where only some answers have any."""
    sides = ((view.taken, "input tokens"), (view.given, "output tokens"))
    return "; ".join(tokens.said(what) for tokens, what in sides if tokens.unusable)


def _rate(total: float, view: ServiceView) -> Estimate:
    if not isfinite(view.seconds) or view.seconds <= 0:
        return undefined("the window has no length of its own")
    return Estimate(total / view.seconds, n=view.rows)


def _another_unit(view: ServiceView) -> str:
    """Say that the slowest of the window took a thousand times as long as those of the reference, or a thousandth; empty where they did not."""
    if view.timed.n < _FEWEST or not view.limits.get(TAIL):
        return ""
    times = float(latency_middle(np.array(view.timed.cell_at(0.99)))) / view.limit_ms(TAIL)
    if not any(_THOUSAND[0] <= t <= _THOUSAND[1] for t in (times, 1 / times)):
        return ""
    return f"about a thousand{'th of' if times < 1 else ' times'} the reference's: since when are they logged in another unit?"


def _none(measured: Measured, what: str) -> Estimate:
    return undefined(measured.said(what) or f"no {what} was logged", measured.counts.n)


def _percentile(measured: Measured, q: float, what: str) -> Estimate:
    if measured.n == 0:
        return _none(measured, what)
    return replace(_of_cells(measured.cells, measured.rows, q), reason=measured.said(what))


def _of_cells(cells: np.ndarray, counts: np.ndarray, q: float) -> Estimate:
    """Return a percentile from log bins (within 1 %); the interval is the order-statistic one."""
    n = int(counts.sum())
    spread = Z95 * sqrt(n * q * (1 - q))
    ranks = np.clip([n * q, n * q - spread, n * q + spread], 1, n)
    value, low, high = latency_middle(cells[np.searchsorted(np.cumsum(counts), ranks)])
    return Estimate(float(value), float(high - low) / (2 * Z95), float(low), float(high), n)
