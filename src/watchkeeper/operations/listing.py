"""Listings: scores, incidents and changes as people ask for them.

Belongs here: which rows answer a question. Does not: how they are printed (cli/), or pages (operations/pages.py).
"""

import difflib
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from watchkeeper.adapters.arrow_records import TIMESTAMP
from watchkeeper.adapters.lake import among
from watchkeeper.adapters.workspace import Home, load_monitors
from watchkeeper.errors import UsageError
from watchkeeper.judgement.incidents import Incident, alongside
from watchkeeper.judgement.standing import named_version
from watchkeeper.judgement.times import times_text, waited_for_labels
from watchkeeper.judgement.together import as_one, leading, together_of, whole_of
from watchkeeper.measures import catalogue
from watchkeeper.measures.cost import COST_METRICS
from watchkeeper.measures.gap_to_rest import GAP_TO_REST
from watchkeeper.measures.own import own_kpis
from watchkeeper.measures.service_view import MINUTES
from watchkeeper.monitor import Monitor
from watchkeeper.operations.bins_in_force import in_force, stored_bins
from watchkeeper.operations.costs import costs_by
from watchkeeper.operations.due import last_ended
from watchkeeper.operations.fit import PREDICTION
from watchkeeper.operations.incident_book import known_incidents
from watchkeeper.operations.maturity import Maturity, maturity_of
from watchkeeper.operations.rollup import rolled_up
from watchkeeper.operations.segments import split_metrics
from watchkeeper.operations.version_book import rolled_up_versions
from watchkeeper.operations.version_list import known_standings
from watchkeeper.profiles.labelled import SCORE
from watchkeeper.profiles.pairs import LEAST_CORRELATION, name_of
from watchkeeper.records import CLASS, SEVERITIES, Action, Change, IncidentEvent, Score, Signal
from watchkeeper.site.care import care_lines
from watchkeeper.site.links import incident_links
from watchkeeper.site.message import Line, incident_message, text
from watchkeeper.site.published import incident_rows, story_of
from watchkeeper.site.together import origin_lines, whole_lines
from watchkeeper.spelling import segment_name
from watchkeeper.windows import Grain, Grid
from watchkeeper.words import listed, moment_text

EVERY = "all"
_SHOWN = 20
_STANDING = {"lasting": 1, "resolved": 2}
_JSON = ("signals", "causes", "actions")
_ALWAYS = frozenset({GAP_TO_REST.name, *COST_METRICS})


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """Which scores are asked for; None is no limit, but features, segments and versions show only on demand."""

    metrics: frozenset[str] = frozenset()
    feature: str | None = None
    segment: str | None = None
    version: str | None = None
    start: datetime | None = None
    end: datetime | None = None
    grain: Grain | str | None = None

    def matches(self, score: Score) -> bool:
        """Tell whether a score is wanted."""
        if self.metrics and score.metric not in self.metrics:
            return False
        feature = self.feature if self.feature is not None else (EVERY if self.metrics else "")
        return feature in (EVERY, score.feature) and all(
            (said or "") in (EVERY, name) for said, name in ((self.segment, score.segment), (self.version, score.version))
        )


def listed_scores(home: Home, monitor: Monitor, wanted: Wanted, *, now: datetime) -> list[Score]:
    """Return scores in order of time: stored ones, or, for other windows and metrics, from the sums of profiles.

    Raises:
        UsageError: no metric, feature or segment has that name.

    """
    _known(monitor, wanted.metrics)
    wanted = replace(wanted, segment=segment_name(wanted.segment, monitor.dimensions) if wanted.segment else wanted.segment)
    wanted = _in_order(home, monitor, wanted, now)
    grain = wanted.grain or monitor.window
    is_stored = (
        not wanted.version
        and grain == monitor.window
        and wanted.metrics <= catalogue.stored_of(monitor.task) | _ALWAYS | {m.name for m in own_kpis(monitor)}
    )
    out = _asked(_stored(home, monitor, wanted, now) if is_stored else _rolled(home, monitor, str(grain), wanted, now), wanted)
    if not out and is_stored and (wanted.segment or (wanted.feature or "").startswith(CLASS)):
        out = _asked(_rolled(home, monitor, str(grain), wanted, now), wanted)  # one of the seldom classes, or what is kept of the whole alone
    if not out:
        _known_about(home, monitor, wanted, now)
    return out


