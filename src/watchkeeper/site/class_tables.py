"""Several classes on a model's page: how each does against all others, and which is taken for which.

Belongs here: the tables' lines and captions. Does not: the page (model_page.py), reading the lake (operations/shown.py).
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from watchkeeper.records import CLASS, Score
from watchkeeper.windows import Window
from watchkeeper.words import counted, window_text

CLASS_KPIS = ("precision", "recall", "f1", "roc_auc")


@dataclass(frozen=True, slots=True, kw_only=True)
class Confusion:
    """How often each true class was decided for which, over one window: `counts[i][j]`, and last what was decided for none of `names`.

    Of the classes those with most labels are named; `others` is how many more there are.
    """

    window: Window
    names: Sequence[str]
    counts: Sequence[Sequence[int]]
    others: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassLine:
    """One class: its labelled rows, its numbers, and its row of the confusion."""

    name: str
    n: int
    scores: Sequence[Score | None]
    cells: Sequence["Cell"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """How many rows of one class were decided for one, and which share of the class that is."""

    count: int
    share: str
    is_right: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassTables:
    """Both tables, line by line, with their captions."""

    caption: str
    lines: Sequence[ClassLine]
    metrics: Sequence[str]
    decided: Sequence[str]
    confusion: str


def class_tables(found: Confusion | None, scores: Sequence[Score], timezone: str) -> ClassTables | None:
    """Return the tables of a model's classes, the most frequent first; None where nothing is labelled."""
    if found is None or not found.names:
        return None
    named: dict[str, dict[str, Score]] = defaultdict(dict)
    for score in scores:
        named[score.feature][score.metric] = score
    metrics = [m for m in CLASS_KPIS if any(score.metric == m and score.value is not None for score in scores)]
    has_others = any(row[-1] for row in found.counts)
    width = len(found.names) + has_others
    lines = [
        ClassLine(
            name=name,
            n=sum(row),
            scores=[named[CLASS + name].get(m) for m in metrics],
            cells=[Cell(count=count, share=_share(count, sum(row)), is_right=i == j) for j, count in enumerate(row[:width])],
        )
        for i, (name, row) in enumerate(zip(found.names, found.counts, strict=True))
    ]
    when = window_text(found.window.start, found.window.end, timezone)
    left = f" {counted(found.others, 'class')} with fewer labels {'is' if found.others == 1 else 'are'} left out." if found.others else ""
    return ClassTables(
        caption=f"{when}, each class against all others, with 95 % intervals.{left}",
        lines=lines,
        metrics=metrics,
        decided=[*found.names, *(["another, or none"] if has_others else [])],
        confusion=f"{when}: a line is what was true, a column what was decided; the share is of the line.",
    )


def _share(count: int, rows: int) -> str:
    """Return which share of the rows a count is, in points; empty of none, and never 0 where there is one, nor 100 where one is missing.

    >>> _share(1, 1000), _share(999, 1000), _share(1, 4), _share(0, 4)
    ('< 1 %', '> 99 %', '25 %', '')
    """
    if not count:
        return ""
    share = 100 * count / rows
    return "< 1 %" if share < 1 else "> 99 %" if 99 < share < 100 else f"{share:.0f} %"  # noqa: PLR2004
