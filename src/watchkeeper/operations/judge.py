"""Judge: from scores to signals, and from signals to incidents with causes.

Belongs here: writing what came out, under the workspace lease, and the incidents. Does not: the signals of each era (era_signals.py), what bears
on an incident (incident_evidence.py), the rules (judgement/).
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial

import pyarrow as pa
import pyarrow.compute as pc

from watchkeeper.adapters.arrow_records import TIMESTAMP, as_list, from_arrow
from watchkeeper.adapters.lake import among
from watchkeeper.adapters.leases import lease
from watchkeeper.adapters.workspace import Home
from watchkeeper.judgement.apart import own_moves
from watchkeeper.judgement.charts import Charted
from watchkeeper.judgement.developments import developments, id_of, matching
from watchkeeper.judgement.episodes import (
    AGAIN,
    GAP,
    GAP_OF_HOURS,
    Episode,
    across,
    episodes,
    final_of,
    needs_labels,
)
from watchkeeper.judgement.eras import Era, era_of, new_normal_text
from watchkeeper.judgement.evidence import Evidence, is_borne_out
from watchkeeper.judgement.gather import Known
from watchkeeper.judgement.incidents import Incident, fold
from watchkeeper.judgement.later_causes import later_news
from watchkeeper.judgement.newest import NEWEST
from watchkeeper.judgement.normal import LEAST_WINDOWS
from watchkeeper.judgement.onset import gone_on, with_onsets
from watchkeeper.judgement.other_windows import unjudged_text
from watchkeeper.judgement.promise_causes import as_told_by, told_by
from watchkeeper.judgement.recovery import are_back
from watchkeeper.judgement.shared_faults import shared_faults
from watchkeeper.judgement.signals import pages
from watchkeeper.judgement.splits import cut, in_pieces, split_at_once, split_events, splits_of
from watchkeeper.judgement.story import story
from watchkeeper.judgement.told_once import is_told_with
from watchkeeper.judgement.worsening import has_joined, worsened
from watchkeeper.measures.readings import DONE
from watchkeeper.monitor import Monitor
from watchkeeper.operations.budgets import watch_budget
from watchkeeper.operations.era_signals import Judged, between, judged_eras, windows_of
from watchkeeper.operations.incident_book import JUDGING
from watchkeeper.operations.incident_evidence import evidence_about, knowledge, once, told_end
from watchkeeper.operations.maturity import maturity_of
from watchkeeper.operations.together import parts_marked, sources
from watchkeeper.records import IncidentEvent, Signal
from watchkeeper.story import Cause, Story
from watchkeeper.windows import Window


def judge(home: Home, monitors: Mapping[str, Monitor], *, now: datetime) -> list[IncidentEvent]:
    """Judge every model's scores as known at `now`; write signals and what is new about incidents, also which of them are parts of one.

    All signals are worked out anew from all scores, so a restated score changes what is said about its window, and a
    repeated run finds nothing new.
    """
    with lease(home.lake, JUDGING):
        out: list[IncidentEvent] = []
        found: list[Signal] = []
        for monitor in monitors.values():
            raised, events = _of_model(home, monitor, now)
            found += raised
            out += events
        out = parts_marked(home, out, now=now)
        home.lake.append_records(Signal, found)
        home.lake.append_records(IncidentEvent, out)
    return out


def _of_model(home: Home, monitor: Monitor, now: datetime) -> tuple[list[Signal], list[IncidentEvent]]:
    mine = pc.field("model") == monitor.model
    known: list[IncidentEvent] = home.lake.newest(IncidentEvent, as_of=now, where=mine & (pc.field("environment") == monitor.environment))
    incidents, before = fold(known), home.lake.newest(Signal, as_of=now, where=mine)
    current, events = judged(home, monitor, [i for i in incidents if i.family != "cost"], now=now)
    of_budget, told = watch_budget(home, monitor, incidents, before, now=now)
    return _news(before, [*current, *of_budget], now), [*events, *told]


def judged(home: Home, monitor: Monitor, known: Sequence[Incident], *, now: datetime) -> tuple[list[Signal], list[IncidentEvent]]:
    """Return all signals of a model's scores as known at `now`, and what they change about the incidents that are known; nothing is written."""
    found = judged_eras(home, monitor, now=now)
    return [signal for one in found for signal in one.signals], _developments(home, monitor, found, known, now)


