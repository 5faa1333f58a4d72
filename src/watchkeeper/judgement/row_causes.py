"""Causes that rows show: labels that say one thing, inputs that are no longer what they were, and where the mix or the outcome changed.

Belongs here: traces -> causes. Does not: finding traces (traces.py), the split of a rate and the ranking (causes.py).

Of what the inputs do not account for, other shares of rows take the part that they surely account for where that is two fifths at least (a model that
is wrong in a place is more wrong when more rows are there); the rest is a change of the outcome itself, named by the place that most of it comes from.
All of it is attribution, not experiment.
"""

from collections.abc import Sequence
from dataclasses import replace
from math import log

from watchkeeper.judgement.evidence import OF_A_RATE, Evidence
from watchkeeper.judgement.moves import INPUTS_CHANGED
from watchkeeper.judgement.odd_inputs import Odd
from watchkeeper.judgement.places import carrier
from watchkeeper.judgement.traces import Mix, told_mix
from watchkeeper.stats.exchanges import LEAST_ROWS
from watchkeeper.story import Cause
from watchkeeper.words import counted, number_text, percent, points

_ALL, _WORTH_NAMING = 0.98, 0.2
_ALL_OF_A_PLACE, _MIXED = 0.99, 0.1
_WORSE, _AS_WELL = 0.3, 0.1  # nats of log loss; the share of what is worse
_REPEATED = 0.1


def of_labels(evidence: Evidence) -> list[Cause]:
    """Return the fault of the label process that makes nearly all labels alike, whatever the inputs, or turns them round; none where neither is so."""
    if evidence.traces.labels is None or evidence.traces.labels[2] < LEAST_ROWS:
        return []
    rate, usual, n = evidence.traces.labels
    onset = min(evidence.windows)
    if not 1 - _ALL <= rate <= _ALL and 1 - _ALL < usual < _ALL:
        subject = (
            f"the labels: {percent(rate)} are positive whatever the inputs, usually {percent(usual)}; look at how they are made before the model"
        )
        return [
            Cause(kind="labels", subject=subject, share=1.0, onset=onset, evidence_for=[f"{counted(n, 'label')}, of high scores and low ones alike"])
        ]
    if (of_a_place := _labels_of_a_place(evidence, n)) is not None:
        return [of_a_place]
    if evidence.traces.turned is None or not _are_turned(*evidence.traces.turned, rate):
        return []
    as_they_are, turned, before = evidence.traces.turned
    support = [f"log loss {number_text(as_they_are)}, turned round {number_text(turned)}, usually {number_text(before)}"]
    return [
        Cause(
            kind="labels",
            subject="the labels are turned round: their opposite fits the scores as labels usually do",
            share=1.0,
            onset=onset,
            evidence_for=support,
        )
    ]


def _are_turned(as_they_are: float, turned: float, before: float, rate: float) -> bool:
    """Tell whether the opposite of labels fits the scores as labels usually do, by log losses; scores that are alike fit the opposite of any rare outcome, and tell nothing of it."""
    return as_they_are - before >= _WORSE and turned - before <= _AS_WELL * (as_they_are - before) and turned < _of_one_rate(rate)


def _labels_of_a_place(evidence: Evidence, n: int) -> Cause | None:
    """Return the fault of the label process in the place that most of the change comes from, where nearly all labels of it are alike; None where they are not."""
    place, outcome = evidence.traces.place, evidence.traces.outcome
    if place is None or outcome is None or n * place.share_of_rows < LEAST_ROWS:
        return None
    rate, usual, _ = outcome
    if 1 - _ALL_OF_A_PLACE <= rate <= _ALL_OF_A_PLACE or not _MIXED <= usual <= 1 - _MIXED:
        return None
    subject = f"the labels where {place.where}: {percent(rate)} are positive, usually {percent(usual)}; look at how they are made before the model"
    support = [f"about {counted(round(n * place.share_of_rows), 'label')}, of high scores and low ones alike"]
    return Cause(kind="labels", subject=subject, share=min(1.0, place.share_of_change), onset=min(evidence.windows), evidence_for=support)


def _of_one_rate(rate: float) -> float:
    """Return the mean log loss of labels beside their own rate, nats: what scores that know of a label must beat."""
    return -sum(p * log(p) for p in (rate, 1 - rate) if p > 0)


def share_of_holes(evidence: Evidence, names: Sequence[str]) -> float | None:
    """Return how much of a change is gone in rows that have all of these inputs, None where that is little or was not measured."""
    left = [1.0 - h.left for h in evidence.traces.holes if h.feature in names]
    return min(1.0, max(left)) if left and max(left) >= _WORTH_NAMING else None


