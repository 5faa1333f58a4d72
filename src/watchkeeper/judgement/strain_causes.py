"""Causes that lie in GPUs and hosts: throttling, full memory, errors, storage, network; and why such a thing is none.

Belongs here: strains -> causes with what speaks for and against them, and what is ruled out with its reason. Does not: finding strains (strains.py), other causes
of a service (service_causes.py) or of a model's quality (causes.py).

The rules, in this order: what was as much in the weeks before is none, nor what was on hosts that answered no request, nor what began after requests had
changed. Where requests can be split by host, the split decides: a strain accounts for the share that it surely has, and is ruled out when that is surely less than a
half. Without a split there is coincidence in time, which is said. Hardware makes answers late, not wrong: of a number about quality it is a cause only where the split says so and more
answers on these hosts failed or were all the same, as of a fallback; errors of a GPU may also make them wrong each in its own way.
"""

from datetime import timedelta
from math import exp

from watchkeeper.judgement.evidence import Evidence
from watchkeeper.judgement.service_story import OF_ERRORS
from watchkeeper.judgement.strains import Effect, Spoilt, Strain
from watchkeeper.story import Cause
from watchkeeper.words import counted, hours_text, listed, number_text, percent, points

HOST_ALONE = "host {} alone"
_HALF = 0.5
_EARLIER = timedelta(days=1)
_ALIKE = 0.1


def of_strains(evidence: Evidence) -> list[Cause]:
    """Return the strains that bear on an incident as causes: those that the split by host bears out first, by their share."""
    standing = [s for s in evidence.traces.strains if not why_not(evidence, s)]
    return sorted((_cause(evidence, s) for s in standing), key=lambda c: -(c.share or 0.0))


def of_one_host(evidence: Evidence) -> list[Cause]:
    """Return the host that a change of quality lies in, where its answers are all the same or fail; what its readings show is told as that."""
    found = evidence.traces.odd_host
    if found is None or any(found[0].where in s.hosts and not why_not(evidence, s) for s in evidence.traces.strains):
        return []
    place, spoilt = found
    support = [f"{percent(place.share_of_rows)} of predictions and {percent(min(1.0, place.share_of_change))} of the change", spoilt_text(spoilt)]
    share = min(1.0, place.share_of_change)
    return [
        Cause(kind="infrastructure", subject=HOST_ALONE.format(place.where), share=share, onset=min(evidence.windows), evidence_for=support),
    ]


def cleared_strains(evidence: Evidence) -> list[str]:
    """Return the strains that were looked at and are not the cause, each with its reason."""
    return [f"{s.gauge.name} ({reason})" for s in evidence.traces.strains if (reason := why_not(evidence, s))]


def why_not(evidence: Evidence, strain: Strain) -> str:
    """Return why a strain is not the cause of an incident; empty where it may be."""
    if strain.level.is_usual(strain.gauge):
        return _as_ever(strain)
    if strain.serves is False:
        return f"only on {listed(strain.hosts)}, which answered none of the requests"
    if late := _out_of_time(evidence, strain):
        return late
    if strain.effect is not None and strain.effect.high < _HALF:
        return _split_text(evidence, strain, strain.effect)
    return "" if _is_of_service(evidence) else _not_of_quality(strain)


def _out_of_time(evidence: Evidence, strain: Strain) -> str:
    """Return how a strain began after requests had changed, or where no split says more long before they did; empty where the times agree or are not known."""
    if strain.since is None or strain.begun is None:
        return ""
    later, told = strain.since - strain.begun, hours_text(abs((strain.since - strain.begun).total_seconds()) / 3600)
    if later > strain.slack:
        return f"only from {strain.since_text}, {told} after {_what(evidence)} had changed"
    if strain.effect is None and -later > strain.slack + _EARLIER:
        return f"from {strain.since_text} on, and {_what(evidence)} were as usual for {told}"
    return ""


def _not_of_quality(strain: Strain) -> str:
    """Return why a strain does not make answers wrong; empty where it may."""
    worse = strain.spoilt is not None and strain.spoilt.is_worth_telling
    has_share = strain.effect is not None and strain.effect.low > 0
    if worse or (has_share and strain.gauge.spoils):
        return "" if has_share or strain.effect is None else "predictions on these hosts are not surely worse than on others"
    return "no more answers than usual failed or were all the same: it makes them late, not wrong"


