"""Causes: what the evidence supports, what it rules out, and "unknown" when it supports nothing.

Belongs here: tests on evidence -> ranked causes. Does not: gathering evidence (evidence.py), data that are at fault themselves (data_causes.py), changes and releases
(changes.py), what rows show (row_causes.py), services (service_causes.py), words around it (story.py).

The split: observed - usual = (expected - usual expected) + (gap - usual gap). The first part is what the model's inputs
account for, the second what they do not; where the two run against each other, the scores made the gap and not the outcome.
It is attribution, not experiment.

Inputs account for nearly nothing when their part is less than a tenth, surely less than a fifth, or points the other way, and none
of them stands out. Only then is it said that the inputs did not change the outcome, and only below a tenth are they ruled out.
"""

from collections.abc import Sequence
from dataclasses import replace

from watchkeeper.judgement.changes import cleared, of_changes
from watchkeeper.judgement.data_causes import of_codes
from watchkeeper.judgement.error_causes import of_errors
from watchkeeper.judgement.evidence import OF_A_RATE, Evidence, places_of
from watchkeeper.judgement.fault_places import FAULTY, placed
from watchkeeper.judgement.later_causes import of_the_beginning, with_later
from watchkeeper.judgement.moves import INPUTS_CHANGED, SO_DID
from watchkeeper.judgement.odd_inputs import EXCHANGED, are_exchanged, codes_text
from watchkeeper.judgement.parted import with_parted
from watchkeeper.judgement.row_causes import of_inputs, of_labels, of_places, share_of_holes
from watchkeeper.judgement.service_causes import of_service
from watchkeeper.judgement.strain_causes import cleared_strains, of_one_host, of_strains
from watchkeeper.judgement.traces import told_mix
from watchkeeper.spelling import segment_pairs
from watchkeeper.story import Cause
from watchkeeper.windows import grain_of
from watchkeeper.words import counted, percent, points, weeks_text

_WORTH_NAMING = 0.2
_WORTH_POINTS, _WORTH_OF_A_RATE = 0.05, 0.1
_HALF = 0.5
_MISSING = 0.2
_CLOSE = 0.1
_PARTS = ("concept", "model", "covariate")
_NEARLY_NOTHING = 0.1
_SCORES_MOVED = "the model's scores moved, not the outcome"
_SCORES_MOVED_TOO = "the model's scores moved against the outcome"


def causes(evidence: Evidence) -> list[Cause]:
    """Return the causes that tested evidence supports, the likeliest first, those that came later last; empty means unknown.

    What broke first in the chain explains what follows from it: labels that say one thing of every row come first, of a segment an exchange of the
    codes that it is known by (what is told of it is of other rows than before), then data that broke while the scores moved, a change that came as the scores moved though no input did, and what rows show of where the outcome or the mix changed.
    """
    if evidence.lead.family == "service":
        return of_service(evidence)
    found = with_later(evidence, _of_beginning(evidence))
    first = of_the_beginning(evidence, found)
    return found if first is None else with_later(evidence, _of_beginning(first))


def _of_beginning(evidence: Evidence) -> list[Cause]:
    """Return the causes of what began, the likeliest first."""
    faulty = _data(evidence)
    spoilt = [*of_labels(evidence), *(renamed := _of_other_rows(evidence, faulty))]
    by_errors = evidence.traces.error is not None
    changes, split = of_changes(evidence), _split(evidence) if evidence.lead.metric in OF_A_RATE and not spoilt and not by_errors else []
    moved = next((c for c in split if c.subject.startswith((_SCORES_MOVED, _SCORES_MOVED_TOO))), None)
    told = {c.subject for c in renamed}
    have_moved = evidence.traces.has_outrun if by_errors else moved is not None or not split
    data = [*(c for c in faulty if c.subject not in told), *of_inputs(evidence, have_scores_moved=have_moved)]
    data = of_errors(evidence, data) if by_errors and not spoilt else data
    others = [c for c in split if c is not moved]
    before = [*data, *changes] if moved is None else _moved_by(evidence, moved, data, changes)
    found = [*before, *(of_places(evidence, others) if not spoilt and moved is None and not by_errors else others)]
    hardware = [*of_strains(evidence), *of_one_host(evidence)]
    return with_parted(evidence, [*spoilt, *sorted([*hardware, *found], key=lambda c: -_weight(c))])