def _developments(home: Home, monitor: Monitor, found: Sequence[Judged], incidents: Sequence[Incident], now: datetime) -> list[IncidentEvent]:
    wait, eras = maturity_of(home, monitor, now=now).wait, [one.era for one in found]
    believed: list[Episode] = []
    for one in found:
        mine = [e for e in _of_era(one, wait, now) if matching(incidents, e) or is_borne_out(e, one.daily)]
        believed = across(believed, _dated(one, mine), _gap(monitor))
    promised = _promises_broken(monitor, found, wait, now)
    told_of = cut([*believed, *promised], incidents)
    known = knowledge(home, monitor, found, now, now - wait)

    def at(moment: datetime) -> tuple[Judged, Known]:
        place = eras.index(era_of(eras, moment))
        return found[place], known[place]

    def gathered(episode: Episode) -> Evidence:
        one, mine = at(episode.start)
        return evidence_about(home, one.era.monitor, mine, now, episode, now - wait)

    def ended(episode: Episode) -> Story:
        one, mine = at(episode.signals[-1].window_start)
        return told_end(home, one.era.monitor, mine, now, episode, evidence(episode))

    evidence = once(gathered)

    def own(episode: Episode) -> Story:
        return story(monitor, episode, evidence(episode))

    def tell(episode: Episode) -> Story:
        by = told_by(monitor, episode, told_of)
        return (
            own(episode) if by is None else as_told_by(own(episode), own(by), id_of(monitor.model, monitor.environment, matching(incidents, by), by))
        )

    def tested(episode: Episode) -> tuple[Evidence, Sequence[Cause]]:
        return evidence(episode), own(episode).causes

    develop = partial(
        developments,
        monitor.model,
        monitor.environment,
        tell=lambda episode, _severity: tell(episode),
        now=now,
        tell_end=ended,
        timezone=monitor.timezone,
        is_judged=lambda incident: _is_judged(at(incident.window_start)[0], wait, now, incident),
        learned=known[-1].news_about,
        worsened=lambda incident, episode: (
            worsened(episode, incident.signals, lambda: _signals_at(home, monitor, episode, incident.worse_at))
            or has_joined(later_news(incident.story.causes if incident.story else (), tell(episode).causes, monitor.timezone))
        ),
        normal_now=lambda incident: _normal_now(at(incident.window_start)[0].era, incident),
        unjudged=lambda incident, episode: unjudged_text(monitor, _signals_of(home, incident, now), episode),
        faults_of=lambda episode: shared_faults(episode, evidence(episode), own(episode).causes, sources(home, monitor)),
    )
    new = [e for e in told_of if matching(incidents, e) is None]
    whole = [e for e in new if e.family != "segment"]
    opened, splits = split_at_once(whole, tested, develop)
    splits += splits_of(incidents, told_of, tested)
    stories = in_pieces(told_of, splits)
    told = [e for e in new if any(is_told_with(e, w, evidence) for w in stories)]
    opened_too, split_too = split_at_once([e for e in new if e not in whole and e not in told], tested, develop)
    splits += split_too
    apart, closed = [*told, *(s.episode for s in splits)], {s.incident.id for s in splits}
    events = develop(known=[i for i in incidents if i.id not in closed], found=[e for e in told_of if e not in apart])
    return [
        *events,
        *opened,
        *opened_too,
        *(e for s in splits for e in split_events(s, tell(s.before), develop(known=[], found=[s.since]), monitor.timezone, now)),
    ]


def _signals_of(home: Home, incident: Incident, now: datetime) -> list[Signal]:
    """Return the signals of an incident as they stood last."""
    return home.lake.newest(Signal, as_of=now, where=(pc.field("model") == incident.model) & among("signal_id", incident.signals))


def _signals_at(home: Home, monitor: Monitor, episode: Episode, moment: datetime) -> list[Signal]:
    """Return the signals of an episode's family and time as they were known at a moment, in all their revisions."""
    about = (pc.field("model") == monitor.model) & (pc.field("family") == episode.family) & (pc.field("level") == "page")
    about &= (pc.field("window_end") > pa.scalar(episode.start, TIMESTAMP)) & (pc.field("computed_at") <= pa.scalar(moment, TIMESTAMP))
    found = home.lake.read(Signal.TABLE, where=about)
    return [] if found is None else list(from_arrow(Signal, found))


def _of_era(one: Judged, wait: timedelta, now: datetime) -> list[Episode]:
    """Return the episodes of an era but for promises; what goes on when the next era begins is over with this one."""
    era = one.era
    learned = [s for s in pages(one.signals) if s.family != "target"]
    out = [replace(e, since=era.since) for e in _episodes(era.monitor, learned, one.scores, wait, now, one.charts)]
    return [e if e.is_over or not era.after else replace(e, is_over=True, ended=era.after) for e in out]


def alarms(home: Home, monitor: Monitor, found: Sequence[Judged], *, now: datetime) -> list[Episode]:
    """Return all that would page by the scores as known at `now`, since its numbers were out of line; borne out or not, promises included."""
    wait = maturity_of(home, monitor, now=now).wait
    return [
        *(e for one in found for e in _dated(one, _of_era(one, wait, now))),
        *_promises_broken(monitor, found, wait, now),
    ]


def _dated(one: Judged, found: Sequence[Episode]) -> list[Episode]:
    """Return episodes of an era with their onsets, as one what these show to have gone on; the own gaps of segments are read where one is of a segment."""
    moves = own_moves(one.era.monitor, one.daily) if any(e.family == "segment" for e in found) else {}
    return gone_on(with_onsets(found, one.charts, moves), _gap(one.era.monitor))


