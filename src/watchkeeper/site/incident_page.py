"""One incident as a page: since when, how bad, for whom, why, what was ruled out, what to do, what happened.

Belongs here: the order and words of the page. Does not: folding events or finding causes (judgement/), nor messages (message.py).
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from watchkeeper.judgement.causes import undecided
from watchkeeper.judgement.incidents import Incident, in_order
from watchkeeper.judgement.times import times_text
from watchkeeper.judgement.together import Together, as_one
from watchkeeper.records import IncidentEvent, Score, Signal
from watchkeeper.site.care import care_lines
from watchkeeper.site.figures import Frame, figure
from watchkeeper.site.published import story_of
from watchkeeper.site.render import page
from watchkeeper.site.together import name_of, origin_lines, own_text, whole_lines
from watchkeeper.story import Cause
from watchkeeper.windows import Window
from watchkeeper.words import counted, measured_text, metric_text, moment_text, number_text, percent, percent_interval, window_text

_FAMILIES = ("kpi", "segment", "data", "target", "service", "cost", "covariate")
_SEGMENTS_SHOWN = 12
_ALONE = Together()


@dataclass(frozen=True, slots=True)
class Happened:
    """One line of the timeline."""

    at: datetime
    text: str


@dataclass(frozen=True, slots=True)
class CauseText:
    """A cause in words."""

    name: str
    extent: str
    evidence_for: Sequence[str]
    evidence_against: Sequence[str]


def worst_signal(signals: Sequence[Signal]) -> Signal | None:
    """Return the signal to be drawn: of the family that matters most, the least likely by chance, then the furthest out."""
    standing = [s for s in signals if s.state != "withdrawn"]
    return min(standing, key=lambda s: (_FAMILIES.index(s.family), s.p, -abs(s.value - s.expected)), default=None)


def incident_page(
    incident: Incident,
    events: Sequence[IncidentEvent],
    signals: Sequence[Signal],
    scores: Sequence[Score],
    *,
    frame: Frame,
    workspace: str,
    shown: Window | None = None,
    links: Sequence[tuple[str, str]] = (),
    beside: Sequence[Incident] = (),
    together: Together = _ALONE,
    whole: Incident | None = None,
    splits: Sequence[str] = (),
    silences: Sequence[tuple[datetime, str]] = (),
) -> str:
    """Return the page; `scores` are those of the worst signal's metric in the time `shown` and the reference, `links` (text, address).

    `beside` are the others of that time, `together` what is one with it and `whole` all of that, `splits` what segments explain, `silences` (moment, text) those that covered it.
    """
    ordered = in_order(events)
    return page(
        "incident.html",
        root="../",
        workspace=workspace,
        as_of=moment_text(max((e.at for e in events), default=incident.opened_at), frame.timezone),
        incident=incident,
        story=story_of(incident),
        timezone=frame.timezone,
        facts=_facts(incident, whole or incident, frame),
        figure=figure(scores, frame, shown=shown),
        segments=_segments(signals),
        splits=splits,
        is_undecided=len(undecided(_named(incident))) > 1,
        causes=[_cause_text(c, frame.timezone) for c in _named(incident)],
        timeline=sorted([*(Happened(e.at, _event_text(e, frame.timezone)) for e in ordered), *(Happened(*s) for s in silences)], key=lambda h: h.at),
        signals=signals,
        links=links,
        beside=beside,
        together=together,
        own_text=own_text,
        name_of=name_of,
    )


def _named(incident: Incident) -> list[Cause]:
    return [c for c in story_of(incident).causes if c.kind != "unknown"]


def _facts(incident: Incident, whole: Incident, frame: Frame) -> list[tuple[str, str]]:
    timezone, one = frame.timezone, as_one(incident)
    told = [
        ("Windows out of line", window_text(incident.window_start, incident.window_end, timezone)),
        *whole_lines(incident, whole, timezone),
        ("Wrong since", moment_text(one.onset_at, timezone)),
        ("Detected", moment_text(one.detected_at or one.opened_at, timezone)),
        ("Resolved", moment_text(one.resolved_at, timezone)),
        ("Compared with", frame.compared_with(incident.window_start)),
    ]
    told = [*((label, text) for label, text in told if text), *_took(one)]
    return [*told, *origin_lines(incident), *care_lines(incident, timezone), *story_of(incident).facts]


def _took(incident: Incident) -> list[tuple[str, str]]:
    said = times_text(incident)
    return [("Times", f"{said[:1].upper()}{said[1:]}")] if said else []


def _segments(signals: Sequence[Signal]) -> list[str]:
    """Return the segments hit, the worst first, each once."""
    worst: dict[str, Signal] = {}
    for signal in sorted((s for s in signals if s.segment and s.state != "withdrawn"), key=lambda s: (s.p, -abs(s.value - s.expected))):
        worst.setdefault(signal.segment, signal)
    return [_segment_text(s) for s in list(worst.values())[:_SEGMENTS_SHOWN]]


def _segment_text(signal: Signal) -> str:
    about, said = metric_text(signal.metric, signal.feature, signal.segment), measured_text(signal.value, signal.low, signal.high)
    return f"{about}: {said}, usual {number_text(signal.expected)}, {counted(signal.n, 'row')}"


def _cause_text(cause: Cause, timezone: str) -> CauseText:
    parts = []
    if cause.share is not None:
        interval = f" {percent_interval(cause.low, cause.high)}".rstrip()
        parts.append(f"Accounts for {percent(cause.share)}{interval} of the change.")
    if cause.onset is not None:
        parts.append(f"{'It came later, since' if cause.is_later else 'Since'} {moment_text(cause.onset, timezone)}.")
    return CauseText(cause.subject or cause.kind.replace("_", " "), " ".join(parts), cause.evidence_for, cause.evidence_against)


def _event_text(event: IncidentEvent, timezone: str) -> str:
    window = window_text(event.window_start, event.window_end, timezone)
    by = "" if event.who == "watchkeeper" else f" by {event.who}"
    why = f": {event.why}" if event.why else ""
    headline = str(json.loads(event.story or "{}").get("headline", "")) if event.event in ("opened", "updated") else ""
    brings = f", {len(event.signals)} signal{'s' * (len(event.signals) != 1)}" if event.signals else ""
    text = f"{event.event.capitalize()}{by} ({window}{brings}){why}."
    return f"{text} {headline}" if headline else text