def _asked(found: Iterable[Score], wanted: Wanted) -> list[Score]:
    return sorted((s for s in found if wanted.matches(s)), key=lambda s: (s.window_start, s.metric, s.feature, s.segment, s.version))


def silence(home: Home, monitor: Monitor, wanted: Wanted, *, now: datetime) -> str:
    """Say why there may be no score of what is asked for."""
    if wanted.version and wanted.segment:
        return "Versions are not measured in segments: leave `--segment` or `--version` out."
    said = [why for name in sorted(wanted.metrics) if (why := _silence_of(home, monitor, wanted, name, now))]
    output = PREDICTION if monitor.task == "multiclass" and monitor.columns.score is None else SCORE
    if not said and wanted.segment and wanted.feature not in (None, EVERY, output):
        return f"In segments no feature is measured but the model's output, {output}: `--feature {output}`, or leave `--segment` out."
    return " ".join(said) or "`watchkeeper status` tells what was measured."


def _silence_of(home: Home, monitor: Monitor, wanted: Wanted, metric: str, now: datetime) -> str:
    every = (*catalogue.CATALOGUE, *own_kpis(monitor))
    subjects = {m.subject for m in every if m.name == metric}
    if subjects and not subjects & catalogue.subjects_of(monitor.task):
        tasks = sorted({"multiclass" if subject == "class" else subject for subject in subjects})
        return f"{metric} is a number of {listed(tasks)} models, and {monitor.model} is of the task {monitor.task}."
    if "pair" in subjects and (bins := stored_bins(home, monitor, now=now)) and not bins.pairs:
        return f"No two numeric features go together in the reference (a correlation of {LEAST_CORRELATION} or more), so no pair is counted."
    ours = catalogue.subjects_of(monitor.task) | {GAP_TO_REST.subject}
    if wanted.segment and not any(m.in_segments for m in (*every, GAP_TO_REST) if m.name == metric and m.subject in ours):
        taken_apart = f" `watchkeeper segments {monitor.model} --metric {metric}` has it of each." if metric in split_metrics(monitor) else ""
        return f"{metric} is not measured in segments.{taken_apart}"
    return _lacking(monitor, metric, [m for m in every if m.name == metric])


def _lacking(monitor: Monitor, metric: str, named: Sequence[catalogue.Metric]) -> str:
    """Say what a metric needs that the monitor file does not name."""
    roles = monitor.columns
    missing = [
        role for m in named for part in m.of_parts if (role := part.removeprefix("@")) != MINUTES.removeprefix("@") and not getattr(roles, role)
    ]
    is_any = any(m.of_any for m in named) and len(missing) < max(len(m.of_parts) for m in named)
    if missing and not is_any:
        return f"{metric} needs {listed([f'`columns.{role}`' for role in dict.fromkeys(missing)])} in the monitor file."
    if any(m.subject == "place" for m in named):
        return f"{metric} is a number of regions, hosts and segments: ask with `--segment`, or `--segment all`."
    if not monitor.gives_chances and any(m.of_chances for m in named):
        return f"{metric} needs `columns.{'score' if monitor.task == 'binary' else 'probabilities'}` in the monitor file, none of them private."
    if monitor.labels is None and any(m.needs_labels for m in named):
        return f"{metric} needs labels, and the monitor file names none."
    return ""


def _in_order(home: Home, monitor: Monitor, wanted: Wanted, now: datetime) -> Wanted:
    """Return a question about the pair b*a as one about a*b, where that is its name."""
    turned = "*".join(reversed((wanted.feature or "").split("*")))
    found = stored_bins(home, monitor, now=now) if turned != (wanted.feature or "") else None
    return replace(wanted, feature=turned) if found and turned in map(name_of, found.pairs) else wanted


