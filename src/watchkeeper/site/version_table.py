"""The table of versions: since when each has rows, whether it is calibrated, and its main KPI beside what it is compared with.

Belongs here: what is told of a version, and in which words. Does not: finding it out (operations/version_list.py), the rules
(judgement/standing.py).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from watchkeeper.records import Score
from watchkeeper.windows import Window
from watchkeeper.words import metric_text, window_text

SHOWN = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionLine:
    """What is told of one version in one environment; `score` is its main KPI over the last four weeks whose labels are due, if it had rows in them.

    `state` says what it is compared with, or why with nothing; `doubt` why that is not believed.
    """

    version: str
    environment: str
    first: datetime | None
    last: datetime | None
    rows: int
    is_calibrated: bool
    state: str
    doubt: str = ""
    score: Score | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionList:
    """The versions of a model, those with the newest rows first, and over which time their main KPI was measured."""

    lines: Sequence[VersionLine]
    metric: str = ""
    window: Window | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionTable:
    """The lines that a page shows, and a caption; without `has_environments` all are of the same one."""

    caption: str
    lines: Sequence[VersionLine]
    metric: str
    has_environments: bool


def version_table(found: VersionList, timezone: str) -> VersionTable | None:
    """Return the versions with the newest rows as a page shows them, None where there is but one to be told of."""
    if len(found.lines) < 2 and all(line.is_calibrated for line in found.lines):  # noqa: PLR2004 - one version is the model
        return None
    over = (
        f"{metric_text(found.metric)} over {window_text(found.window.start, found.window.end, timezone)}, with 95 % intervals. "
        if found.window
        else ""
    )
    left = f" The {len(found.lines) - SHOWN:,} whose rows are oldest are left out." if len(found.lines) > SHOWN else ""
    compared = "Each version is compared with a reference of its own, and is uncalibrated until it has one."
    return VersionTable(
        caption=f"{over}{compared}{left}",
        lines=found.lines[:SHOWN],
        metric=found.metric if found.window else "",
        has_environments=len({line.environment for line in found.lines}) > 1,
    )


def version_cells(metric: str, line: VersionLine, timezone: str) -> Mapping[str, object]:
    """Return a version as a row of a printed table: its main KPI stands under the name of that."""
    score = line.score
    kpi = {} if score is None else {metric: score.value, "low": score.low, "high": score.high, "reference_value": score.reference_value}
    return {
        "version": line.version,
        "environment": line.environment,
        "when": window_text(line.first, line.last, timezone),
        "rows": line.rows,
        "state": line.state,
        **kpi,
    }
