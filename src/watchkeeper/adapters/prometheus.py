"""Metrics of Prometheus as samples: what a page says now, and what a server answers of a stretch of time.

Belongs here: names, labels, values, and the bound on series. Does not: the request and its bounds (scrape.py), or which labels
are private (otlp_attributes.py).
"""

import json
import math
import urllib.parse
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from typing import Any

from prometheus_client import Metric

from watchkeeper.adapters.otlp_attributes import labels_of
from watchkeeper.adapters.scrape import ACCEPT, Answer, families, fetch, place
from watchkeeper.adapters.series import Told
from watchkeeper.errors import UnreachableError, UnreadableError
from watchkeeper.redaction import without_secrets
from watchkeeper.samples import MetricSample
from watchkeeper.telemetry import Prometheus
from watchkeeper.words import one_line

AT_MOST = 32 * 2**20
"""Bytes of one answer."""

POINTS = 10_000
"""Values of one series that are asked for at once; Prometheus gives 11,000 at most."""

_BYTES_A_VALUE = 40
"""What a value takes in an answer at most, its moment included."""

_FIRST, _FASTER = 120, 4
"""Steps of the first portion, which any server answers in time, and how many times as many the next may have."""

_TOTALS = frozenset({"counter", "histogram", "summary"})
_SAID = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """One source, and what is not in its words: the moment, the header of its token, what monitors call private, and the labels kept though their names say contents."""

    source: Prometheus
    now: datetime
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    private: Sequence[str] = ()
    also: Sequence[str] = ()

    def fetch(self, url: str, accept: str) -> Answer:
        """GET one address of the source, within its bounds."""
        return fetch(url, accept=accept, headers=self.headers, timeout_s=self.source.timeout.total_seconds(), at_most=AT_MOST)

    def sample(self, name: str, labels: Mapping[str, str], value: float, at: datetime, kind: str) -> Told:
        """Return one value as a record, with the labels it lost; NaN, which is also how Prometheus says that a series has ended, is not known."""
        known = None if math.isnan(value) else value
        text, lost = labels_of(labels, also=self.also, private=self.private)
        sample = MetricSample(name=name, labels=text, value=known, at=at, kind=kind, source=self.source.name, landed_at=self.now)
        return Told(sample=sample, lost=lost)


def scraped(asking: Asking) -> list[Told]:
    """Return what a page says now.

    Raises:
        UnreachableError: nobody answers, or not in time.
        UnreadableError: the answer is no metrics, or holds more series than allowed.

    """
    url = asking.source.scrape or ""
    found = families(asking.fetch(url, ACCEPT), where=place(url)).values()
    kept = [(f, s) for f in found for s in f.samples if _is_kept(s.name, asking.source.only) and not s.name.endswith("_created")]
    _require_few(len(kept), asking.source, place(url), "Name those that are needed in `only`.")
    return [asking.sample(s.name, s.labels, float(s.value), _at(s.timestamp, asking.now, place(url)), _kind(f, s.name)) for f, s in kept]


def _is_kept(name: str, only: Sequence[str]) -> bool:
    return not only or any(fnmatchcase(name, pattern) for pattern in only)


def _at(timestamp: Any, now: datetime, where: str) -> datetime:
    """Return the moment that a page gives a value, else now.

    Raises:
        UnreadableError: the calendar has no such moment.

    """
    try:
        return now if timestamp is None else _moment(float(timestamp))
    except (ValueError, OverflowError, OSError) as error:
        then = "Prometheus' format counts milliseconds since 1970, OpenMetrics seconds."
        raise UnreadableError("gives a value at no moment of the calendar", where=where, then=then) from error


def _kind(family: Metric, name: str) -> str:
    """Return what a value is; a summary's quantiles stand as they are."""
    is_total = family.type in _TOTALS and (family.type != "summary" or name != family.name)
    return "counter" if is_total else "gauge"


