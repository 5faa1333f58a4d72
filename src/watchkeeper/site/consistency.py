"""Consistency in words: how often the same input came, and how often it came out otherwise.

Belongs here: what was found -> lines and rows of a table. Does not: finding it (operations/consistency.py), printing (cli/).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from watchkeeper.monitor import Monitor
from watchkeeper.windows import Window
from watchkeeper.words import counted, number_text, percent, percent_interval, window_text

_SHOWN = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """What one row of an input came to."""

    id: str
    score: float | None
    decision: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Repeat:
    """An input that came `times` times and out otherwise: two of its rows, those decided otherwise or else those furthest apart."""

    version: str
    times: int
    spread: float
    one: Output
    other: Output
    inputs: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Consistency:
    """How inputs that were scored more than once came out: `differing` of `repeated` otherwise, with a 95 % interval (Wilson).

    `inputs` are distinct ones of a version; a repeated one came under two ids or more. `mean_range` is the mean over repeated inputs of
    the largest less the smallest score, `pooled_sd` the standard deviation of scores within inputs. None where nothing is known.
    """

    model: str
    window: Window | None
    predictions: int = 0
    inputs: int = 0
    repeated: int = 0
    rows_repeated: int = 0
    differing: int = 0
    decided_otherwise: int = 0
    scored_otherwise: int = 0
    inconsistency_ratio: float | None = None
    low: float | None = None
    high: float | None = None
    mean_range: float | None = None
    largest_range: float | None = None
    pooled_sd: float | None = None
    examples: Sequence[Repeat] = ()


def consistency_lines(monitor: Monitor, found: Consistency) -> list[str]:
    """Return what was found as sentences: how many inputs repeat, how many of them came out otherwise, and by how much."""
    when = window_text(found.window.start, found.window.end, monitor.timezone) if found.window else "no days"
    head = f"{found.model}, {when}: {counted(found.predictions, 'prediction')}"
    if not found.repeated:
        return [f"{head}; no input came more than once. Cannot tell whether the same input comes out the same."]
    share = f"{percent(found.inconsistency_ratio, digits=1)} {percent_interval(found.low, found.high)}".rstrip()
    otherwise = f"{found.decided_otherwise:,} decided otherwise, {found.scored_otherwise:,} scored otherwise"
    lines = [
        f"{head}; {counted(found.repeated, 'input')} came more than once, in {counted(found.rows_repeated, 'prediction')}.",
        f"Came out otherwise: {found.differing:,} of {found.repeated:,}, {share}; {otherwise}.",
    ]
    if found.mean_range is not None:
        sizes = [number_text(x) for x in (found.mean_range, found.largest_range, found.pooled_sd)]
        lines.append(f"Scores of the same input lie {sizes[0]} apart in the mean, {sizes[1]} at most; standard deviation {sizes[2]}.")
    return lines


def consistency_cells(found: Consistency) -> list[dict[str, Any]]:
    """Return the rows of a table of examples; of long inputs the first columns are shown."""
    return [
        {
            "id": r.one.id,
            "other id": r.other.id,
            "times": r.times,
            "decisions": f"{r.one.decision} / {r.other.decision}" if r.one.decision or r.other.decision else "",
            "scores": " / ".join("none" if o.score is None else f"{o.score:.6g}" for o in (r.one, r.other)),
            "input": _input(r.inputs),
        }
        for r in found.examples
    ]


def _input(inputs: Mapping[str, Any]) -> str:
    shown = [f"{name}={value}" for name, value in list(inputs.items())[:_SHOWN]]
    return ", ".join([*shown, *([f"and {len(inputs) - _SHOWN} more"] if len(inputs) > _SHOWN else [])])
