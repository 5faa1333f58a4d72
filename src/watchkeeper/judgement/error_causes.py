"""Causes of a mean of row errors that rose: other shares of rows, and places where the model errs more than it did.

Belongs here: what rows show of a regression, of classes, or of decisions without a probability -> causes. Does not: finding it (traces.py, operations/traces.py), the split of a rate that a
model with one probability foresees (causes.py, row_causes.py).

Here no score foresees the outcome's rate, so inputs have the part of the rise that other shares of a feature's values make at the errors these usually had. The rest is a change of the
outcome, told only where a place stands out: without one nothing is known. All of it is attribution, not experiment.
"""

import re
from collections.abc import Sequence
from dataclasses import replace

from watchkeeper.judgement.evidence import Evidence
from watchkeeper.judgement.moves import INPUTS_CHANGED
from watchkeeper.judgement.traces import Mix, told_mix
from watchkeeper.story import Cause
from watchkeeper.words import percent, weeks_text

_WORTH_NAMING = 0.2


def of_errors(evidence: Evidence, data: Sequence[Cause]) -> list[Cause]:
    """Return the causes of an error that rose; faulty data (`data`) has the part of its own columns."""
    mix, whole = told_mix(evidence.traces.mixes), evidence.traces.error
    place, here = evidence.traces.place, evidence.traces.error_there
    if whole is None:
        return list(data)
    out, left = list(data), 1.0
    if mix is not None:
        left = 1.0 - min(1.0, mix.share)
        at_fault = _told_of(mix.column, data)
        if at_fault is None:
            out.append(_of_mix(evidence, mix))
        elif at_fault.share is None:
            out[out.index(at_fault)] = replace(
                at_fault, share=min(1.0, mix.share), evidence_for=[*at_fault.evidence_for, f"{whole.text} over all rows"]
            )
    if place is not None and here is not None and left >= _WORTH_NAMING and _told_of(place.column, data) is None:
        rest = "the change" if mix is None else "the rest of the change"
        out.append(
            Cause(
                kind="concept",
                subject=f"the outcome no longer follows the prediction, where {place.where}",
                share=left * min(1.0, place.share_of_change),
                onset=min(evidence.windows),
                evidence_for=[f"{here.text} where {place.where}", f"{percent(place.share_of_rows)} of rows and {percent(min(1.0, place.share_of_change))} of {rest} are there"],
            )
        )  # fmt: skip
    return out


def _told_of(column: str, data: Sequence[Cause]) -> Cause | None:
    """Return the fault of data whose subject names a column, as a whole word."""
    return next((c for c in data if re.search(rf"(?<!\w){re.escape(column)}(?!\w)", c.subject)), None)


def _of_mix(evidence: Evidence, mix: Mix) -> Cause:
    whole = evidence.traces.error
    share = min(1.0, mix.share)
    spread = max(0.0, mix.share - mix.low)
    moved = next((m for m in evidence.moved or [] if m.feature == mix.column), None)
    support = [
        f"{percent(mix.rows_now)} of rows have {mix.where}, usually {percent(mix.rows_usual)}",
        f"{whole.text if whole is not None else ''}, of which other shares of rows account for {percent(share)}: for such rows the model errs as it did",
        *([f"{moved.feature} stands {moved.z:.0f} spreads from the {weeks_text(evidence.baseline)} before"] if moved is not None else []),
    ]
    is_segment = mix.role == "segment"
    return Cause(
        kind="mix" if is_segment else "covariate",
        subject=f"the mix of {mix.column} changed: more rows of {mix.where}" if is_segment else f"{INPUTS_CHANGED}{mix.column}",
        share=share,
        low=min(share, max(0.0, mix.low)),
        high=min(1.0, share + spread),
        onset=min(evidence.windows),
        evidence_for=support,
    )
