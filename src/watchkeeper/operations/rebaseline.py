"""Rebaseline: declaring that some days are the new normal of a model, and taking that back.

Belongs here: what can be a new normal, and writing it down once, under the lease that judging takes. Does not: what follows from it
(judgement/eras.py, measure.py, judge.py), asking for it (cli/rebaseline.py, flows/rebaseline.py). No row is read, no number changes here:
the next run measures the windows since then beside sums of stored counts, and judges them.
"""

from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import NoReturn

import pyarrow.compute as pc

from watchkeeper.adapters.leases import lease
from watchkeeper.adapters.workspace import Home, load_monitor
from watchkeeper.errors import UsageError
from watchkeeper.judgement.eras import ROLLING, Era, eras, is_step_of
from watchkeeper.judgement.incidents import fold
from watchkeeper.judgement.normal import LEAST_WINDOWS
from watchkeeper.judgement.rolling import bad_since
from watchkeeper.monitor import Monitor
from watchkeeper.operations.care import person, reason
from watchkeeper.operations.due import last_ended
from watchkeeper.operations.eras import baselines_of, steps_known
from watchkeeper.operations.incident_book import JUDGING
from watchkeeper.operations.rollup import basis_of
from watchkeeper.records import Baseline, IncidentEvent, key
from watchkeeper.windows import Window, local_midnight
from watchkeeper.words import window_text

_LISTS = "`watchkeeper rebaseline {model} --list` shows those that stand."


@dataclass(frozen=True, slots=True)
class Rebased:
    """A new normal as it was written down, the monitor it is of, and what to think of before relying on it."""

    baseline: Baseline
    monitor: Monitor
    warnings: tuple[str, ...] = ()


def rebaseline(home: Home, model: str, *, start: date, end: date, since: date | None = None, who: str, why: str, now: datetime) -> Rebased:
    """Write down that the days [start, end) are the new normal of windows from `since` on (default: from `end` on); the same again adds nothing.

    Raises:
        UsageError: what is usual cannot be learned from these days, or not yet, or nobody or no reason is named.

    """
    who, why, monitor = person(who), reason(why, "a new normal"), load_monitor(home, model)
    days, begins = _asked(monitor, start, end, since, now)
    with lease(home.lake, JUDGING):
        _require_known(home, monitor, days, now)
        standing = baselines_of(home, monitor, now=now)
        about = (monitor.model, monitor.environment, begins, days.start, days.end, who, why)
        made = Baseline(
            baseline_id=key(*about, now),
            model=monitor.model,
            environment=monitor.environment,
            since=begins,
            starts_at=days.start,
            ends_at=days.end,
            who=who,
            why=why,
            at=now,
        )
        same = [b for b in standing if replace(b, baseline_id=made.baseline_id, at=now) == made]
        if not same:
            home.lake.append_records(Baseline, [made])
        return Rebased(same[0] if same else made, monitor, tuple(_warnings(home, monitor, days, begins, standing, now)))


def take_back(home: Home, model: str, baseline_id: str, *, who: str, why: str = "", now: datetime) -> Rebased:
    """Take a new normal back, named by the beginning of its id: from then on windows are compared as if it had not been declared.

    Raises:
        UsageError: none that stands has such an id, or several do.

    """
    who, said, monitor = person(who), baseline_id.strip(), load_monitor(home, model)
    with lease(home.lake, JUDGING):
        found = [b for b in baselines_of(home, monitor, now=now) if said and b.baseline_id.startswith(said)]
        if len(found) != 1:
            what = f"no new normal of {model} that stands has" if not found else f"{len(found)} new normals of {model} have"
            then = _LISTS.format(model=model) if not found else f"Write more of the id; {_LISTS.format(model=model)}"
            raise UsageError(f"{what} an id that begins with {said!r}", where="rebaseline", then=then)
        home.lake.append_records(Baseline, [replace(found[0], event="ended", who=who, why=why.strip(), at=now)])
        return Rebased(found[0], monitor)


def eras_listed(home: Home, model: str, *, now: datetime) -> list[Era]:
    """Return the eras of a model in order of time: that of its monitor file first, then its new normals."""
    monitor = load_monitor(home, model)
    return eras(monitor, baselines_of(home, monitor, now=now))