def _of_other_rows(evidence: Evidence, data: Sequence[Cause]) -> list[Cause]:
    """Return of the causes those of exchanged codes by which the leading number's segment is known, with what follows for it."""
    segment = evidence.lead.segment
    told = tuple(codes_text(column, "") for column, value in segment_pairs(segment) if are_exchanged(evidence.faults, column, value))
    mine = [c for c in data if told and c.subject.startswith(told)]
    return [replace(c, evidence_for=[f"the rows called {segment} are others than before", *c.evidence_for]) for c in mine]


def _weight(cause: Cause) -> float:
    """Return by what causes are ranked: their share; without one a half where anything speaks for it. Broken data, or hosts, that account for most precede what follows from them."""
    share = cause.share if cause.share is not None else _HALF if cause.evidence_for else 0.0
    return 1.0 + share if cause.kind in ("data", "infrastructure") and cause.share is not None and share >= _HALF else share


def _moved_by(evidence: Evidence, moved: Cause, data: list[Cause], changes: list[Cause]) -> list[Cause]:
    """Return data, changes, and scores that moved; what explains that has its share, and it is then not told by itself.

    A config or the data that people changed may move inputs and scores, broken data too; a release moves scores, but no input. Where rows of two
    versions were compared, what they say stands.
    """
    if not data and any(c.kind == "release" and (c.share or 0.0) >= _HALF for c in changes):
        return changes
    timely = [c for c in changes if c.share is None and c.evidence_for]
    by = next((c for c in timely if c.kind in ("config", "data")), None) or next(iter(data), None)
    by = by or (next((c for c in timely if c.kind == "release"), None) if not evidence.moved else None)
    if by is None:
        return [*data, *changes, moved]
    told = replace(by, share=moved.share, evidence_for=[*by.evidence_for, *moved.evidence_for])
    return [told, *(c for c in (*data, *changes) if c is not by)]


def undecided(found: Sequence[Cause]) -> list[Cause]:
    """Return the leading cause, and those parts of the same split that may account for as much: more than one is not decided."""
    parts = [c for c in found if c.kind in _PARTS and c.share is not None]
    if not found or not parts or found[0] is not parts[0] or found[0].share is None:
        return list(found[:1])
    least = min(found[0].share - _CLOSE, 1.0 if found[0].low is None else found[0].low)
    return [found[0], *(c for c in parts[1:] if (c.share or 0.0) >= least)]


def ruled_out(evidence: Evidence, found: Sequence[Cause] = ()) -> list[str]:
    """Return what was tested and found not to be the cause; what is a later one of those `found` is not ruled out."""
    if evidence.lead.family == "service":
        return [*cleared_strains(evidence), *cleared(evidence)]
    out = []
    have_moved = _has_moved_errors(evidence) or (evidence.traces.error is not None and evidence.noticed)
    every = [*evidence.faults, *evidence.later_faults]
    names_inputs = bool(evidence.parted) or any(c.kind == "covariate" or c.columns for c in found)
    if (
        evidence.moved is not None
        and not evidence.moved
        and _part_of_inputs(evidence) < _NEARLY_NOTHING
        and not (have_moved or every or names_inputs)
    ):
        out.append(f"a change of inputs (none of {counted(evidence.compared, 'feature')} stands out from the {weeks_text(evidence.baseline)} before)")
    if not any(s.metric == "null_ratio" for s in every):
        out.append("missing values")
    if not any(s.metric == "unseen_ratio" for s in every):
        out.append("new categories")
    named = [c.subject for c in found if c.is_later]
    if harmless := [name for name in evidence.faulty_later if not any(name in said for said in named)]:
        out.append(
            f"{FAULTY}: {', '.join(harmless)}, as what began this (it came after the first alarm; mend it all the same, for it may keep this going)"
        )
    released = [] if any(c.kind == "release" for c in found) else cleared(evidence)
    return [*out, *cleared_strains(evidence), *released]


def _has_moved_errors(evidence: Evidence) -> bool:
    """Tell whether other shares of an input's values account for a part of an error's rise, though no input stands out by itself."""
    mix = told_mix(evidence.traces.mixes) if evidence.traces.error is not None else None
    return mix is not None and mix.role == "feature"