def _known(monitor: Monitor, metrics: frozenset[str]) -> None:
    valid = sorted(catalogue.NAMES | {m.name for m in own_kpis(monitor)} | set(COST_METRICS) | {GAP_TO_REST.name})
    for name in metrics - set(valid):
        raise UsageError(f"no metric is called {name!r}", where="--metric", then=nearest(name, valid))


def nearest(name: str, valid: Sequence[str]) -> str:
    """Return the sentence that says which of the valid names may have been meant."""
    near = difflib.get_close_matches(name, valid, n=3, cutoff=0.5)
    some = ", ".join([*valid[:_SHOWN], *([f"and {len(valid) - _SHOWN} more"] if len(valid) > _SHOWN else [])])
    return f"Did you mean {' or '.join(near)}?" if near else f"Those there are: {some or 'none yet'}."


def _known_about(home: Home, monitor: Monitor, wanted: Wanted, now: datetime) -> None:
    """Refuse a feature or a segment that no score was ever about.

    Raises:
        UsageError: there is none of that name.

    """
    mine = (pc.field("model") == monitor.model) & (pc.field("computed_at") <= pa.scalar(now, TIMESTAMP))
    found = home.lake.read(Score.TABLE, columns=["feature", "segment"], where=mine)
    versions = sorted({named_version(s.version) for s in known_standings(home, monitor, now=now)})
    if wanted.version and wanted.version != EVERY and wanted.version not in versions:
        raise UsageError(f"no row of {monitor.model} is of version {wanted.version!r}", where="--version", then=nearest(wanted.version, versions))
    for what, name in (("feature", wanted.feature), ("segment", wanted.segment)):
        valid = [] if found is None else sorted(v for v in pc.unique(found[what]).to_pylist() if v)
        if what == "feature" and (bins := stored_bins(home, monitor, now=now)):
            valid = sorted({*valid, *map(name_of, bins.pairs)})
        if name and name != EVERY and name not in valid:
            raise UsageError(f"no score of {monitor.model} is about a {what} {name!r}", where=f"--{what}", then=nearest(name, valid))


def _stored(home: Home, monitor: Monitor, wanted: Wanted, now: datetime) -> list[Score]:
    where = (pc.field("model") == monitor.model) & (pc.field("grain") == monitor.window) & in_force(home, monitor, now=now)
    time = pc.field("window_start")
    if wanted.start is not None:
        where &= time >= pa.scalar(wanted.start, TIMESTAMP)
    if wanted.end is not None:
        where &= time < pa.scalar(wanted.end, TIMESTAMP)
    if wanted.metrics:
        where &= among("metric", wanted.metrics)
    if wanted.segment != EVERY:
        where &= pc.field("segment") == (wanted.segment or "")
    where &= pc.field("version") == ""
    return home.lake.newest(Score, as_of=now, where=where)


def _rolled(home: Home, monitor: Monitor, grain: str, wanted: Wanted, now: datetime) -> Iterator[Score]:
    grid = Grid(grain, monitor.timezone)  # type: ignore[arg-type]
    span = monitor.reference_span
    last = last_ended(monitor, now).end
    start = grid.at(wanted.start or (span[0] if span else now - timedelta(days=365))).start
    end = min(grid.at(wanted.end - timedelta(microseconds=1)).end, last) if wanted.end else last
    if not wanted.metrics or wanted.metrics.intersection(COST_METRICS):
        yield from costs_by(home, monitor, grid, now=now, start=start, end=end)
    if wanted.metrics and wanted.metrics.issubset(COST_METRICS):
        return
    bins = stored_bins(home, monitor, now=now)
    if grain == "hour" and bins is not None and bins.grain != "hour":
        raise UsageError(
            f"profiles of {monitor.model} are kept by {bins.grain}",
            where="--by",
            then="Ask for days or longer; with `window: hour` in the monitor hours are kept.",
        )
    metrics, feature = wanted.metrics or None, wanted.feature if wanted.feature != EVERY else None
    if wanted.version:
        yield from rolled_up_versions(home, monitor, list(grid.between(start, end)), grain, now=now, metrics=metrics, feature=feature)
        return
    yield from rolled_up(
        home,
        monitor,
        grid,
        now=now,
        start=start,
        end=end,
        metrics=metrics,
        of_whole=not wanted.segment,
        feature=feature,
        over_days=True,
    )


