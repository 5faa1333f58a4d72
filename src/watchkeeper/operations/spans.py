"""A trace id leads from a prediction to its spans, and back.

Belongs here: reading both as of `now`, and the spellings of a trace id. Does not: taking spans in (take_telemetry.py), or their
words (site/spans.py).
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import pyarrow as pa
import pyarrow.compute as pc

from watchkeeper.adapters.arrow_records import TIMESTAMP
from watchkeeper.adapters.lake import among
from watchkeeper.adapters.workspace import Home
from watchkeeper.errors import UsageError
from watchkeeper.monitor import Monitor
from watchkeeper.operations.convert import as_text
from watchkeeper.samples import Span

_HEX = 32
_AROUND = timedelta(days=1)
_TRACEPARENT = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Traced:
    """One prediction that was made in a trace."""

    id: str
    at: datetime


def trace_key(said: str) -> str:
    """Return a trace id as spans have it: 32 hexadecimal digits, from capitals, a UUID, or the `traceparent` of a request.

    >>> trace_key("00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01"), trace_key("4bf92f35-77b3-4da6-a3ce-929d0e0e4736")
    ('4bf92f3577b34da6a3ce929d0e0e4736', '4bf92f3577b34da6a3ce929d0e0e4736')
    """
    text = said.strip().lower()
    whole = _TRACEPARENT.fullmatch(text)
    return whole[1] if whole else text.replace("-", "").removeprefix("0x")


def spans_of(home: Home, trace_id: str, *, now: datetime, near: datetime | None = None) -> list[Span]:
    """Return the spans of a trace that have landed, by when they began; none of an id that is empty.

    Where a moment of the trace is known (`near`), those of a day around it, so that no others are read.
    """
    wanted = trace_key(trace_id)
    if not wanted:
        return []
    where = among("trace_id", {wanted, wanted.rjust(_HEX, "0")})
    if near is not None:
        first, last = pa.scalar(near - _AROUND, TIMESTAMP), pa.scalar(near + _AROUND, TIMESTAMP)
        where &= (pc.field("started_at") >= first) & (pc.field("started_at") <= last)
    found: list[Span] = home.lake.newest(Span, as_of=now, where=where)
    return sorted(found, key=lambda s: (s.started_at, -s.duration_ms))


def predictions_of(home: Home, monitor: Monitor, trace_id: str, *, now: datetime) -> Sequence[Traced]:
    """Return the predictions of a model that were made in a trace, each id once, by their time.

    Raises:
        UsageError: the model logs no trace ids, or no prediction has this one.

    """
    column = monitor.columns.trace_id
    events = home.lake.dataset(f"events/{monitor.model}")
    if column is None or (events is not None and column not in events.schema.names):
        then = "Name the column that holds them as `columns.trace_id` in the monitor file."
        raise UsageError(f"the rows of {monitor.model} name no trace", where="--trace", then=then)
    found = None if events is None else events.to_table(columns=[monitor.columns.id, "wk_time"], filter=_is_of(column, trace_key(trace_id), now))
    if found is None or found.num_rows == 0:
        raise _unknown(home, monitor, trace_id, now)
    rows = found.sort_by("wk_time")
    pairs = zip(as_text(rows.column(monitor.columns.id)).to_pylist(), rows.column("wk_time").to_pylist(), strict=True)
    return [Traced(id=name, at=at) for name, at in dict(pairs).items()]


def _is_of(column: str, wanted: str, now: datetime) -> pc.Expression:
    """Return the condition that a row has landed and names a trace, in any of the spellings."""
    dashed = f"{wanted[:8]}-{wanted[8:12]}-{wanted[12:16]}-{wanted[16:20]}-{wanted[20:]}"
    said = pc.utf8_lower(pc.field(column).cast(pa.string()))
    is_it = said.isin(pa.array(sorted({wanted, wanted.lstrip("0") or wanted, dashed}), pa.string())) | pc.match_substring(said, f"-{wanted}-")
    return is_it & (pc.field("wk_landed_at") <= pa.scalar(now, TIMESTAMP))


def _unknown(home: Home, monitor: Monitor, trace_id: str, now: datetime) -> UsageError:
    spans = spans_of(home, trace_id, now=now)
    if not spans:
        then = "Trace ids are 32 hexadecimal digits. `watchkeeper take-telemetry` takes spans in."
        return UsageError(f"neither a prediction nor a span has the trace {trace_id!r}", where=monitor.model, then=then)
    others = sorted({s.model for s in spans if s.model and s.model != monitor.model})
    then = f"Its spans are of {', '.join(others)}." if others else f"Its spans are there: {', '.join(sorted({s.service or s.name for s in spans}))}."
    return UsageError(f"no prediction of {monitor.model} has the trace {trace_id!r}", where="--trace", then=then)