def _split(evidence: Evidence) -> list[Cause]:
    """Split a change of the gap between outcome and model: did the outcome move, or what the model said?

    The gap is the outcome's rate less the mean score, so its change is that of the rate less that of the scores. A model that
    follows the rate makes the change smaller; one that moves the other way, or further than the rate, makes the gap itself.
    """
    moves = _moves(evidence)
    if moves is None or evidence.is_provisional:
        return [] if moves is None else _certain(evidence, *moves)
    outcome, scores, doubt = moves
    unexplained = outcome - scores
    worth = _worth(evidence)
    if abs(unexplained) < max(worth, doubt):
        have_run_ahead = abs(unexplained) > doubt and abs(scores) > max(2 * abs(outcome), worth / 2)
        return [_model(evidence, outcome, scores, 1.0)] if have_run_ahead else _inputs(evidence, scores, outcome)
    if outcome * unexplained > 0 and scores * outcome >= 0:
        is_shared = scores / outcome >= _WORTH_NAMING or evidence.moved
        return [_concept(evidence, outcome, scores, unexplained / outcome, doubt), *(_inputs(evidence, scores, outcome) if is_shared else [])]
    by_scores = -scores / unexplained if outcome * unexplained > 0 else 1.0
    if abs(scores) < worth or by_scores < (_WORTH_NAMING if evidence.moved else _HALF - _CLOSE / 2):
        return [_concept(evidence, outcome, scores, 1 - max(0.0, by_scores), doubt)]
    if abs(outcome) < worth or by_scores > 1 - _WORTH_NAMING:
        return [_model(evidence, outcome, scores, 1.0)]
    return [_concept(evidence, outcome, scores, 1 - by_scores, doubt), _model(evidence, outcome, scores, by_scores)]


def _certain(evidence: Evidence, outcome: float, scores: float, doubt: float) -> list[Cause]:
    """Return a change of the outcome where it is certain whatever the missing labels say: the rate moved at least by `outcome`, and by more than the scores."""
    unexplained = outcome - scores
    if abs(unexplained) < max(_worth(evidence), doubt) or outcome * unexplained <= 0 or abs(outcome) < _worth(evidence):
        return []
    share = unexplained / outcome if scores * outcome >= 0 else 1 + scores / unexplained
    found = _concept(evidence, outcome, scores, share, doubt)
    return [replace(found, high=1.0)] if share >= _HALF else []


def _worth(evidence: Evidence) -> float:
    """Return the least move of a rate that is worth an explanation: five points, and of a rare outcome, or a rare one that stays out, a tenth of its rate."""
    usual = evidence.usual_observed or 0.0
    return min(_WORTH_POINTS, _WORTH_OF_A_RATE * min(usual, 1 - usual)) if 0 < usual < 1 else _WORTH_POINTS


def _moves(evidence: Evidence) -> tuple[float, float, float] | None:
    """Return by how much the outcome's rate and the mean score moved in the windows out of line, and the doubt of their difference; None when not measured."""
    observed, gap = (evidence.observed, evidence.gap) if evidence.bad_gap is None else (evidence.bad_observed, evidence.bad_gap)
    if gap is None or gap.value is None or observed is None or evidence.usual_observed is None or evidence.usual_expected is None:
        return None
    scores = (observed.value or 0.0) - gap.value - evidence.usual_expected
    return gap.value - (evidence.usual_gap or 0.0) + scores, scores, 1.96 * (gap.se or 0.0)


def _part_of_inputs(evidence: Evidence) -> float:
    """Return the part of the outcome's change that the model foresaw from its inputs; 0 when it foresaw none, or the outcome hardly changed."""
    moves = _moves(evidence) if evidence.lead.metric in OF_A_RATE else None
    if moves is None or abs(moves[0]) < _worth(evidence):
        return 0.0
    outcome, scores, doubt = moves
    overshot = abs(scores) - abs(outcome) >= max(_worth(evidence), doubt)
    return 0.0 if scores * outcome <= 0 or overshot else min(1.0, scores / outcome)


