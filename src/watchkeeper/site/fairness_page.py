"""A fairness audit as it is shown: its facts, one row a statement, and a page to be filed.

Belongs here: what the page and the table say. Does not: the statements (measures/fairness.py), or which rows they rest on
(operations/fairness.py).
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import version
from itertools import groupby
from typing import Any
from zoneinfo import ZoneInfo

from watchkeeper.measures.criteria import CRITERIA, Criterion
from watchkeeper.measures.fairness import FEW, LEAST, Statement, Verdict
from watchkeeper.site.render import page
from watchkeeper.words import counted, limit_text, listed, measured_text, moment_text, number_text, percent, window_text

COLUMNS = ("group", "metric", "verdict", "gap", "own", "others", "n", "needed", "note")


@dataclass(frozen=True, slots=True, kw_only=True)
class FairnessReport:
    """One audit: what was looked at, what was said, and on which counts it rests."""

    model: str
    task: str
    environment: str
    timezone: str
    start: datetime
    end: datetime
    windows: int
    window: str
    rows: int
    versions: Mapping[str, int]
    attributes: Sequence[str]
    verdict: Verdict
    level: float
    statements: Sequence[Statement]
    warnings: Sequence[str]
    content: str
    """SHA-256 of the counts."""
    bins: str
    computed_at: datetime

    @property
    def local_days(self) -> tuple[datetime, datetime]:
        """The local moments at which the span starts and ends, the end excluded."""
        zone = ZoneInfo(self.timezone)
        return self.start.astimezone(zone), self.end.astimezone(zone)


def summary(report: FairnessReport) -> str:
    """Return how many statements came to which verdict; a violation between two groups, which is stated of both, is one.

    >>> class Report: statements = ()
    >>> summary(Report)
    'nothing to compare'
    """
    tally = Counter(s.verdict for s in report.statements)
    apart = _violations(report.statements)
    both = "" if apart == tally["violation"] else f" (in {tally['violation']} rows: of two groups each is the other's rest)"
    said = [f"{counted(apart, 'violation')}{both}"] if apart else []
    said += [f"{tally['none']} no violation"] if tally["none"] else []
    said += [f"{tally['cannot tell']} cannot tell"] if tally["cannot tell"] else []
    return ", ".join(said) or "nothing to compare"


def _violations(statements: Sequence[Statement]) -> int:
    """Return how many gaps are violations: of an attribute with two groups both have the same gap."""
    groups: dict[str, set[str]] = {}
    for s in statements:
        groups.setdefault(s.attribute, set()).add(s.group)
    found = {(s.attribute, s.metric, "" if len(groups[s.attribute]) == 2 else s.group) for s in statements if s.verdict == "violation"}  # noqa: PLR2004 - as said
    return len(found)


def rows(report: FairnessReport) -> list[dict[str, Any]]:
    """Return one row a statement for a table, worst first."""
    return [_row(s) for s in report.statements]


def _row(s: Statement) -> dict[str, Any]:
    return {
        "group": s.group,
        "metric": s.metric,
        "verdict": s.verdict,
        "gap": measured_text(s.value, s.low, s.high),
        "own": number_text(s.rate, beside=[s.rest_rate]),
        "others": number_text(s.rest_rate, beside=[s.rate]),
        "n": s.n,
        "needed": s.needed,
        "note": "; ".join(text for text in (s.reason, "drawn towards what is expected of it" if s.is_shrunk else "") if text),
    }


def limits_text(criterion: Criterion) -> str:
    """Return between which limits nothing is wrong.

    >>> limits_text(CRITERIA["binary"][1])
    'between 0.8 and 1.25'
    """
    return f"between {limit_text(criterion.low)} and {limit_text(criterion.high)}"


def fairness_page(report: FairnessReport, *, workspace: str) -> str:
    """Return the page of an audit."""
    criteria = {c.name: c for c in CRITERIA[report.task]}
    used = [c for c in criteria.values() if any(s.metric == c.name for s in report.statements)]
    by_attribute = sorted(report.statements, key=lambda s: list(report.attributes).index(s.attribute))
    tables = [
        (attribute.replace("&", " and "), [_row(s) | {"title": criteria[s.metric].title, "rest_n": s.rest_n} for s in said])
        for attribute, said in groupby(by_attribute, key=lambda s: s.attribute)
    ]
    return page(
        "fairness.html",
        root="../",
        workspace=workspace,
        as_of=moment_text(report.computed_at, report.timezone),
        report=report,
        summary=summary(report),
        span=window_text(report.start, report.end, report.timezone),
        facts=_facts(report),
        tables=tables,
        definitions=[(c.title, c.meaning, limits_text(c), c.rows) for c in used],
        level=percent(report.level, digits=2),
        least=LEAST,
        few=FEW,
    )


def _facts(report: FairnessReport) -> list[tuple[str, str]]:
    named = [f"{name or 'not logged'} ({counted(n, 'row')})" for name, n in report.versions.items()]
    start, end = (f"{moment:%Y-%m-%d %H:%M %Z}" for moment in report.local_days)
    return [
        ("Model", report.model),
        ("Environment", report.environment),
        ("Versions of the model", listed(named)),
        ("From", start),
        ("Until, excluded", end),
        ("Windows with rows", counted(report.windows, report.window)),
        ("Predictions", f"{report.rows:,}"),
        ("Sensitive columns", "; ".join(a.replace("&", " with ") for a in report.attributes)),
        ("Level of each interval", percent(report.level, digits=2)),
        ("SHA-256 of the counts", report.content),
        ("Version of the bins", report.bins),
        ("Computed at", f"{report.computed_at:%Y-%m-%d %H:%M} UTC"),
        ("Written by", f"Watchkeeper {version('watchkeeper')}"),
    ]
