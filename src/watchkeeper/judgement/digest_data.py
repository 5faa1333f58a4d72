"""The digest's line about data: what was set aside, and inputs and scores that differ without harm.

Belongs here: these words. Does not: the other lines of a digest (digest.py).
"""

from collections.abc import Sequence

from watchkeeper.judgement.digest_facts import DigestFacts
from watchkeeper.judgement.settling import SETTLED
from watchkeeper.profiles.pairs import parts_of
from watchkeeper.records import Signal
from watchkeeper.words import counted, listed, metric_text, number_text, percent

_NAMED = 4  # features that fit a line
_OF_SHAPE = ("psi", "loc", "spread", "share_shift")


def data_text(facts: DigestFacts) -> str:
    """Return what was set aside and what of the data differs, in sentences."""
    reasons = "; ".join(f"{n:,} {reason}" for reason, n in facts.quarantine_reasons[:2])
    of_labels = f", {facts.labels_aside:,} of them labels" if facts.labels_aside else ""
    said = f"{counted(facts.quarantined, 'row')} quarantined{of_labels}{f' ({reasons})' if reasons else ''}."
    said += f" {counted(facts.files_refused, 'file')} refused whole: `watchkeeper quarantine list` says why." if facts.files_refused else ""
    if facts.broken:
        many = [f"{percent(b.share)} of {b.column} (usually {percent(b.usual)})" for b in facts.broken[:3]]
        said += f" Landed, but not as the suite expects: {', '.join(many)}."
    moved = sorted({s.feature for s in facts.notices if s.metric in _OF_SHAPE and not s.feature.startswith("@")})
    if moved:
        said += f" Inputs differ from the reference ({_some(moved)}): a notice, no alarm."
    said += _missing(facts) + _hidden(facts) + _settled(facts)
    if facts.scores_moved:
        worst = max((s for s in facts.notices if s.metric == "psi" and s.feature == "@score"), key=lambda s: s.value)
        said += f" The model's own scores differ from the reference (PSI up to {number_text(worst.value)}, usually {number_text(worst.expected)}): a notice."
    return said + _risen(facts)


def _settled(facts: DigestFacts) -> str:
    """Say of what of that lasts and is told here a last time."""
    lasting = sorted({_about(s) for s in facts.notices if s.reason.endswith(SETTLED)})
    it, is_ = ("it", "is") if len(lasting) == 1 else ("they", "are")
    was = "has been" if len(lasting) == 1 else "have been"
    return f" That of {_some(lasting)} lasts and no KPI paged: from here on {it} {is_} compared with how {it} {was} since." if lasting else ""


def _missing(facts: DigestFacts) -> str:
    """Say of which inputs more values are missing than in the reference, too few to page."""
    found = [f"{metric_text('', s.feature)} (up to {percent(s.value)} of rows, usually {percent(s.expected)})" for s in _worst(facts, "null_ratio")]
    return f" Missing more often than in the reference: {_some(found)}: a notice." if found else ""


def _about(signal: Signal) -> str:
    """Return in words which input, pair of inputs or number of the model's scores a notice is about."""
    if not signal.feature:
        return f"the {metric_text(signal.metric)}"
    if signal.feature == "@score":
        return "the model's own scores"
    return listed(parts_of(signal.feature)) if signal.metric == "correlation" else metric_text("", signal.feature)


def _risen(facts: DigestFacts) -> str:
    """Say of numbers of the whole that rose without harm: how unsure the model was, how long requests waited."""
    unsure, waits = ([(s.value, s.expected) for s in _worst(facts, metric)] for metric in ("low_confidence_ratio", "queue_time_p95"))
    said = [f" Up to {percent(now)} of scores lie near the threshold, usually {percent(usual)}: a notice." for now, usual in unsure]
    said += [f" Requests wait longer (p95 up to {number_text(now, 'ms')}, usually {number_text(usual, 'ms')}): a notice." for now, usual in waits]
    return "".join(said)


def _hidden(facts: DigestFacts) -> str:
    """Say of inputs what the whole of each does not show: a shift in one segment alone, and pairs that no longer go together."""
    apart = [f"{s.feature} ({s.reason})" for s in _worst(facts, "segment_shift")]
    pairs = [
        f"{' and '.join(parts_of(s.feature))} (correlation {number_text(s.value)}, usually {number_text(s.expected)})"
        for s in _worst(facts, "correlation")
    ]
    said = f" Moved in one segment and not in the rest: {_some(apart)}: a notice." if apart else ""
    return said + (f" Go together otherwise than in the reference: {_some(pairs)}: a notice." if pairs else "")


def _worst(facts: DigestFacts, metric: str) -> list[Signal]:
    """Return the notice of each feature, by name, that lies farthest from what is usual."""
    mine = sorted((s for s in facts.notices if s.metric == metric), key=lambda s: (s.feature, abs(s.value - s.expected)))
    return list({s.feature: s for s in mine}.values())


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:_NAMED]) + (f" and {len(names) - _NAMED} more" if len(names) > _NAMED else "")