def _concept(evidence: Evidence, outcome: float, scores: float, share: float, doubt: float) -> Cause:
    spread = doubt / max(abs(outcome), abs(outcome - scores))
    part = _part_of_inputs(evidence)
    is_still = not evidence.moved and part < _NEARLY_NOTHING and part + (spread if part else 0.0) < 2 * _NEARLY_NOTHING
    subject = "the outcome changed, not the inputs" if is_still else "the outcome changed more than the inputs account for"
    extent = f"inputs account for {percent(part)} of the change: they" if part >= _NEARLY_NOTHING else "inputs"
    bound = "at least " if evidence.is_provisional else ""
    rest = f"it moved by {bound}{points(outcome)}" if scores * outcome < 0 else f"the rest is {bound}{points(outcome - scores)}"
    on = "" if evidence.bad_gap is None else f" on its bad {grain_of(evidence.first_end - min(evidence.windows))}s"
    support = [f"{extent} alone would have moved the rate by {points(scores)}{on}, {rest}"]
    return Cause(
        kind="concept",
        subject=subject,
        share=share,
        low=max(0.0, share - spread),
        high=min(1.0, share + spread),
        onset=min(evidence.windows),
        evidence_for=support,
        evidence_against=[f"{', '.join(m.feature for m in evidence.moved[:3])} moved too"] if evidence.moved else [],
    )


def _model(evidence: Evidence, outcome: float, scores: float, share: float) -> Cause:
    """Return the cause of a gap that the scores made: by features that moved, where some did, else by the model or what feeds it."""
    names = ", ".join(m.feature for m in (evidence.moved or [])[:3])
    subject = _SCORES_MOVED if share >= 1.0 else _SCORES_MOVED_TOO
    stayed = evidence.versions is not None and not evidence.versions.came
    return Cause(
        kind="covariate" if names else "model",
        subject=f"{subject}{SO_DID}{names}" if names else subject,
        share=share,
        onset=min(evidence.windows),
        evidence_for=[f"the mean score moved by {points(scores)}, the outcome's rate by {points(outcome)}", *_spreads(evidence)],
        evidence_against=[]
        if evidence.moved is None or names
        else [f"no input moved beyond what is usual from week to week: look at {'' if stayed else 'the release and at '}how features are made"],
    )


def _inputs(evidence: Evidence, inputs: float, change: float) -> list[Cause]:
    if not evidence.moved or change == 0 or inputs / change <= 0:
        return []
    names = ", ".join(m.feature for m in evidence.moved[:3])
    return [
        Cause(
            kind="covariate",
            subject=f"{INPUTS_CHANGED}{names}",
            share=min(1.0, inputs / change),
            onset=min(evidence.windows),
            evidence_for=_spreads(evidence),
        )
    ]


def _spreads(evidence: Evidence) -> list[str]:
    return [f"{m.feature} stands {m.z:.0f} spreads from the {weeks_text(evidence.baseline)} before" for m in (evidence.moved or [])[:3]]


def _data(evidence: Evidence) -> list[Cause]:
    exchanged = {s.feature for s in evidence.faults if s.metric == EXCHANGED}
    codes = [
        replace(cause, share=share_of_holes(evidence, [feature]))
        for feature in sorted(exchanged)
        for cause in of_codes([s for s in evidence.faults if s.metric == EXCHANGED and s.feature == feature], evidence.timezone)
    ]
    faults = [s for s in evidence.faults if s.value >= _MISSING and s.feature and s.metric != EXCHANGED]
    at_fault = {s.feature for s in faults}
    broken = [b for b in evidence.broken if b.column not in at_fault]
    if not faults and not broken:
        return codes
    names = list(dict.fromkeys([*sorted(at_fault), *(b.column for b in broken)]))
    support = []
    if faults:
        worst = max(faults, key=lambda s: s.value)
        what = "missing" if worst.metric == "null_ratio" else "in categories that the reference lacks"
        support = [f"{worst.feature}: {percent(worst.value)} of rows {what}, usually {percent(worst.expected)}"]
    support += [f"{percent(b.share)} of {b.column} not as the suite expects ({b.expectation}), usually {percent(b.usual)}" for b in broken[:3]]
    support += [o.text for o in evidence.traces.odd if o.feature in names]
    onset = min([s.window_start for s in faults] or evidence.windows)
    share = share_of_holes(evidence, names)
    return [
        Cause(
            kind="data",
            subject=f"{FAULTY}: {placed(names[:4], places_of(faults, evidence.fault_places))}",
            share=share,
            onset=onset,
            evidence_for=support,
            columns=[name.removeprefix("@") for name in names],
        ),
        *codes,
    ]