def _gap(monitor: Monitor) -> int:
    return GAP_OF_HOURS if monitor.window == "hour" else GAP


def _promises_broken(monitor: Monitor, found: Sequence[Judged], wait: timedelta, now: datetime) -> list[Episode]:
    """Return the episodes of broken promises: a limit that is fixed knows no eras."""
    broken = [s for one in found for s in pages(one.signals) if s.family == "target"]
    if not broken:
        return []
    every = pa.concat_tables([one.scores.filter(between(one.era.since, one.era.until)) for one in found], promote_options="default")
    return _episodes(monitor, broken, every, wait, now, ())


def _normal_now(era: Era, incident: Incident) -> str:
    """Return that a new normal which was declared after an incident opened is why nothing of it is out of line any more; empty where none was."""
    begun = era.baseline
    return new_normal_text(begun, era.monitor.timezone) if begun is not None and begun.at >= incident.opened_at else ""


def _is_judged(one: Judged, label_wait: timedelta, now: datetime, incident: Incident) -> bool:
    """Tell whether today's monitor can say of an incident's windows that nothing is wrong: final ones, against what is usual.

    It cannot when the reference was moved to where nothing is known, or the labels' time was made longer.
    """
    span, wait = one.era.monitor.reference_span, label_wait if needs_labels(incident.family, incident.subject) else timedelta(0)
    if span is None or incident.window_start < span[1] or now < incident.window_end + wait:
        return False
    measured = [start for start, _ in windows_of(one.daily.filter(pc.field("value").is_valid()))]
    learned = sum(start < span[1] for start in measured) >= LEAST_WINDOWS or incident.family == "target"
    return learned and any(incident.window_start <= start < incident.window_end for start in measured)


def _episodes(monitor: Monitor, found: list[Signal], scores: pa.Table, wait: timedelta, now: datetime, charts: Sequence[Charted]) -> list[Episode]:
    """Return the episodes of the monitor's windows and of the longer ones of promises, where one kept period ends an episode."""
    out = []
    for grid in (monitor.grid, *monitor.promise_grids):
        here = scores.filter(pc.field("grain") == grid.grain)
        mine = [s for s in found if grid.at(s.window_start) == Window(s.window_start, s.window_end)]
        windows = sorted({*(start for start, _ in windows_of(here)), *(s.window_start for s in mine)})  # one may not have ended
        own = {"gap": GAP_OF_HOURS, "are_back": partial(are_back, charts)} if grid.grain == "hour" else {"again": AGAIN}
        slack = own if grid == monitor.grid else {"gap": 0, "clear": 1}
        out += episodes(mine, windows, _final(here, wait, now), **slack)
    return sorted(out, key=lambda e: (e.start, e.subject))


def _final(scores: pa.Table, wait: timedelta, now: datetime) -> dict[str, set[datetime]]:
    """Return the windows in which each metric has a final number for the model, a feature or a segment.

    What needs no label is final when its window has ended, all else once its labels are due. A window without any row tells nothing
    of rows: its file may only be late. Of a segment's rows no more: it may be one without any as usual.
    """
    ended, due = (pc.field("window_end") <= pa.scalar(now - each, TIMESTAMP) for each in (timedelta(0), wait))
    is_silent = (pc.field("metric") == "rows") & (pc.field("value") == 0)
    known = scores.filter(pc.field("value").is_valid() & (due | (ended & (pc.field("state") == DONE))) & ~is_silent)
    out: dict[str, set[datetime]] = {}
    pairs = known.group_by(["metric", "window_start"]).aggregate([])
    for metric, start in zip(pairs.column("metric").to_pylist(), as_list(pairs.column("window_start")), strict=True):
        out.setdefault(metric, set()).add(start)
    of_segments = known.filter((pc.field("metric") == "rows") & (pc.field("segment") != "") & (pc.field("value") > 0))
    for segment, start in zip(of_segments.column("segment").to_pylist(), as_list(of_segments.column("window_start")), strict=True):
        out.setdefault(final_of("rows", segment), set()).add(start)
    return out


def _news(known: list[Signal], current: list[Signal], now: datetime) -> list[Signal]:
    """Return signals that are new, became mature, or were withdrawn because their score was restated."""
    before = {s.signal_id: s for s in known}
    now_found = {s.signal_id for s in current}
    first = [s for s in current if s.signal_id not in before]
    again = [(s, before[s.signal_id]) for s in current if s.signal_id in before]
    other = [replace(s, revision=old.revision + 1) for s, old in again if (old.state, old.level) != (s.state, s.level) or _is_other_look(old, s)]
    gone = [
        replace(s, state="withdrawn", revision=s.revision + 1, computed_at=now)
        for s in known
        if s.signal_id not in now_found and s.state != "withdrawn"
    ]
    return [*first, *other, *gone]


def _is_other_look(old: Signal, new: Signal) -> bool:
    """Tell whether a later look at a window's newest rows was worse than the one that was told."""
    return new.rule == NEWEST and old.value != new.value