def steps_listed(home: Home, model: str, era: Era, *, now: datetime) -> list[Baseline]:
    """Return the steps of an era's rolling reference in order of time, those that were skipped too; those that were taken back are gone.

    What became known since of a step's days is added to its reason.
    """
    monitor = load_monitor(home, model)
    known = [] if monitor.reference.rolling is None else [b for b in steps_known(home, monitor, now=now) if is_step_of(era, b)]
    ended = {b.baseline_id for b in known if b.event == "ended"}
    mine = (pc.field("model") == monitor.model) & (pc.field("environment") == monitor.environment)
    incidents = fold(home.lake.newest(IncidentEvent, as_of=now, where=mine)) if known else []
    bad = {s.since: ", ".join(f"incident {i.id}" for i in bad_since(s, incidents)) for s in era.steps}
    return [replace(b, why=f"{b.why}; bad since: {bad[b.since]}") if bad.get(b.since) else b for b in known if b.baseline_id not in ended]


def _asked(monitor: Monitor, start: date, end: date, since: date | None, now: datetime) -> tuple[Window, datetime]:
    """Return the days and the moment since when, refused where they are not in order or not over."""
    if monitor.reference.files is not None:
        _refuse(
            "the reference of this monitor is files, which a new normal of days in the lake cannot follow", "Name days in the monitor file first."
        )
    if end <= start:
        _refuse(f"`to` ({end}) must come after `from` ({start})", "The days are those from `from` up to, not including, `to`.", "from, to")
    days = Window(local_midnight(start, monitor.timezone), local_midnight(end, monitor.timezone))
    for day, moment in ((start, days.start), (end, days.end)):
        inside = monitor.grid.at(moment)
        if moment not in (inside.start, inside.end):
            text = window_text(inside.start, inside.end, monitor.timezone)
            _refuse(f"{day} lies within a {monitor.window} ({text}), and what is usual is learned of whole ones", "Name its first day.", "from, to")
    begins, span = local_midnight(since or end, monitor.timezone), monitor.reference_span
    over = last_ended(monitor, now).end
    if days.end > over:
        last = window_text(over - (monitor.grid.at(over).end - over), over, monitor.timezone)
        _refuse(f"{end} lies in the future: the newest {monitor.window} that is over is {last}", "Name days that are over.", "to")
    if begins < days.end:
        _refuse(
            f"the new normal would begin ({since}) before its own days end ({end}), and would judge what it is made of",
            "Leave `since` out, or name a later day.",
            "since",
        )
    if begins > now:
        _refuse(f"{since} lies in the future", "Declare it when that day has come.", "since")
    if span is not None and begins < span[1]:
        _refuse(
            f"{since or end} lies in the reference that the monitor file names, which ends on {monitor.reference.to}",
            "Name a later day, or change `reference` in the monitor file.",
            "since",
        )
    return days, begins


def _require_known(home: Home, monitor: Monitor, days: Window, now: datetime) -> None:
    """Refuse days of which too few windows have rows, or whose labels are not due."""
    basis = basis_of(home, monitor, now=now)
    if basis is None:
        _refuse("nothing is measured yet, as its reference is not whole", "Declare a new normal when there is an old one.", monitor.model)
    windows = [w for w in monitor.grid.between(days.start, days.end) if w.start >= days.start and w.end <= days.end]
    known = [w for w in windows if basis.parts.revision(w)]
    if len(known) < LEAST_WINDOWS:
        _refuse(
            f"only {len(known)} of these {monitor.window}s {'has' if len(known) == 1 else 'have'} rows, and what is usual takes {LEAST_WINDOWS} to learn",
            "Name a longer time, or wait until there is one.",
            "from, to",
        )
    if monitor.labels is not None and not basis.maturity.is_reached(days.end, now):
        _refuse(f"the labels of these days are not all due: {basis.maturity.due_text}", "Name earlier days, or wait for the labels.", "to")


def _warnings(home: Home, monitor: Monitor, days: Window, begins: datetime, standing: list[Baseline], now: datetime) -> list[str]:
    """Say what is worth a second thought: that the days are those of an incident, and that another new normal takes over."""
    incidents = fold(e for e in home.lake.newest(IncidentEvent, as_of=now) if (e.model, e.environment) == (monitor.model, monitor.environment))
    bad = [i for i in incidents if not i.is_withdrawn and i.window_start < days.end and days.start < i.window_end and i.severity != "notice"]
    told = [f"{i.id} ({i.severity}, {i.state}): {i.headline}" for i in bad]
    out = [f"What these days hold passes for usual from now on, and they were bad days: {said}." for said in told]
    later = [b for b in standing if b.since > begins and b.kind != ROLLING]
    if later:
        out.append(f"It is the new normal until {later[0].since:%Y-%m-%d} only, when that of {later[0].who} begins ({later[0].baseline_id}).")
    return out


def _refuse(what: str, then: str, where: str = "rebaseline") -> NoReturn:
    raise UsageError(what, where=where, then=then)
