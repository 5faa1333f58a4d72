"""Silences: asking not to be told of an incident, or of all of a model, until a moment; and ending that before its time.

Belongs here: writing them down once, under the lease that judging takes. Does not: what a silence covers (judgement/silences.py),
or what becomes of messages (judgement/notices.py).
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import pyarrow as pa
import pyarrow.compute as pc

from watchkeeper.adapters.arrow_records import TIMESTAMP
from watchkeeper.adapters.leases import lease
from watchkeeper.adapters.workspace import Home, load_monitor
from watchkeeper.errors import UsageError
from watchkeeper.judgement.breaks import BROKEN
from watchkeeper.judgement.signals import judged_metrics
from watchkeeper.judgement.silences import is_in_force
from watchkeeper.monitor import Monitor
from watchkeeper.operations.care import going_on, person, reason
from watchkeeper.operations.incident_book import JUDGING, incident_called, known_incidents, known_silences
from watchkeeper.operations.listing import nearest
from watchkeeper.records import Score, Silence, key
from watchkeeper.spelling import is_segment, segment_name, segment_pairs, utc
from watchkeeper.words import moment_text

LONGEST = timedelta(days=90)


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """What is to be silenced: one incident, by the beginning of its id, or what opens of a model, of a metric, in a segment."""

    incident: str = ""
    model: str = ""
    metric: str = ""
    segment: str = ""


def silence(home: Home, about: About, *, until: datetime, who: str, why: str, now: datetime) -> Silence:
    """Write down that nobody is to be told of something until a moment, and return that; the same again adds nothing.

    Raises:
        UsageError: it is not said plainly what is meant, until when, by whom and why, or what is meant is over.

    """
    who, why = person(who), reason(why, "a silence")
    until = _in_time(until, now)
    with lease(home.lake, JUDGING):
        asked = _asked(home, about, until=until, who=who, why=why, now=now)
        same = [s for s in known_silences(home, now=now) if is_in_force(s, now) and replace(s, silence_id=asked.silence_id, at=now) == asked]
        if not same:
            home.lake.append_records(Silence, [asked])
        return same[0] if same else asked


def silences_in_force(home: Home, *, now: datetime) -> list[Silence]:
    """Return the silences that last, the one that ends first before the others."""
    return sorted((s for s in known_silences(home, now=now) if is_in_force(s, now)), key=lambda s: (s.until, s.silence_id))


def end_silence(home: Home, silence_id: str, *, who: str, why: str = "", now: datetime) -> Silence:
    """End a silence, named by the beginning of its id, before its time, and return it as it came to be.

    Raises:
        UsageError: none that lasts has such an id, or several do.

    """
    who, said = person(who), silence_id.strip()
    with lease(home.lake, JUDGING):
        found = [s for s in silences_in_force(home, now=now) if said and s.silence_id.startswith(said)]
        if len(found) != 1:
            what = "no silence that lasts has" if not found else f"{len(found)} silences have"
            then = (
                "`watchkeeper silence --list` shows those that last."
                if not found
                else "Write more of the id; `watchkeeper silence --list` shows them."
            )
            raise UsageError(f"{what} an id that begins with {said!r}", where="silence", then=then)
        home.lake.append_records(Silence, [replace(found[0], event="ended", who=who, why=why.strip(), at=now)])
        return replace(found[0], until=now)


def _in_time(until: datetime, now: datetime) -> datetime:
    moment = utc(until)
    said = f"{moment_text(moment, 'UTC')} UTC"
    if moment <= now:
        then = f"It is {moment_text(now, 'UTC')} UTC; name a later moment, or how long, for example 2d."
        raise UsageError(f"{said} is not in the future", where="until", then=then)
    if moment - now > LONGEST:
        then = "Name an earlier moment, and silence it again then. What is never to be told is taken out of the monitor file."
        raise UsageError(f"a silence may last {LONGEST.days} days, and {said} is later", where="until", then=then)
    return moment


def _asked(home: Home, about: About, *, until: datetime, who: str, why: str, now: datetime) -> Silence:
    if bool(about.incident.strip()) == bool(about.model or about.metric or about.segment):
        then = "Name an incident, or a model, and of a model a metric or a segment where only these are meant."
        raise UsageError("it is not plain what is to be silent", where="silence", then=then)
    if about.incident.strip():
        found = going_on(incident_called(known_incidents(home, now=now), about.incident), "silenced")
        what = {"model": found.model, "incident_id": found.id}
    else:
        what = _of_model(home, about, now)
    return Silence(silence_id=key(*what.values(), until, who, why, now), until=until, who=who, why=why, at=now, **what)


def _of_model(home: Home, about: About, now: datetime) -> dict[str, str]:
    if not about.model:
        raise UsageError("a metric or a segment is silenced of a model", where="model", then="Name the model as well.")
    monitor = load_monitor(home, about.model)
    valid = sorted({*judged_metrics(monitor), BROKEN})
    if about.metric and about.metric not in valid:
        raise UsageError(f"no incident of {monitor.model} can be about a metric {about.metric!r}", where="metric", then=nearest(about.metric, valid))
    segment = segment_name(about.segment, monitor.dimensions)
    columns = {column for each in monitor.dimensions for column in each.split("&")}
    if segment and not (is_segment(segment) and {column for column, _ in segment_pairs(segment)} <= columns):
        then = (
            f"Write for example {monitor.dimensions[0]}=VALUE."
            if monitor.dimensions
            else "Its monitor file declares no `segments`; leave the segment out."
        )
        raise UsageError(f"{about.segment!r} is no segment of {monitor.model}", where="segment", then=then)
    if segment:
        _require_measured(home, monitor, segment, now)
    return {"model": monitor.model, "metric": about.metric, "segment": segment}


def _require_measured(home: Home, monitor: Monitor, segment: str, now: datetime) -> None:
    """Refuse a segment that no score was ever about, nor of which one is a part; before any segment was measured none is known to be wrong.

    Raises:
        UsageError: there is none of that name.

    """
    mine = (pc.field("model") == monitor.model) & (pc.field("computed_at") <= pa.scalar(now, TIMESTAMP))
    found = home.lake.read(Score.TABLE, columns=["segment"], where=mine)
    there = [] if found is None else sorted(name for name in pc.unique(found["segment"]).to_pylist() if name)
    if there and not any(set(segment_pairs(segment)) <= set(segment_pairs(name)) for name in there):
        raise UsageError(f"no score of {monitor.model} is about a segment {segment!r}", where="segment", then=nearest(segment, there))
