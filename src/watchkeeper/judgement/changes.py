"""Changes: what was recorded, and what the versions in the data show, as causes with what speaks for and against them.

Belongs here: changes and versions -> causes, what is ruled out, what is not known. Does not: finding versions (versions.py), other causes (causes.py).

The rules: "none recorded" rules nothing out; a release is ruled out when the rows show that the version stayed, or when in windows that have rows
of both versions the leading number differs by surely less than half of what is to be explained. Where it surely differs the same way, the
release accounts for that share. Else there is coincidence in time, which is said.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from math import sqrt

from watchkeeper.judgement.evidence import Evidence
from watchkeeper.judgement.versions import Came
from watchkeeper.records import Change
from watchkeeper.stats.intervals import Z95
from watchkeeper.story import Cause
from watchkeeper.words import listed, measured_text, metric_text, percent

_HALF = 0.5
_ALL = 0.95
_AT_ONCE = timedelta(minutes=30)
_ALONE = "coincidence in time alone:"


@dataclass(frozen=True, slots=True)
class _Split:
    """What the difference between versions in the same windows accounts for; `share` is None when there are too few rows to tell."""

    share: float | None = None
    low: float | None = None
    high: float | None = None
    is_cleared: bool = False


def of_changes(evidence: Evidence) -> list[Cause]:
    """Return the changes that bear on the first bad window: those recorded, and versions that came unrecorded."""
    came = {c.version: c for c in _came(evidence)}
    recorded = [(change, _seen(change, came)) for change in evidence.changes]
    known = {seen.version for _, seen in recorded if seen is not None}
    told = [_recorded(evidence, change, seen) for change, seen in recorded if seen is None or not _split(evidence, seen).is_cleared]
    return [*told, *(_unrecorded(evidence, c) for c in came.values() if c.version not in known and not _split(evidence, c).is_cleared)]


def cleared(evidence: Evidence) -> list[str]:
    """Return the releases that were tested and are not the cause."""
    if evidence.versions is None:
        return []
    if not evidence.versions.came:
        is_recorded = any(change.kind == "release" for change in evidence.changes)
        return [] if is_recorded else [f"a release ({_stayed(evidence.versions.names)})"]
    return [f"release {c.version} ({_at_once(c)})" for c in evidence.versions.came if _split(evidence, c).is_cleared]


def unknown(evidence: Evidence) -> list[str]:
    """Return the changes of which it is not known whether there were any."""
    kinds = {change.kind for change in evidence.changes}
    releases = evidence.versions is None and "release" not in kinds
    return [
        *(["releases (none was recorded, and the rows name no version)"] if releases else []),
        *([] if kinds - {"release"} else ["other changes (none was recorded)"]),
    ]


def _came(evidence: Evidence) -> list[Came]:
    return evidence.versions.came if evidence.versions is not None else []


def _seen(change: Change, came: dict[str, Came]) -> Came | None:
    """Return the version that a recorded release brought: the one it names, or without a name the only one that came."""
    if change.kind != "release":
        return None
    return came.get(change.version) if change.version else next(iter(came.values())) if len(came) == 1 else None


def _recorded(evidence: Evidence, change: Change, seen: Came | None) -> Cause:
    name = " ".join(part for part in (change.kind, change.version, change.note if change.note != change.version else "") if part)
    cause = _timed(evidence, change.kind, f"{name}, recorded by {change.who or 'nobody named'}", change.at, "took effect")
    if seen is not None:
        return _with_rows(evidence, cause, seen)
    versions = evidence.versions
    stayed = versions is not None and not versions.came and change.kind == "release"
    doubt = _stayed(versions.names) if versions is not None and stayed else f"{_ALONE} no split by version was possible"
    return replace(cause, evidence_against=[*cause.evidence_against, doubt])


def _unrecorded(evidence: Evidence, came: Came) -> Cause:
    place = f" in place of {listed(came.before)}" if came.share >= _ALL else f" beside {listed(came.before)}"
    subject = f"release {came.version}{place if came.before else ''}, seen in the data"
    return _with_rows(evidence, _timed(evidence, "release", subject, came.since, "its rows began" if not came.share_before else "it grew"), came)


def _timed(evidence: Evidence, kind: str, subject: str, at: datetime, verb: str) -> Cause:
    """Return a cause by when it was: before the first bad window or within it speaks for it, after it against it."""
    start, end = evidence.windows[0], evidence.first_end
    hours = abs((start - at).total_seconds()) / 3600
    if abs(start - at) < _AT_ONCE:
        return Cause(kind=kind, subject=subject, onset=at, evidence_for=[f"{verb} as the first bad window began"])
    if at < end:
        when = f"{hours:.0f} h before" if at < start else "within"
        return Cause(kind=kind, subject=subject, onset=at, evidence_for=[f"{verb} {when} the first bad window"])
    return Cause(kind=kind, subject=subject, onset=at, evidence_against=[f"{verb} only {hours:.0f} h after the first bad window began"])


def _with_rows(evidence: Evidence, cause: Cause, came: Came) -> Cause:
    """Return a cause with what the rows of its version say for and against it."""
    was = f", {percent(came.share_before)} in the week before" if came.share_before else ""
    support = [*cause.evidence_for, f"{percent(came.share)} of the rows since then are of {came.version}{was}"]
    split = _split(evidence, came)
    if split.share is not None:
        return replace(cause, share=split.share, low=split.low, high=split.high, evidence_for=[*support, _at_once(came)])
    doubt = f"{_ALONE} {_at_once(came)}{', with too few rows to tell' if came.ours and came.theirs else ''}"
    return replace(cause, evidence_for=support, evidence_against=[*cause.evidence_against, doubt])


def _at_once(came: Came) -> str:
    if came.ours is None or came.theirs is None:
        return "no window has rows enough of both versions"
    ours, theirs = (measured_text(s.value, s.low, s.high, s.unit) for s in (came.ours, came.theirs))
    about = metric_text(came.ours.metric, segment=came.ours.segment)
    return f"in the windows that have both, {about} is {ours} with {came.version} and {theirs} with {listed(came.before)}"


def _split(evidence: Evidence, came: Came) -> _Split:
    """Return what the versions' difference in the windows that have both accounts for, in the share of rows that the new one has."""
    ours, theirs = came.ours, came.theirs
    if ours is None or theirs is None or ours.value is None or theirs.value is None or ours.se is None or theirs.se is None:
        return _Split()
    excess = _excess(evidence, ours.metric, ours.reference_value)
    if not excess:
        return _Split()
    part = came.share * (ours.value - theirs.value) / excess
    doubt = Z95 * came.share * sqrt(ours.se**2 + theirs.se**2) / abs(excess)
    if part - doubt > 0:
        return _Split(min(1.0, part), min(1.0, part - doubt), min(1.0, part + doubt))
    return _Split(is_cleared=part + doubt < _HALF)


def _excess(evidence: Evidence, metric: str, usual: float | None) -> float:
    """Return by how much the leading number is out of line."""
    if metric == "calibration_gap" and evidence.gap is not None and evidence.gap.value is not None:
        return evidence.gap.value - (evidence.usual_gap or 0.0)
    return evidence.lead.value - (evidence.lead.expected if usual is None else usual)


def _stayed(names: list[str]) -> str:
    if len(names) == 1:
        return f"until the first bad window ended every row was of {names[0]}, as in the week before"
    return f"until the first bad window ended rows were of {listed(names)}, and none of these came or took over a fifth of them in the three days before it"
