"""Data causes: why values, rows or labels are not as they were.

Belongs here: the cause of a data incident. Does not: that of a number of the model (causes.py), of segments whose rows do not come (missing_segments_story.py), the
words around it (data_story.py).
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from watchkeeper.judgement.breaks import BROKEN
from watchkeeper.judgement.evidence import Refused
from watchkeeper.judgement.fault_places import FaultPlace, placed
from watchkeeper.judgement.held_back import of_refused, of_set_aside
from watchkeeper.judgement.later_causes import begun_together
from watchkeeper.judgement.odd_inputs import EXCHANGED, Odd, codes_text, shares_text
from watchkeeper.records import Signal
from watchkeeper.story import Cause
from watchkeeper.words import listed

_NAMED = 4


def of_faults(
    signals: Sequence[Signal],
    set_aside: tuple[int, str] = (0, ""),
    refused: Sequence[Refused] = (),
    timezone: str = "UTC",
    odd: Sequence[Odd] = (),
    places: Mapping[str, FaultPlace] | None = None,
    gone: Sequence[str] = (),
    come: Sequence[str] = (),
) -> list[Cause]:
    """Return the cause of a data incident: which features lost their values together, and so come from one source, and in which segment (`places`); of those that failed later one more each.

    Of missing rows or labels it is intake, when it has set many aside (`set_aside`: how many, and the commonest reason) or
    `refused` whole files, else the feed. Of values that are not as expected, `odd` says what became of them, such as another unit and its factor.
    """
    if signals[0].metric in ("rows", "label_coverage"):
        return [_of_missing(signals, set_aside, refused)]
    if signals[0].metric == EXCHANGED:
        return of_codes(signals, timezone)
    return [replace(_of_features(mine, odd, places or {}, gone, come), is_later=n > 0) for n, mine in enumerate(begun_together(signals))]


def _of_features(signals: Sequence[Signal], odd: Sequence[Odd], places: Mapping[str, FaultPlace], gone: Sequence[str], come: Sequence[str]) -> Cause:
    """Return the fault of features that failed together."""
    features = sorted({s.feature for s in signals})
    together = "they failed together, so look at their common source" if len(features) > 1 else "it failed alone, so look at this column first"
    worst = max(signals, key=lambda s: s.value)
    what = {"null_ratio": "missing values", BROKEN: "values not as the suite expects"}.get(worst.metric, "unknown categories")
    mine = [name for name in gone if name.partition("=")[0] in features]
    new = [name for name in come if name.partition("=")[0] in features]
    also = f" and {len(new) - _NAMED} more" if len(new) > _NAMED else ""
    had = [f"new there: {listed(new[:_NAMED]) if not also else ', '.join(new[:_NAMED])}{also}"] if new else []
    had += [f"{listed(mine)} had no rows then, so these may be theirs"] if mine else []
    support = [*(o.text for o in odd if o.feature in features), *had, together]
    onset = min(s.window_start for s in signals)
    return Cause(
        kind="data",
        subject=f"{what} in {placed(features, places)}",
        onset=onset,
        evidence_for=support,
        columns=[name.removeprefix("@") for name in features],
    )


def of_codes(signals: Sequence[Signal], timezone: str) -> list[Cause]:
    """Return for each feature of which codes were exchanged which ones, as the window with most rows shows it."""
    out = []
    for feature in dict.fromkeys(s.feature for s in signals):
        mine = [s for s in signals if s.feature == feature]
        subject = codes_text(feature, shares_text(mine, timezone))
        support = ["the shares are those there always were, under other codes; rows that really are others hardly end at just these"]
        out.append(Cause(kind="data", subject=subject, onset=min(s.window_start for s in mine), evidence_for=support, columns=[feature]))
    return out


def _of_missing(signals: Sequence[Signal], set_aside: tuple[int, str], refused: Sequence[Refused]) -> Cause:
    of_labels = signals[0].metric == "label_coverage"
    what, onset = "labels" if of_labels else "rows", min(s.window_start for s in signals)
    short = sum(max(1.0, (s.expected - s.value) * (s.n if of_labels else 1)) for s in signals)
    held = of_set_aside(what, set_aside, short, onset) or of_refused(what, refused, onset)
    if held is not None:
        return held
    if of_labels:
        segments = sorted({s.segment for s in signals}) if all(s.segment for s in signals) else []
        of = f" of {listed(segments)}" if segments else ""
        subject = f"labels{of} arrive for a part of the predictions only" if any(s.value for s in signals) else f"labels{of} no longer arrive"
        return Cause(kind="data", subject=subject, onset=onset, evidence_for=["they have been due, and no file or query brought them"])
    return Cause(kind="data", subject="rows no longer arrive", onset=onset, evidence_for=["no file or query brought them"])
