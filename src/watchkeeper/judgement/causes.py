"""Causes: what the evidence supports, what it rules out, and "unknown" when it supports nothing.

Belongs here: tests on evidence -> ranked causes. Does not: gathering evidence (evidence.py), words around it (story.py).

The split: observed - usual = (expected - usual expected) + (gap - usual gap). The first part is what the model's inputs
account for, the second what they do not. It is attribution, not experiment.
"""

from collections.abc import Sequence

from watchkeeper.judgement.evidence import Evidence
from watchkeeper.records import Cause, Signal
from watchkeeper.words import percent, points

_WORTH_NAMING = 0.2
_WORTH_POINTS = 0.05
_HALF = 0.5
_MISSING = 0.2
# A split of the outcome's rate explains these; it says nothing about how well scores rank.
_OF_A_RATE = ("calibration_gap", "calibration_gap_to_rest", "log_loss", "recall", "accuracy")


def causes(evidence: Evidence) -> list[Cause]:
    """Return the causes that tested evidence supports, the largest share first; empty means unknown."""
    found = [*_data(evidence), *_release(evidence)]
    if evidence.lead.metric in _OF_A_RATE:
        found += _split(evidence)
    return sorted(found, key=lambda c: -(c.share if c.share is not None else _HALF))


def of_faults(signals: Sequence[Signal]) -> list[Cause]:
    """Return the cause of a data incident: which features lost their values together, and so come from one source."""
    features = sorted({s.feature for s in signals})
    together = "they failed together, so look at their common source" if len(features) > 1 else "it failed alone, so look at this column first"
    worst = max(signals, key=lambda s: s.value)
    what = "missing values" if worst.metric == "null_ratio" else "unknown categories"
    return [Cause(kind="data", subject=f"{what} in {', '.join(features)}", onset=min(s.window_start for s in signals), evidence_for=[together])]


def ruled_out(evidence: Evidence) -> list[str]:
    """Return what was tested and found not to be the cause."""
    out = []
    if evidence.moved is not None and not evidence.moved:
        out.append(f"a change of inputs (none of {evidence.compared} features stands out from the 8 weeks before)")
    if not any(s.metric == "null_ratio" for s in evidence.faults):
        out.append("missing values")
    if not any(s.metric == "unseen_ratio" for s in evidence.faults):
        out.append("new categories")
    if not evidence.changes:
        out.append("a release or any other recorded change")
    return out


def _split(evidence: Evidence) -> list[Cause]:
    """Split a change of the outcome's rate into what the inputs account for and what they do not."""
    gap, usual = evidence.gap, evidence.usual_gap or 0.0
    if gap is None or gap.value is None or evidence.observed is None or evidence.usual_observed is None or evidence.usual_expected is None:
        return []
    unexplained = gap.value - usual
    inputs = (evidence.observed.value or 0.0) - gap.value - evidence.usual_expected
    change, doubt = unexplained + inputs, 1.96 * (gap.se or 0.0)
    if abs(unexplained) < max(_WORTH_POINTS, doubt):
        return _inputs(evidence, inputs, change)
    if change * unexplained <= 0 or abs(unexplained) >= abs(change):
        return [_concept(evidence, unexplained, inputs, 1.0, doubt)]
    is_shared = inputs / change >= _WORTH_NAMING or evidence.moved
    return [_concept(evidence, unexplained, inputs, unexplained / change, doubt), *(_inputs(evidence, inputs, change) if is_shared else [])]


def _concept(evidence: Evidence, unexplained: float, inputs: float, share: float, doubt: float) -> Cause:
    spread = doubt / max(abs(unexplained + inputs), abs(unexplained))
    still = evidence.moved is not None and not evidence.moved
    subject = "the outcome changed, not the inputs" if still or share >= 1.0 else "the outcome changed more than the inputs account for"
    support = [f"inputs alone would have moved the rate by {points(inputs)}, the rest is {points(unexplained)}"]
    against = [f"{', '.join(m.feature for m in evidence.moved[:3])} moved too"] if evidence.moved else []
    return Cause(
        kind="concept",
        subject=subject,
        share=share,
        low=max(0.0, share - spread),
        high=min(1.0, share + spread),
        onset=min(evidence.windows),
        evidence_for=support,
        evidence_against=against,
    )


def _inputs(evidence: Evidence, inputs: float, change: float) -> list[Cause]:
    if not evidence.moved or change == 0 or inputs / change <= 0:
        return []
    names = ", ".join(m.feature for m in evidence.moved[:3])
    support = [f"{m.feature} stands {m.z:.0f} spreads from the 8 weeks before" for m in evidence.moved[:3]]
    return [
        Cause(
            kind="covariate",
            subject=f"the inputs changed: {names}",
            share=min(1.0, inputs / change),
            onset=min(evidence.windows),
            evidence_for=support,
        )
    ]


def _data(evidence: Evidence) -> list[Cause]:
    faults = [s for s in evidence.faults if s.value >= _MISSING]
    if not faults:
        return []
    worst = max(faults, key=lambda s: s.value)
    names = ", ".join(sorted({s.feature for s in faults})[:4])
    what = "missing" if worst.metric == "null_ratio" else "in categories never seen before"
    support = [f"{worst.feature}: {percent(worst.value)} of rows {what}, usually {percent(worst.expected)}"]
    return [Cause(kind="data", subject=f"faulty data: {names}", onset=min(s.window_start for s in faults), evidence_for=support)]


def _release(evidence: Evidence) -> list[Cause]:
    out = []
    for change in evidence.changes:
        hours = (min(evidence.windows) - change.at).total_seconds() / 3600
        when = f"{hours:.0f} h before the first bad window" if hours >= 0 else f"{-hours:.0f} h after the first bad window began"
        name = " ".join(part for part in (change.kind, change.version, change.note) if part)
        out.append(
            Cause(
                kind=change.kind,
                subject=f"{name}, recorded by {change.who or 'nobody named'}",
                onset=change.at,
                evidence_for=[f"took effect {when}"],
                evidence_against=["coincidence in time alone: no split by version was possible"],
            )
        )
    return out