def of_inputs(evidence: Evidence, *, have_scores_moved: bool) -> list[Cause]:
    """Return the inputs that are no longer what they were though nothing is missing: they stand still, have another unit, or rows are repeated.

    A storm doubles the wind as another unit does: a small factor is a fault only where the scores moved and the outcome did not follow, or the rate was not looked at.
    """
    onset = min(evidence.windows)
    at_fault = {s.feature for s in evidence.faults} | {b.column for b in evidence.broken}
    odd = [o for o in evidence.traces.odd if o.feature not in at_fault and (have_scores_moved or o.how != "factor")]
    support = ["its values in these windows, beside those of the weeks before"]
    out = [
        Cause(kind="data", subject=o.text, share=_share_of_codes(evidence, o), onset=onset, evidence_for=support, columns=[o.feature]) for o in odd
    ]
    repeats = evidence.traces.repeats
    if repeats is not None and repeats.share >= _REPEATED and repeats.usual < repeats.share / 3 and 1 - repeats.left >= _WORTH_NAMING:
        subject = f"rows repeat: {percent(repeats.share)} say in all inputs the same as another one, usually {percent(repeats.usual)}"
        share = min(1.0, 1 - repeats.left)
        out.insert(
            0, Cause(kind="data", subject=subject, share=share, onset=onset, evidence_for=["each counted once, so much of the change is gone"])
        )
    return out


def _share_of_codes(evidence: Evidence, odd: Odd) -> float | None:
    """Return how much of a change is gone in rows whose codes were not exchanged, or that are of other segments; None of other odd inputs, that all rows have."""
    return share_of_holes(evidence, [odd.feature]) if odd.how == "codes" or odd.place is not None else None


def of_places(evidence: Evidence, split: Sequence[Cause]) -> list[Cause]:
    """Return the causes of a split with what rows say: the part that other shares of rows account for, and where the rest comes from."""
    concept = next((c for c in split if c.kind == "concept"), None)
    is_rate = evidence.lead.metric in OF_A_RATE
    if concept is None and (is_rate or split):
        return list(split)
    rest = [c for c in split if c is not concept]
    mix, whole = told_mix(evidence.traces.mixes), 1.0 if concept is None or concept.share is None else concept.share
    out, left = rest, whole
    if mix is not None:
        part = min(1.0, mix.share)
        out, left = _with_mix(evidence, mix, whole * part, rest), whole * (1 - part)
    if concept is not None and left >= _WORTH_NAMING:
        scale = left / whole if whole else 1.0
        ends = [None if end is None else end * scale for end in (concept.low, concept.high)]
        out = [*out, _where(replace(concept, share=left, low=ends[0], high=ends[1]), evidence, is_all_of_it=mix is None)]
    elif concept is None and evidence.traces.place is not None and left >= _WORTH_NAMING:
        bare = Cause(
            kind="concept",
            subject="the outcome no longer follows the score",
            share=min(left, evidence.traces.place.share_of_change),
            onset=min(evidence.windows),
        )
        out = [*out, _where(bare, evidence, is_all_of_it=mix is None)]
    return out


def _with_mix(evidence: Evidence, mix: Mix, share: float, rest: Sequence[Cause]) -> list[Cause]:
    same = next((c for c in rest if c.kind == "covariate" and mix.column in c.subject), None)
    shares = f"{percent(mix.rows_now)} of rows have {mix.where}, usually {percent(mix.rows_usual)}"
    support = [
        shares,
        f"the model is as wrong there as it was; other shares of rows account for {percent(min(1.0, mix.share))} of what it did not expect",
    ]
    total = min(1.0, share + (same.share or 0.0 if same is not None else 0.0))
    kind, subject = (
        ("mix", f"the mix of {mix.column} changed: more rows of {mix.where}")
        if mix.role == "segment"
        else ("covariate", f"{INPUTS_CHANGED}{mix.column}")
    )
    cause = Cause(kind=kind, subject=subject, share=total, onset=min(evidence.windows), evidence_for=[*support, *(same.evidence_for if same else [])])
    return [cause, *(c for c in rest if c is not same)]


def _where(cause: Cause, evidence: Evidence, *, is_all_of_it: bool) -> Cause:
    """Return a change of the outcome with the place that most of it comes from: as rows show it, else the segment that the headline names.

    Where the mix accounts for a part of the excess, a segment's share of the whole says nothing of the rest.
    """
    place, segment = evidence.traces.place, carrier(evidence) if is_all_of_it else None
    if place is not None:
        where, share, whole = place.where, place.share_of_change, f"change are there{_rates(evidence)}"
        of_rows = place.share_of_rows
    elif segment is not None and not segment.metric:
        where, share, whole = segment.segment, segment.share_of_excess, "excess of all its windows are there"
        of_rows = segment.share_of_rows
    else:
        return cause
    support = f"{percent(of_rows)} of rows and {percent(min(1.0, share))} of the {whole}"
    return replace(cause, subject=f"{cause.subject}, where {where}", evidence_for=[*cause.evidence_for, support])


def _rates(evidence: Evidence) -> str:
    if evidence.traces.outcome is None:
        return ""
    now, usual, beyond = evidence.traces.outcome
    told = f"by {points(abs(beyond)).lstrip('+')} {'more' if beyond > 0 else 'less'} than the model expected"
    return f": the rate went from {percent(usual)} to {percent(now)}, {told}"
