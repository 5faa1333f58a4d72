"""What is told of data that is not as it was: values, rows or labels that do not come.

Belongs here: the words of data incidents. Does not: those about a model's quality (story.py), the causes (causes.py).
"""

from collections.abc import Sequence

from watchkeeper.judgement.breaks import BROKEN
from watchkeeper.judgement.episodes import MISSING_SEGMENTS, Episode
from watchkeeper.judgement.evidence import Evidence, places_of
from watchkeeper.judgement.fault_places import common_place
from watchkeeper.judgement.held_back import set_aside_text
from watchkeeper.judgement.missing_segments_story import look_for_segments, segments_told
from watchkeeper.judgement.odd_inputs import EXCHANGED, codes_text, shares_text
from watchkeeper.judgement.spans import during_text, rows_span, span_text
from watchkeeper.monitor import Monitor
from watchkeeper.records import Signal
from watchkeeper.words import listed as listing
from watchkeeper.words import percent

_LISTED = 8  # features by name
Told = tuple[str, str, list[tuple[str, str]]]


def faults_told(monitor: Monitor, episode: Episode, evidence: Evidence) -> Told:
    """Tell of data that is not as it was."""
    if episode.subject == MISSING_SEGMENTS:
        return segments_told(monitor, episode, evidence)
    if episode.signals[0].metric == "rows":
        return _missing(monitor, episode, evidence)
    if episode.signals[0].metric == "label_coverage":
        return _unlabelled(monitor, episode, evidence)
    worst = max(episode.signals, key=lambda s: s.value)
    is_one = len({s.window_start for s in episode.signals}) == 1
    start, end = rows_span(worst) if is_one else (episode.start, episode.end)
    day, during = span_text(monitor, start, end, evidence.told_at), during_text(monitor, start, end, evidence.told_at)
    if worst.metric == EXCHANGED:
        shares = shares_text([s for s in episode.signals if s.feature == worst.feature], monitor.timezone)
        return codes_text(worst.feature, shares, during), f"{day}, {monitor.timezone}.", _codes(episode)
    others = len({s.feature for s in episode.signals}) - 1
    names = _column(worst) + (f" and {others} more feature{'s' if others > 1 else ''}" if others else "")
    what = "missing" if worst.metric == "null_ratio" else "a category that the reference lacks"
    most = "" if {percent(s.value) for s in episode.signals} == {percent(worst.value)} else "up to "
    share, usual = f"{most}{percent(worst.value)}", percent(worst.expected)
    said = f"{share} of values not as the suite expects ({worst.expects})" if worst.metric == BROKEN else f"{what} in {share} of rows"
    place = common_place(sorted({s.feature for s in episode.signals}), places_of(episode.signals, evidence.fault_places))
    where = f"; {place.of_them}" if place is not None else ""
    headline = f"{names}: {said} {during}, usually {usual}{where}"
    listed = sorted({s.feature: s for s in sorted(episode.signals, key=lambda s: s.value)}.values(), key=lambda s: -s.value)
    more = f" and {len(listed) - _LISTED} more" if len(listed) > _LISTED else ""
    facts = [("Features", ", ".join(f"{_column(s)} {percent(s.value)}{f' ({s.expects})' if s.expects else ''}" for s in listed[:_LISTED]) + more)]
    facts += _places(listed[:_LISTED], evidence)
    return headline, f"{day}, {monitor.timezone}.", facts


def _places(listed: Sequence[Signal], evidence: Evidence) -> list[tuple[str, str]]:
    """Tell of which segment nearly all faulty values of a feature are; nothing where they are of several."""
    found = [(_column(s), evidence.fault_places[s.metric, s.feature]) for s in listed if (s.metric, s.feature) in evidence.fault_places]
    return [("Where", "; ".join(f"{name}: {place.text}" if len(listed) > 1 else place.text for name, place in found))] if found else []


def _column(signal: Signal) -> str:
    """Return what a signal's column is called; outputs by their roles."""
    return signal.feature.removeprefix("@")


