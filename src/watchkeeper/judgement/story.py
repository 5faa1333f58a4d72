"""The words of an incident: headline and facts, from evidence alone.

Belongs here: numbers -> sentences, plain and with units. Does not: causes (causes.py), which signal leads (leads.py), what to do (next_steps.py), message forms (site/message.py).
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from watchkeeper.judgement.apart import is_off
from watchkeeper.judgement.breaks import BROKEN
from watchkeeper.judgement.burden import burden_text
from watchkeeper.judgement.causes import causes, ruled_out
from watchkeeper.judgement.changes import unknown
from watchkeeper.judgement.data_causes import of_faults
from watchkeeper.judgement.data_story import Told, faults_told
from watchkeeper.judgement.episodes import MISSING_SEGMENTS, WITHOUT_LABELS, Episode
from watchkeeper.judgement.evidence import Evidence, places_of
from watchkeeper.judgement.grounds import looked_at, moved_since, moved_too, usual_of
from watchkeeper.judgement.missing_segments_story import cause_of_missing_segments
from watchkeeper.judgement.next_steps import next_steps
from watchkeeper.judgement.places import carrier, concentrated, where
from watchkeeper.judgement.service_story import is_share, number_said, pair_of_place, place_headline, service_facts
from watchkeeper.judgement.size import size_of
from watchkeeper.judgement.spans import during_text, rows_span, span_text, typical_text
from watchkeeper.judgement.worst import worst_of
from watchkeeper.measures.own import unit_of
from watchkeeper.monitor import Monitor
from watchkeeper.records import Score, Signal
from watchkeeper.story import Cause, Story
from watchkeeper.windows import grain_of
from watchkeeper.words import limit_text, listed, measured_text, metric_text, number_text, one_line, percent, percent_interval, points

_SHARES_OF_VALUES = (BROKEN, "null_ratio", "unseen_ratio")
_WORTH_TELLING, _HALF = 0.02, 0.5
_AWAITED = ["causes that labels show (labels of these windows are not due yet)"]


def story(monitor: Monitor, episode: Episode, evidence: Evidence) -> Story:
    """Return what is to be told about an episode."""
    found = _of_data(monitor, episode, evidence) if episode.family == "data" else causes(evidence)
    headline, when, facts = _TELLERS.get(episode.family, _plain)(monitor, _told_of(episode, evidence), evidence)
    is_of_model = episode.family in ("kpi", "segment", "target")
    return Story(
        headline=one_line(f"{headline}{_ailment(evidence, found)}"),
        when=f"{when}{_goes_on(monitor, evidence)}",
        facts=[*facts, *(_moved(evidence, found) if is_of_model else []), *usual_of(monitor, evidence), *looked_at(monitor, episode, evidence)],
        causes=found,
        ruled_out=ruled_out(evidence, found) if is_of_model or episode.family == "service" else [],
        not_measured=[
            *evidence.not_measured,
            *(unknown(evidence) if is_of_model else []),
            *(_AWAITED if is_of_model and evidence.is_provisional else []),
        ],
        next_steps=next_steps(monitor, episode, evidence, found),
        places=[s.segment for s in evidence.segments],
        carrier=worst.segment if (worst := carrier(evidence)) is not None else "",
        size=size_of(monitor, evidence),
    )


def _moved(evidence: Evidence, found: Sequence[Cause]) -> list[tuple[str, str]]:
    return [*moved_since(evidence, found), *moved_too(evidence, found)]


def _of_data(monitor: Monitor, episode: Episode, evidence: Evidence) -> list[Cause]:
    if episode.subject == MISSING_SEGMENTS:
        return [cause_of_missing_segments(episode.signals, evidence.set_aside, evidence.refused, evidence.arrived)]
    places = places_of(episode.signals, evidence.fault_places)
    return of_faults(
        episode.signals, evidence.set_aside, evidence.refused, monitor.timezone, evidence.traces.odd, places, evidence.gone, evidence.come
    )


def _ailment(evidence: Evidence, found: Sequence[Cause]) -> str:
    """Return after a headline what ails the hosts that most of a change surely lies in, as that is what a person can act on; else nothing."""
    first = next(iter(found), None)
    is_known = first is not None and first.share is not None and any(first.subject.startswith(s.said) for s in evidence.traces.strains)
    return f": {first.subject.partition(';')[0]}" if first is not None and is_known else ""


def ending(monitor: Monitor, episode: Episode, evidence: Evidence, since: Sequence[tuple[datetime, datetime, float]]) -> Story:
    """Return what is to be told when an episode is over; `since` holds the leading number of the clear windows after it."""
    lead = evidence.lead
    is_points = lead.metric.startswith("calibration_gap")
    values = listed([_pts(value) if is_points else _number(monitor, lead, value) for _, _, value in since[:3]])
    back = (
        f"{_back(lead, [value for _, _, value in since[:3]])} {values}{' points' if is_points else ''} ({span_text(monitor, since[0][0], since[min(len(since), 3) - 1][1], evidence.told_at)})"
        if since
        else "clear again"
    )
    was, _, facts = _TELLERS.get(episode.family, _plain)(monitor, _told_of(episode, evidence), evidence)
    return Story(
        headline=f"resolved: {metric_text(lead.metric, lead.feature, lead.segment)} {back}",
        when="",
        facts=[("It was", f"{was}."), *[f for f in facts if f[0] == "Missed"]],
    )


def _told_of(episode: Episode, evidence: Evidence) -> Episode:
    """Return the part of an episode that its numbers are of."""
    return episode if evidence.not_due is None else replace(episode, signals=list(evidence.signals))


def _goes_on(monitor: Monitor, evidence: Evidence) -> str:
    """Say of which bad windows no number is told, since labels of these are still due; empty where all are."""
    left = evidence.not_due
    return (
        ""
        if left is None
        else f" It goes on: labels of {span_text(monitor, left.start, left.end, evidence.told_at)} are not due yet, and count in no number here."
    )


def _back(lead: Signal, since: Sequence[float]) -> str:
    """Return the words before the numbers of clear windows: one that lies where only few usual ones do is no alarm, and not back either."""
    limit = lead.normal_high if lead.value > lead.expected else lead.normal_low
    beyond = [value for value in since if limit is not None and (value - limit) * (lead.value - lead.expected) > 0]
    return "without alarm:" if beyond else "back to"


def _rates(monitor: Monitor, episode: Episode, evidence: Evidence) -> Told:
    """Tell of a rate that is not what the model expected."""
    lead, observed, expected = evidence.lead, evidence.observed, evidence.expected
    if lead.metric not in ("calibration_gap", "log_loss") or observed is None or observed.value is None or expected is None:
        return _plain(monitor, episode, evidence)
    if lead.metric == "log_loss" and not evidence.is_provisional and abs(observed.value - expected) < _WORTH_TELLING:
        return _plain(monitor, episode, evidence)
    if (turns := _turns(episode, evidence, observed.value - expected)) is not None and not evidence.is_provisional:
        return _turned(monitor, episode, evidence, turns)
    day = span_text(monitor, episode.start, episode.end, evidence.told_at)
    during = during_text(monitor, episode.start, episode.end, evidence.told_at)
    rows, positive = monitor.wording.rows, monitor.wording.positive
    sure = _sure(evidence)
    rate = f"{sure[0]} {percent(sure[1])}" if sure else percent(observed.value)
    headline = f"{rate} of {rows} {during} were {positive}; the model expected {percent(expected)}{concentrated(evidence)}"
    miss = (sure[1] if sure else observed.value) - expected
    said = points(miss) if sure is None else f"at least {points(miss)}" if sure[0] == "at least" else f"{points(miss)} or less"
    usual = (
        f"; 95 % of {_likes(monitor, lead)} lie between {_pts(lead.normal_low)} and {_pts(lead.normal_high)}"
        if lead.metric == "calibration_gap"
        else ""
    )
    when = f"{day}, {monitor.timezone}. Miss: {said}{_at_worst(monitor, evidence)}{usual}."
    return headline, when, [*_labels(evidence), *where(monitor, evidence), *_hits(monitor, evidence)]


def _at_worst(monitor: Monitor, evidence: Evidence) -> str:
    """Return after the miss of several windows that of the worst: what single windows usually are is said beside it."""
    gaps, others = ([s for s in found if s.metric == "calibration_gap" and s.state == "mature"] for found in (evidence.signals, evidence.unalarmed))
    if not gaps or len(gaps) + len(others) == 1:
        return ""
    worst = worst_of(gaps, others)
    return f" in all, at worst {_pts(worst.value)} in {'an' if monitor.window == 'hour' else 'a'} {monitor.window}"


def _turns(episode: Episode, evidence: Evidence, whole: float) -> tuple[Signal, Signal] | None:
    """Return the window with most more than expected and the one with most fewer, where these cancel over all windows; None where they do not."""
    gaps = sorted((s for s in episode.signals if s.metric == "calibration_gap"), key=lambda s: s.value)
    if not gaps or not gaps[0].value < 0 < gaps[-1].value:
        return None
    if abs(whole) >= _HALF * min(-gaps[0].value, gaps[-1].value):
        return None
    return worst_of(gaps[-1:], evidence.unalarmed), worst_of(gaps[:1], evidence.unalarmed)


def _turned(monitor: Monitor, episode: Episode, evidence: Evidence, turns: tuple[Signal, Signal]) -> Told:
    """Tell of a rate that was too high in some windows and too low in others: over all of them it would look right."""
    day = span_text(monitor, episode.start, episode.end, evidence.told_at)
    on = [during_text(monitor, s.window_start, s.window_end, evidence.told_at) for s in turns]
    more, fewer = (f"{points(abs(s.value)).removeprefix('+')} {how}" for s, how in zip(turns, ("more", "fewer"), strict=True))
    rows, positive = monitor.wording.rows, monitor.wording.positive
    headline = f"{rows} {positive}: {more} {on[0]} than the model expected, and {fewer} {on[1]}; over {day} together it looks right"
    when = f"{day}, {monitor.timezone}. Two troubles may be at work: what is told of all windows together mixes them."
    return headline, when, [*_labels(evidence), *where(monitor, evidence), *_hits(monitor, evidence)]


def _sure(evidence: Evidence) -> tuple[str, float] | None:
    """Return what is certain of a rate while labels are missing: the end of its bounds that is nearest to what was expected."""
    least, most = evidence.least_observed, evidence.most_observed
    if not evidence.is_provisional or evidence.expected is None:
        return None
    if most is not None and most < evidence.expected:
        return "at most", most
    return None if least is None else ("at least", least)


def _segments(monitor: Monitor, episode: Episode, evidence: Evidence) -> Told:
    """Tell of a segment that fails, and how far it is from the rest, which may fail too."""
    if evidence.observed is None or evidence.expected is None:
        return _plain(monitor, episode, evidence)
    day = span_text(monitor, episode.start, episode.end, evidence.told_at)
    rows, positive = monitor.wording.rows, monitor.wording.positive
    o, sure = evidence.observed, _sure(evidence)
    rate = f"{sure[0]} {percent(sure[1])}" if sure else percent(o.value)
    headline = f"{episode.subject}: {rate} of {rows} {positive}{_interval(o)}, the model expected {percent(evidence.expected)} ({day})"
    least = "at least " if evidence.is_provisional else ""
    own = "" if evidence.gap is None or evidence.gap.value is None else f" Its own gap: {least}{points(evidence.gap.value)}."
    when = f"{day}, {monitor.timezone}.{own} Beside the rest: its gap lies {least}{_apart(monitor, evidence)}."
    if is_off(evidence.rest) and evidence.rest is not None:
        usual = points(evidence.rest.reference_value or 0.0)
        when += f" The rest is off as well: {points(evidence.rest.value or 0.0)} over {day}, usually {usual}."
    return headline, when, [*_labels(evidence), *_hits(monitor, evidence)]


def _apart(monitor: Monitor, evidence: Evidence) -> str:
    """Return how far a segment lies from the rest, of several windows in the worst, which is named."""
    worst = evidence.worst
    on = f" {during_text(monitor, *rows_span(worst), evidence.told_at)}{_of_how_many(evidence)}" if evidence.judged > 1 else ""
    return f"{points(worst.value)} from that of all other {monitor.wording.rows}{on}"


def _promises(monitor: Monitor, episode: Episode, evidence: Evidence) -> Told:
    """Tell of a broken promise."""
    worst = max(episode.signals, key=lambda s: abs(s.value - s.expected))
    about = metric_text(worst.metric, worst.feature, worst.segment)
    day = span_text(monitor, episode.start, episode.end, evidence.told_at)
    limit = (
        f"at least {limit_text(worst.normal_low)}"
        if worst.normal_low is not None and worst.value < worst.normal_low
        else f"at most {limit_text(worst.expected if worst.normal_high is None else worst.normal_high)}"
    )
    least = "" if worst.state == "mature" else "at most " if limit.startswith("at least") else "at least "
    own, count = span_text(monitor, worst.window_start, worst.window_end, evidence.told_at), len({s.window_start for s in episode.signals})
    of = f", the worst of {count} {grain_of(worst.window_end - worst.window_start)}s" if count > 1 else ""
    headline = f"promise broken: {about} {least}{_measured(monitor, worst)} ({own}{of}), promised {limit}{concentrated(evidence, worst.metric)}"
    places = where(monitor, evidence) if any(s.metric for s in evidence.segments) else []
    return headline, f"{day}, {monitor.timezone}.", [*_labels(evidence), *places, *_hits(monitor, evidence)]


def _plain(monitor: Monitor, episode: Episode, evidence: Evidence) -> Told:
    """Tell of any number: what it is, what it usually is."""
    lead = evidence.worst
    about = metric_text(lead.metric, lead.feature, lead.segment)
    is_newest = lead.rows_from is not None and episode.first_end == episode.end
    day = span_text(monitor, *(rows_span(lead) if is_newest else (episode.start, episode.end)), evidence.told_at)
    rate = _missed_rate(monitor, evidence)
    beside = "" if rate is None else f"; {rate}"
    headline = f"{about} {_of_all(monitor, episode, evidence)}, {_number(monitor, lead, lead.expected)} {typical_text(lead)}{concentrated(evidence, lead.metric)}{beside}"
    low, high = (_number(monitor, lead, end, beside=(lead.normal_low, lead.normal_high)) for end in (lead.normal_low, lead.normal_high))
    usual = f" 95 % of {_likes(monitor, lead)} lie between {low} and {high}."
    how = " A slow change: no single window stands out." if _is_slow(episode, lead) else ""
    return (
        headline,
        f"{day}, {monitor.timezone}.{usual}{how}",
        [*_labels(evidence), *where(monitor, evidence), *_hits(monitor, evidence)],
    )


def _missed_rate(monitor: Monitor, evidence: Evidence) -> str | None:
    """Say beside a number that is no rate that fewer, or more, came than the model surely expected; None where that is not so, or worth no word."""
    gap, came, expected = evidence.gap, evidence.observed, evidence.expected
    if evidence.is_provisional or expected is None or came is None or came.value is None or gap is None or gap.low is None or gap.high is None:
        return None
    if max(gap.low, -gap.high) < _WORTH_TELLING:
        return None
    return f"{'more' if gap.low > 0 else 'fewer'} {monitor.wording.rows} {monitor.wording.positive} than expected: {percent(came.value)}, not {percent(expected)}"


def _of_all(monitor: Monitor, episode: Episode, evidence: Evidence) -> str:
    """Return the number of an episode and when: over all its windows, else (one window, or no mean of rows) of the worst one."""
    lead, whole = evidence.worst, evidence.whole
    if evidence.is_provisional or whole is None or whole.value is None or episode.end - episode.start <= lead.window_end - lead.window_start:
        end = "" if not _waits_for_labels(evidence) else "at least " if lead.value > lead.expected else "at most "
        return f"{end}{_measured(monitor, lead)} {during_text(monitor, *rows_span(lead), evidence.told_at)}{_of_how_many(evidence)}"
    said = (
        number_said(lead, whole.value)
        if is_share(lead)
        else measured_text(whole.value, whole.low, whole.high, unit_of(monitor, lead.metric), truth=monitor.wording.unit)
    )
    return f"{said} {during_text(monitor, episode.start, episode.end, evidence.told_at)}"


def _of_how_many(evidence: Evidence) -> str:
    """Return after a number of the worst window of how many it is; empty where there is one, or labels may still tell of a worse one."""
    worst = evidence.worst
    if evidence.judged == 1 or worst.state != "mature":
        return ""
    return f" (the worst of {evidence.judged} {grain_of(worst.window_end - worst.window_start)}s)"


def _waits_for_labels(evidence: Evidence) -> bool:
    """Tell whether the number that leads is the kindest one that the missing labels leave possible."""
    return evidence.is_provisional and evidence.lead.family not in WITHOUT_LABELS and evidence.lead.rows_from is None


def _is_slow(episode: Episode, lead: Signal) -> bool:
    """Tell whether no window of an episode would have alarmed by itself, and the one that is quoted lies in what is usual."""
    inside = lead.normal_low is not None and lead.normal_high is not None and lead.normal_low <= lead.value <= lead.normal_high
    return inside and all(s.rule == "slow" for s in episode.signals)


def _like(monitor: Monitor, lead: Signal) -> str:
    """Return what a number was held against: windows like its own, and, where its window had not ended, hours."""
    return monitor.window if lead.rows_from is None else "hour"


def _likes(monitor: Monitor, lead: Signal) -> str:
    """Return what an interval of usual numbers is about; hours are held against those of the same hour where these differ."""
    return f"reference {_like(monitor, lead)}s{' like it' if _like(monitor, lead) == 'hour' else ''}"


def _services(monitor: Monitor, episode: Episode, evidence: Evidence) -> Told:
    """Tell of a service: where one place stands out, of that first."""
    headline, when, facts = _plain(monitor, episode, evidence)
    if (place := place_headline(monitor, episode, evidence)) != "":
        of = " What is usual is that of the whole reference." if pair_of_place(evidence) is not None else ""
        when = f"{span_text(monitor, episode.start, episode.end, evidence.told_at)}, {monitor.timezone}.{of}"  # its range is said with the place
    return place or headline, when, [*service_facts(monitor, evidence), *facts]


_TELLERS = {"kpi": _rates, "segment": _segments, "data": faults_told, "target": _promises, "service": _services}


def _labels(evidence: Evidence) -> list[tuple[str, str]]:
    if evidence.coverage is None:
        return []
    known, every = evidence.coverage
    sure = _sure(evidence)
    caveat = f' "{sure[0].capitalize()}" counts the missing as {"positive" if sure[0] == "at most" else "negative"}.' if sure else ""
    return [("Labels", f"{known:,} of {every:,} ({percent(known / max(1, every))}).{caveat}")]


def _hits(monitor: Monitor, evidence: Evidence) -> list[tuple[str, str]]:
    if evidence.missed is None:
        return []
    missed, positives = evidence.missed
    burden = burden_text(monitor, evidence.flagged, evidence.precision)
    flagged = f" But {burden}." if burden else ""
    if evidence.is_provisional:
        return [("Missed", f"at least {missed:,} {monitor.wording.positive} {monitor.wording.rows} were not flagged.{flagged}")]
    usual = f"; over the whole reference {percent(1 - evidence.usual_recall)}" if evidence.usual_recall is not None else ""
    return [
        (
            "Missed",
            f"{missed:,} of {positives:,} {monitor.wording.positive} {monitor.wording.rows} were not flagged ({percent(missed / max(1, positives))}{usual}).{flagged}",
        )
    ]


def _interval(score: Score) -> str:
    return f" {percent_interval(score.low, score.high)}".rstrip()


def _pts(value: float | None) -> str:
    return "?" if value is None else f"{round(value * 100):+d}"


def _measured(monitor: Monitor, signal: Signal) -> str:
    if is_share(signal):
        return number_said(signal, signal.value)
    ends = (signal.low, signal.high) if signal.state == "mature" else (None, None)
    return measured_text(signal.value, *ends, unit_of(monitor, signal.metric), truth=monitor.wording.unit)


def _number(monitor: Monitor, signal: Signal, value: float | None, beside: Sequence[float | None] = ()) -> str:
    if value is not None and is_share(signal):
        return number_said(signal, value)
    if value is not None and signal.metric in _SHARES_OF_VALUES:
        return percent(value)
    return number_text(value, unit_of(monitor, signal.metric), beside, truth=monitor.wording.unit) or "?"