def asked(asking: Asking, since: datetime | None) -> Iterator[list[Told]]:
    """Yield what a server answers of the time after `since`, else of the source's `lookback`: a value each step, on the clock's own steps.

    It is asked for in portions, the oldest first, so that what one brought can be kept before the next is asked for. The first is small
    enough whatever the series, and so a stretch that failed once is always got over.

    Raises:
        UnreachableError: nobody answers, or not in time, or refuses the query.
        UnreadableError: the answer is none of a Prometheus, or holds more series than allowed.

    """
    step, most = asking.source.step, asking.source.series
    start, steps = _step_after(since or asking.now - asking.source.lookback, step), min(_FIRST, steps_at_once(most))
    while start <= asking.now:
        found = list(_answered(asking, start, min(asking.now, start + (steps - 1) * step)))
        yield found
        start += steps * step
        series = min(most, 2 * math.ceil(len(found) / steps)) if found else most  # there may be twice as many soon, and after silence any number
        steps = min(_FASTER * steps, steps_at_once(series))


def steps_at_once(series: int) -> int:
    """Return how many steps are asked for at once, so that the answer of so many series stays within the bound on its bytes.

    >>> steps_at_once(1), steps_at_once(10_000), steps_at_once(100_000)
    (10000, 83, 8)
    """
    return max(1, min(POINTS, AT_MOST // (_BYTES_A_VALUE * series)))


def _step_after(moment: datetime, step: timedelta) -> datetime:
    """Return the first multiple of the step after a moment, so that a value that is asked for again is the same one."""
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    return epoch + ((moment - epoch) // step + 1) * step


def _answered(asking: Asking, start: datetime, end: datetime) -> Iterator[Told]:
    server = (asking.source.server or "").rstrip("/")
    where = place(server)
    asked_for = {"query": asking.source.query or "", "start": start.timestamp(), "end": end.timestamp(), "step": asking.source.step.total_seconds()}
    try:
        answer = asking.fetch(f"{server}/api/v1/query_range?{urllib.parse.urlencode(asked_for)}", "application/json")
    except UnreachableError as error:
        if error.what.startswith(("answers 400", "answers 422")):
            then = "Try the query in the server's own page, and correct `query`."
            raise UnreachableError(f"{error.what}: it does not take the query of '{asking.source.name}'", where=where, then=then) from error
        raise
    for one in _series(answer, asking.source, where):
        labels = {str(n): str(v) for n, v in one.get("metric", {}).items()}
        name = labels.pop("__name__", asking.source.name)
        for at, value in one.get("values", []):
            yield asking.sample(name, labels, float(value), _moment(float(at)), "gauge")


def _series(answer: Answer, source: Prometheus, where: str) -> list[dict[str, Any]]:
    then = "Name the address of a Prometheus server, or of what answers like one."
    if answer.content_type == "text/html" or answer.content.lstrip()[:1] == b"<":
        raise UnreadableError("answers a web page, and not as a Prometheus server", where=where, then=then)
    try:
        said = json.loads(answer.content)
    except (ValueError, RecursionError) as error:
        raise UnreadableError("answers what is not JSON", where=where, then=then) from error
    if not isinstance(said, dict) or said.get("status") != "success":
        why = one_line(without_secrets(str(said.get("error", "")))[:_SAID]) if isinstance(said, dict) else ""
        raise UnreadableError(f"gives no answer ({why or 'it does not say why'})", where=where, then=then)
    data = said.get("data") or {}
    if isinstance(data.get("result"), list):
        _require_few(len(data["result"]), source, where, "Add up some labels in the query, such as sum by (model).")
    if data.get("resultType") != "matrix" or not _is_matrix(data.get("result")):
        raise UnreadableError("answers with something else than series over time", where=where, then=then)
    result: list[dict[str, Any]] = data["result"]
    return result


def _is_matrix(result: Any) -> bool:
    """Tell whether each series has labels and pairs of a moment and a number."""
    try:
        for one in result:
            dict(one["metric"])
            for at, value in one.get("values", []):
                _moment(float(at)), float(value)
    except (KeyError, TypeError, ValueError, OverflowError, OSError):
        return False
    return isinstance(result, list)


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _require_few(count: int, source: Prometheus, where: str, then: str) -> None:
    if count > source.series:
        raise UnreadableError(f"answers {count:,} series, and '{source.name}' may have {source.series:,} (`series`)", where=where, then=then)
