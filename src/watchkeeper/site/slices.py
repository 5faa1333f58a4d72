"""Worst slices in words: where a model fails most, how much, and how sure that is.

Belongs here: what a search found -> lines and rows of a table. Does not: searching (operations/worst_slice.py), printing (cli/).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from watchkeeper.monitor import Monitor
from watchkeeper.windows import Window
from watchkeeper.words import counted, measured_text, number_text, one_line, percent, percent_interval, points, window_text

LossName = Literal["wrong", "log loss", "absolute error"]


@dataclass(frozen=True, slots=True, kw_only=True)
class WorstSlice:
    """Rows alike in one or two features that do worse than the rest.

    `rows` and `share` are of all labelled rows; `inside`, `outside` (mean losses), `effect` with its 95 % interval and `p_adjusted` of the
    `held` rows of the half that the choice did not see. Without an interval `low` and `high` are None.
    """

    where: str
    rows: int
    share: float
    held: int
    inside: float
    outside: float
    effect: float
    low: float | None
    high: float | None
    p_adjusted: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SliceSearch:
    """What a search looked at and found; where it found nothing, `reason` says why. `mean` is that of all labelled rows."""

    model: str
    window: Window | None
    loss: LossName
    predictions: int = 0
    labelled: int = 0
    mean: float | None = None
    features: int = 0
    candidates: int = 0
    slices: Sequence[WorstSlice] = ()
    reason: str = ""
    is_provisional: bool = False


def slice_lines(monitor: Monitor, found: SliceSearch) -> list[str]:
    """Return what a search found as sentences: what was looked at, then where it fails most, or why nothing is said."""
    lines = [_looked_at(monitor, found)] if found.window else []
    if found.is_provisional:
        lines.append("Labels of these days are still due, and those that came first are a biased sample.")
    if not found.slices:
        return [*lines, f"{found.reason[:1].upper()}{found.reason[1:]}."]
    worst = found.slices[0]
    size = f"{counted(worst.rows, 'row')} ({percent(worst.share)})"
    inside, outside = _said(monitor, found, worst.inside), _value(monitor, found, worst.outside)
    searched = f"{counted(found.candidates, 'slice')} of {counted(found.features, 'feature')}"
    return [
        *lines,
        f"Worst where {one_line(worst.where)}: {size}, {inside} against {outside} of the rest, {effect_text(monitor, found, worst)}.",
        f"Chosen and ordered on one half of the rows, from {searched}; means and effects are those of the other half, which the choice did not see.",
        "This says where it fails, and not why.",
    ]


def slice_cells(monitor: Monitor, found: SliceSearch) -> list[dict[str, Any]]:
    """Return the rows of a table of slices."""
    return [
        {
            "where": one.where,
            "rows": one.rows,
            "share": percent(one.share),
            found.loss: _value(monitor, found, one.inside),
            "rest": _value(monitor, found, one.outside),
            "effect": effect_text(monitor, found, one),
            "p": _p_text(one.p_adjusted),
        }
        for one in found.slices
    ]


def effect_text(monitor: Monitor, found: SliceSearch, one: WorstSlice) -> str:
    """Return how much worse a slice is than the rest, with its interval."""
    if found.loss == "wrong":
        return f"{points(one.effect)} {percent_interval(one.low, one.high)}".rstrip()
    text = measured_text(one.effect, one.low, one.high, "truth" if found.loss == "absolute error" else "", truth=monitor.wording.unit)
    return f"+{text}"


def _looked_at(monitor: Monitor, found: SliceSearch) -> str:
    window = window_text(found.window.start, found.window.end, monitor.timezone) if found.window else ""
    known = f"{found.labelled:,} of {counted(found.predictions, 'prediction')} have a label"
    return f"{found.model}, {window}: {known}" + ("." if found.mean is None else f"; {_said(monitor, found, found.mean)}.")


def _said(monitor: Monitor, found: SliceSearch, mean: float) -> str:
    value = _value(monitor, found, mean)
    return f"{value} wrong" if found.loss == "wrong" else f"mean {found.loss} {value}"


def _value(monitor: Monitor, found: SliceSearch, mean: float) -> str:
    if found.loss == "wrong":
        return percent(mean)
    return number_text(mean, "truth" if found.loss == "absolute error" else "", truth=monitor.wording.unit)


def _p_text(p: float) -> str:
    least = 1e-4
    return "< 0.0001" if p < least else f"{p:.2g}"
