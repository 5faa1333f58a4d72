"""Shared faults: what an incident is about that lies outside its model, so that other models may be hit by it as well.

Belongs here: the likely cause -> names of such faults, which are the same text for every model. Does not: finding causes (causes.py), or which
incidents are one by them (together.py).

A fault is a source that does not bring what it should, or a host. It is named by tested evidence alone: where causes are undecided or unknown
there is none, and that two models had trouble at the same time is no evidence.
"""

from collections.abc import Iterator, Mapping, Sequence

from watchkeeper.judgement.breaks import BROKEN
from watchkeeper.judgement.causes import undecided
from watchkeeper.judgement.episodes import Episode
from watchkeeper.judgement.evidence import Evidence
from watchkeeper.judgement.fault_places import FAULTY
from watchkeeper.judgement.odd_inputs import EXCHANGED, codes_text
from watchkeeper.judgement.strain_causes import HOST_ALONE
from watchkeeper.records import Signal
from watchkeeper.story import Cause

_WHAT = {
    "null_ratio": "missing values in {}",
    "unseen_ratio": "new categories in {}",
    EXCHANGED: "codes of {} are exchanged",
    BROKEN: "values of {} not as the suite expects",
}
_HOW = {"still": "it stands still", "value": "one value fills it", "unit": "another unit", "factor": "another unit"}


def shared_faults(episode: Episode, evidence: Evidence, found: Sequence[Cause], sources: Mapping[str, str]) -> list[str]:
    """Return what an episode is about that other models may have too, from its causes; `sources` says in words where `events` and `labels` come from."""
    level = undecided(found)
    if len(level) != 1:
        return []
    if episode.family == "data":
        return sorted(set(_of_data(episode.signals, evidence, level[0], sources)))
    if episode.family == "service":
        return sorted({f"host {name}" for name in _hosts(evidence, level[0])})
    if level[0].kind == "labels" and "labels" in sources:
        return [f"labels are not as they were ({sources['labels']})"]
    return sorted(set(_of_inputs(evidence, level[0], sources["events"]))) if level[0].kind == "data" else []


def _of_data(signals: Sequence[Signal], evidence: Evidence, cause: Cause, sources: Mapping[str, str]) -> Iterator[str]:
    if signals[0].metric not in ("rows", "label_coverage"):
        yield from _of_columns(signals, sources["events"])
        return
    what, source = ("labels", "labels") if signals[0].metric == "label_coverage" else ("rows", "events")
    if cause.subject.startswith(f"{what} were set aside"):
        yield f"{cause.subject} ({sources[source]})"
    elif evidence.refused:
        yield from (f"{refused.name} was refused whole ({sources[source]})" for refused in evidence.refused)
    else:
        segments = sorted({s.segment for s in signals if s.segment})
        yield from (
            (f"{what} of {name} do not come ({sources[source]})" for name in segments) if segments else [f"{what} do not come ({sources[source]})"]
        )


def _of_columns(signals: Sequence[Signal], source: str) -> Iterator[str]:
    """Yield which columns of a source lack values, or have other ones than they should."""
    for signal in signals:
        if signal.feature and signal.metric in _WHAT:
            yield f"{_WHAT[signal.metric].format(signal.feature)} ({source})"


def _of_inputs(evidence: Evidence, cause: Cause, source: str) -> Iterator[str]:
    """Yield what is wrong with inputs, where that is what a cause is about; a recorded change of data is of one model."""
    odd = next((o for o in evidence.traces.odd if o.text == cause.subject), None)
    codes = {o.feature for o in evidence.traces.odd if o.how == "codes"} | {s.feature for s in evidence.faults if s.metric == EXCHANGED}
    mine = [feature for feature in sorted(codes) if cause.subject.startswith(codes_text(feature, "").rstrip(": "))]
    if mine:
        yield from (f"{_WHAT[EXCHANGED].format(feature)} ({source})" for feature in mine)
    elif odd is not None:
        yield f"{odd.feature} is not as it was ({_HOW.get(odd.how, odd.how)}; {source})"
    elif cause.subject.startswith("rows repeat:"):
        yield f"rows repeat ({source})"
    elif cause.subject.startswith(FAULTY):
        yield from _of_columns([s for s in evidence.faults if s.feature in cause.subject], source)
        yield from (f"{_WHAT[BROKEN].format(b.column)} ({source})" for b in evidence.broken if b.column in cause.subject)


def _hosts(evidence: Evidence, cause: Cause) -> Sequence[str]:
    """Return the hosts that a cause is about."""
    place = evidence.traces.place
    if place is not None and place.role == "host" and cause.subject == HOST_ALONE.format(place.where):
        return [place.where]
    return next((s.hosts for s in evidence.traces.strains if cause.subject.startswith(s.said)), ())