def incident_listing(home: Home, *, models: Sequence[str] | None, resolved: bool, now: datetime, parts: bool = False) -> list[dict[str, Any]]:
    """Return incidents with the keys of `watchkeeper incidents --json`: what goes on, the gravest first, then the rest in the order it opened.

    One that several models have is there once, unless its `parts` are asked for as well.
    """
    if models:
        load_monitors(home, models)
    every = known_incidents(home, now=now)
    found = [as_one(i) for i in (every if parts else leading(every))]
    incidents = [i for i in found if (resolved or i.state != "resolved") and (not models or not set(models).isdisjoint(i.models))]
    incidents.sort(key=lambda i: (_STANDING.get(i.state, 0), -SEVERITIES.index(i.severity) if i.state != "resolved" else 0))
    rows = incident_rows(incidents, home.lake.newest(Signal, as_of=now), home.lake.newest(Action, as_of=now))
    return [
        asdict(r) | {k: json.loads(getattr(r, k)) for k in _JSON} | {"links": dict(_links(home, i))} for i, r in zip(incidents, rows, strict=True)
    ]


def _links(home: Home, incident: Incident) -> list[Line]:
    return incident_links(home.workspace.links, home.site_dir, incident_id=incident.id, is_over=not incident.is_open)


def told(home: Home, incident_id: str, *, now: datetime) -> str:
    """Return an incident as its message tells it."""
    incidents = known_incidents(home, now=now)
    events: list[IncidentEvent] = home.lake.newest(IncidentEvent, as_of=now, where=pc.field("incident_id") == incident_id)
    incident = next(i for i in incidents if i.id == incident_id)
    one = as_one(incident)
    monitor = load_monitors(home, None)[0].get(incident.model)
    newest = max((e for e in events if e.event not in ("acknowledged", "resolved")), key=lambda e: e.at)
    zone = monitor.timezone if monitor else "UTC"
    message = incident_message(
        story_of(incident),
        newest,
        severity=one.severity,
        channel=monitor.channel_of(one.severity, one.family) if monitor else "",
        links=_links(home, incident),
        beside=alongside(incident_id, incidents),
        cared=whole_lines(incident, whole_of(incident, incidents), zone),
        together=together_of(incident, incidents),
    )
    cared = "".join(f"{label} {said}.\n" for label, said in [*origin_lines(one), *care_lines(one, zone)] if label != "Closed")
    lasting = f"Closed: {one.why}.\n" if one.state == "lasting" else ""
    by = f" by {one.closed_by}" if one.is_closed_by_hand else ""
    took = _took(home, monitor, one, events, now)
    ended = f"Resolved{by} on {moment_text(one.resolved_at, zone)}: {one.why}.\n" if one.resolved_at else lasting
    return text(message) + cared + ended + (f"{took[:1].upper()}{took[1:]}.\n" if took else "")


def _took(home: Home, monitor: Monitor | None, incident: Incident, events: Sequence[IncidentEvent], now: datetime) -> str:
    """Return how long an incident took, and how much of that its labels did, where that is known."""
    opening = min(events, key=lambda e: (e.at, e.event != "opened"))
    due = maturity_of(home, monitor, now=now) if monitor else Maturity("none")
    signals = home.lake.newest(Signal, as_of=now, where=among("signal_id", opening.signals)) if due.source in ("stated", "learned") else []
    return times_text(incident, waited_for_labels(incident, opening, signals, due.after))


def recorded_changes(home: Home, models: Sequence[str] | None, *, now: datetime) -> list[Change]:
    """Return the changes that were recorded, the newest first."""
    found: list[Change] = home.lake.newest(Change, as_of=now)
    return sorted((c for c in found if not models or c.model in models), key=lambda c: c.at, reverse=True)
