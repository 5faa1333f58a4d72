"""Moves: which inputs differ from what they were in the weeks before, and since when.

Belongs here: each feature's PSI window by window -> the features that stand out, and which of them did so only later. Does not: what follows for the
causes (causes.py), inputs that are no longer what they were, such as another unit (odd_inputs.py).

An input that began to move while an incident went on is no cause of its beginning. It did where it jumped: its PSI was as usual in two windows of the incident
and more, and is far outside since. One that grows is there from the first.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from math import sqrt

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

_MOVED, _AS_USUAL = 3.5, 2.0  # spreads of the weeks before
_WORTH_NAMING = 0.1  # PSI below this is a shift nobody would act on
_LEAST_BASELINE, _LEAST_QUIET = 14, 2
_LEAST_SPREAD = 0.1
_MOST_WINDOWS = 4  # days of one spell are not independent
_TINY, _HALF = 1e-3, 0.5

INPUTS_CHANGED, SO_DID = "the inputs changed: ", "; so did "
"""The words after which a cause names inputs that moved."""

Series = Sequence[tuple[datetime, float]]
"""A feature's PSI in windows, which are told by their starts, in order."""


@dataclass(frozen=True, slots=True)
class Moved:
    """A feature whose distribution differs from that of the weeks before, in spreads of those weeks; `since` is when it jumped, None where it moved from the beginning on."""

    feature: str
    z: float
    since: datetime | None = None


def drift_between(scores: pa.Table, start: datetime, end: datetime) -> dict[str, Series]:
    """Return each feature's PSI in the windows of [start, end), from rows as in sql/judged_scores.sql."""
    kind = scores.schema.field("window_start").type
    inside = (pc.field("window_start") >= pa.scalar(start, kind)) & (pc.field("window_start") < pa.scalar(end, kind))
    rows = scores.filter((pc.field("metric") == "psi") & (pc.field("segment") == "") & inside & pc.field("value").is_valid())
    out: dict[str, list[tuple[datetime, float]]] = {}
    for feature, at, value in zip(*(rows.column(name).to_pylist() for name in ("feature", "window_start", "value")), strict=True):
        out.setdefault(feature, []).append((at, value))
    return {feature: sorted(found) for feature, found in out.items()}


def moved_features(before: Mapping[str, Series], during: Mapping[str, Series], bad: Collection[datetime] = ()) -> tuple[list[Moved] | None, int]:
    """Return the features whose PSI in the windows stands out from the 56 days before, and how many were compared.

    Of these days the windows that start at a `bad` moment are left out, where enough others are left: they do not show what is usual.
    The weeks before are the baseline, not the reference: against a reference of another season everything has moved.
    None when there are too few windows before to tell.
    """
    moved, compared = [], 0
    for feature, found in during.items():
        every = before.get(feature, ())
        clean = [one for one in every if one[0] not in bad]
        base, now = _logs(clean if len(clean) >= _LEAST_BASELINE else every), _logs(found)
        if len(base) < _LEAST_BASELINE or feature.startswith("@"):
            continue
        compared += 1
        spread = max(float(base.std(ddof=1)), _LEAST_SPREAD)
        change = float(now.mean()) - float(base.mean())
        z = change / (spread * sqrt(1 / min(len(now), _MOST_WINDOWS) + 1 / len(base)))
        if z > _MOVED and float(np.mean([value for _, value in found])) >= _WORTH_NAMING:
            moved.append(Moved(feature, z, _jumped(found, (now - float(base.mean())) / spread)))
    return (sorted(moved, key=lambda m: -m.z) if compared else None), compared


def begun_later(moved: Sequence[Moved] | None) -> datetime | None:
    """Return when the first of those inputs moved that did not from the beginning on, None where there is none."""
    return min((m.since for m in moved or () if m.since is not None), default=None)


def _logs(found: Series) -> np.ndarray:
    return np.log(np.array([value for _, value in found]) + _TINY)


def _jumped(found: Series, z: np.ndarray) -> datetime | None:
    """Return the window in which a feature's PSI jumped after some that were as usual, None where it did not; `z` are the spreads from what is usual."""
    values = np.array([value for _, value in found])
    outside = np.flatnonzero((z > _MOVED) & (values >= _WORTH_NAMING))
    first = int(outside[0]) if len(outside) else 0
    if first < _LEAST_QUIET or (z[:first] > _AS_USUAL).any() or values[first] < _HALF * float(np.median(values[first:])):
        return None
    return found[first][0]