def _as_ever(strain: Strain) -> str:
    level = strain.level
    if level.has_alike:
        return f"about as much on {level.alike} of the {counted(level.days, 'day')} before"
    what = "share of readings" if not strain.gauge.is_count else "share of hours"
    return f"much the same {what} in the weeks before: {percent(level.now)}, usually {percent(level.usual)}"


def _cause(evidence: Evidence, strain: Strain) -> Cause:
    effect = strain.effect
    begins = f"{',' if 'usually' in strain.said else ''} from {strain.since_text}" if strain.since_text else ""
    told = f"; {_split_text(evidence, strain, effect)}" if effect is not None else ""
    support = [f"it was so in {percent(strain.level.now)} of readings, usually in {percent(strain.level.usual)}"] if _is_share(strain) else []
    if strain.since is not None and strain.begun is not None and abs(strain.since - strain.begun) <= max(strain.slack, timedelta(hours=1)):
        support.append(f"it began as {_what(evidence)} changed")
    if strain.level.alike == 0:
        support.append(f"on none of the {counted(strain.level.days, 'day')} before")
    against = []
    share: tuple[float | None, float | None, float | None] = (None, None, None)
    if effect is not None and effect.low > 0:
        share = (min(1.0, effect.share), min(1.0, effect.low), min(1.0, effect.high))
        support.append(f"{percent(effect.rows)} of requests and {percent(min(1.0, effect.share))} of the change")
    elif effect is not None:
        against.append("too few requests to tell whether those on these hosts fared worse than on others")
    else:
        against.append(f"coincidence in time alone: {_no_split(strain)}")
    if strain.spoilt is not None and strain.spoilt.is_worth_telling:
        support.append(spoilt_text(strain.spoilt))
    if effect is None and evidence.traces.place is not None and evidence.traces.place.where not in strain.hosts:
        against.append(f"most of it lies in {evidence.traces.place.where}")
    return Cause(
        kind="infrastructure",
        subject=f"{strain.said}{begins}{told}",
        share=share[0],
        low=share[1],
        high=share[2],
        onset=strain.since or min(evidence.windows),
        evidence_for=support,
        evidence_against=against,
    )


def _is_share(strain: Strain) -> bool:
    return "{now}" not in strain.gauge.says and not strain.gauge.is_count


def _no_split(strain: Strain) -> str:
    return "every host that answered was so, and there is no other to compare with" if strain.serves else "requests cannot be split by host"


def spoilt_text(spoilt: Spoilt) -> str:
    """Return which answers on some hosts are not what they should be."""
    what = f"of the answers there are {spoilt.answer}" if spoilt.answer else "of the requests there failed"
    return f"{percent(spoilt.now)} {what}, {percent(spoilt.usual)} in the weeks before"


def _is_of_service(evidence: Evidence) -> bool:
    return evidence.lead.family == "service"


def _what(evidence: Evidence) -> str:
    return "requests" if _is_of_service(evidence) else "predictions"


def _split_text(evidence: Evidence, strain: Strain, effect: Effect) -> str:
    """Return how requests on strained hosts changed, beside those on others."""
    there = "that host" if len(strain.hosts) == 1 else "these hosts"
    (now, usual), (others, before) = effect.on, effect.off
    if not _is_of_service(evidence):
        moved, rest = (number_text(value, beside=[now - usual, others - before]) for value in (now - usual, others - before))
        return f"the error of predictions on {there} moved by {moved}, on others by {rest}"
    if evidence.lead.metric in OF_ERRORS:
        return f"{percent(now)} of requests on {there} failed, {percent(usual)} in the weeks before; on others {points(others - before)}"
    return f"requests on {there} {_took(now - usual)}, those on others {'did not' if abs(others - before) < _ALIKE <= now - usual else _took(others - before)}"


def _took(change: float) -> str:
    return "took as long as before" if abs(change) < _ALIKE else f"took {exp(change):.1f} times as long"
