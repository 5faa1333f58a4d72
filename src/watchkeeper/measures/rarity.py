"""Rarity: where one value lies in the reference, from the reference's counts.

Belongs here: value and counts -> place, in numbers and in words. Does not: reading the row (operations/explain.py).
"""

from dataclasses import dataclass
from math import isfinite
from typing import Any

import numpy as np

from watchkeeper.measures.views import FeatureView
from watchkeeper.words import number_text, share_text

RARE = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a value lies: of numbers the share of the reference below it, and of all the share in the same cell; None where unknown."""

    below: float | None = None
    share: float | None = None
    said: str = ""
    is_unusual: bool = False


NOWHERE = Place(said="not compared: the reference has no values of it")
UNCOUNTED = Place(said="not compared: the reference is not counted yet as the monitor now has it; `watchkeeper run` does so")


def place_of(view: FeatureView, value: Any) -> Place:
    """Return where a value lies in the reference's counts; a number is given as a float, a category as its text, what is missing as None."""
    if view.counts.n == 0:
        return NOWHERE
    if value is None or (isinstance(value, float) and value != value):  # noqa: PLR0124 - NaN alone is unlike itself
        return _missing(view)
    if view.counts.valued == 0:
        return NOWHERE
    return _of_number(view, float(value)) if view.bins.kind == "numeric" else _of_category(view, str(value))


def _missing(view: FeatureView) -> Place:
    share = (view.counts.nulls + view.counts.nans) / view.counts.n
    return Place(share=share, said=f"missing, as in {share_text(share)} of the reference", is_unusual=share < RARE)


def _of_number(view: FeatureView, value: float) -> Place:
    counts, known = view.fine, view.counts
    cell = int(np.searchsorted(np.asarray(view.bins.edges), value, side="left"))
    total = counts.sum()
    below, share = float(counts[:cell].sum() / total), float(counts[cell] / total)
    if isfinite(known.high) and value > known.high:
        return Place(below=1.0, share=0.0, said=f"above all of the reference, whose highest is {number_text(known.high)}", is_unusual=True)
    if isfinite(known.low) and value < known.low:
        return Place(below=0.0, share=0.0, said=f"below all of the reference, whose lowest is {number_text(known.low)}", is_unusual=True)
    above = max(0.0, 1 - below - share)
    said = f"higher than {share_text(below)} of the reference" if below >= above else f"lower than {share_text(above)} of the reference"
    return Place(below=below, share=share, said=said, is_unusual=min(below, above) + share <= RARE)


def _of_category(view: FeatureView, value: str) -> Place:
    cell = view.bins.known.get(value, view.bins.unseen)
    if cell == view.bins.unseen:
        return Place(share=0.0, said="never seen in the reference", is_unusual=True)
    if cell == len(view.bins.categories):
        rest = float(view.fine[cell] / view.counts.valued)
        return Place(said=f"among the rare ones, together {share_text(rest)} of the reference", is_unusual=True)
    share = float(view.fine[cell] / view.counts.valued)
    return Place(share=share, said=f"{share_text(share)} of the reference", is_unusual=share < RARE)