def _codes(episode: Episode) -> list[tuple[str, str]]:
    """Tell of other features whose codes are exchanged."""
    worst = max(episode.signals, key=lambda s: s.value)
    others = sorted({s.feature for s in episode.signals} - {worst.feature})
    return [("Exchanged too", ", ".join(others))] if others else []


def _missing(monitor: Monitor, episode: Episode, evidence: Evidence) -> Told:
    """Tell of rows that did not come, or did not come in."""
    day, rows = span_text(monitor, episode.start, episode.end, evidence.told_at), monitor.wording.rows
    came, usual = sum(s.n for s in episode.signals), sum(s.expected for s in episode.signals)
    headline = f"{'no' if not came else f'only {came:,}'} {rows} landed {during_text(monitor, episode.start, episode.end, evidence.told_at)}, usually {usual:,.0f}"
    count, reason = evidence.set_aside
    return headline, f"{day}, {monitor.timezone}.", set_aside_text(count, "row", reason)


def _unlabelled(monitor: Monitor, episode: Episode, evidence: Evidence) -> Told:
    """Tell of labels that are due and did not come."""
    told = [s for s in episode.signals if not s.segment] or episode.signals
    segments = sorted({s.segment for s in told} - {""})
    told = [s for s in told if s.segment == (segments[0] if segments else "")]
    day, rows = span_text(monitor, episode.start, episode.end, evidence.told_at), sum(s.n for s in told)
    came = round(sum(s.value * s.n for s in told))
    share = f"labels of only {percent(came / rows)}" if came else "no labels"
    during = during_text(monitor, episode.start, episode.end, evidence.told_at)
    usual = percent(min(s.expected for s in told))
    of = f" of {segments[0]}" if segments else ""
    count, reason = evidence.set_aside
    verb = "landed" if count or evidence.refused else "came"
    headline = f"{share} {verb} for the {rows:,} {monitor.wording.rows}{of} {during}, usually for {usual} of them"
    facts = [
        *([("So are those of", listing(segments[1:]))] if segments[1:] else []),
        *set_aside_text(count, "label", reason),
        ("How good it is", f"not known for these days{of}: their labels are due, and without them a silence is no sign of health."),
    ]
    return headline, f"{day}, {monitor.timezone}.", facts


def mend_data(owner: str, episode: Episode, evidence: Evidence) -> str:
    """Return what to do about a data incident."""
    metric = episode.signals[0].metric
    if episode.subject == MISSING_SEGMENTS and not evidence.set_aside[0] and not evidence.refused:
        return look_for_segments(owner, evidence)
    if metric in ("rows", "label_coverage"):
        return _look_for_it(owner, metric, evidence)
    worst = max(episode.signals, key=lambda s: s.value)
    if metric == BROKEN:
        wrong = "these rows landed as they came, and what rests on them may be wrong. If the values are right, correct the suite."
        is_unit = any(o.feature == worst.feature and o.how in ("unit", "factor") for o in evidence.traces.odd)
        what = f"whether the source of {_column(worst)} writes it in another unit" if is_unit else f"what happened to the source of {_column(worst)}"
        return f"ask {owner} {what}; {wrong}"
    if metric == EXCHANGED:
        wrong = "the model takes each code for what it meant before, so do not trust scores of these rows. If the shares are right, nothing is to be mended."
        return f"ask {owner} whether the codes of {worst.feature} were given anew (a new encoder, another order of its table); {wrong}"
    if worst.feature.startswith("@"):
        return f"ask {owner} why the model answers without a {_column(worst)}: these rows did not fail by their status."
    return f"ask {owner} what happened to the source of {worst.feature}; scores of these rows rest on incomplete inputs."


def _look_for_it(owner: str, metric: str, evidence: Evidence) -> str:
    if evidence.set_aside[0]:
        return "`watchkeeper quarantine list` shows the rows; repair their source and send them again, or correct the suite and release them."
    if evidence.refused:
        return "`watchkeeper quarantine list` shows the file and why; once it is repaired and offered again, its rows land in their own windows."
    if metric == "label_coverage":
        return f"ask {owner} whether labels are still delivered and joined by the right id; those that come late are joined to their predictions."
    return f"ask {owner} whether the model still serves and its logs are still delivered; nothing can be judged until they are."
