"""The overview: one row a model, the same in the terminal, in a Prefect artifact and on the first page.

Belongs here: the row and how it reads. Does not: how it is found out (operations/status.py) or the page around it (index_page.py).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from html import escape
from typing import Literal

from watchkeeper.judgement.promises import Promise, value_text
from watchkeeper.records import SEVERITIES, Severity
from watchkeeper.words import number_text, one_line, percent, window_text

State = Literal["misconfigured", "critical", "high", "warning", "behind", "unjudged", "notice", "new", "fine"]
STATES: tuple[State, ...] = ("misconfigured", "critical", "high", "warning", "behind", "unjudged", "notice", "new", "fine")
STATE_TEXTS: dict[State, str] = {
    "misconfigured": "monitor file is wrong",
    "critical": "critical incident",
    "high": "high incident",
    "warning": "warning",
    "behind": "behind",
    "unjudged": "not judged",
    "notice": "notice",
    "new": "no data yet",
    "fine": "fine",
}
COLUMNS = ("model", "owner", "state", "last window", "open incidents", "targets", "labels", "cost of last week")


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenIncident:
    """What the overview says about one incident."""

    incident_id: str
    severity: Severity
    headline: str
    state: str = "open"


@dataclass(frozen=True, slots=True, kw_only=True)
class OverviewRow:
    """How one model stands; the window is the newest that had rows, and so many measured since then had none."""

    model: str
    owner: str = ""
    state: State
    reason: str = ""
    timezone: str = "UTC"
    window_start: datetime | None = None
    window_end: datetime | None = None
    windows_without_rows: int = 0
    is_provisional: bool = False
    incidents: list[OpenIncident] = field(default_factory=list)
    targets: list[Promise] = field(default_factory=list)
    label_coverage: float | None = None
    maturity: str = ""
    new_classes: str = ""
    versions: str = ""
    compared_with: str = ""
    """The new normal that its newest windows are compared with, empty where that is the reference of the monitor file."""
    cost: float | None = None
    """Of the newest seven days, in `currency`."""
    currency: str = "USD"
    is_cost_synthetic: bool = False

    @property
    def needs_somebody(self) -> bool:
        """Tell whether a person should look: an incident that pages, a broken promise, a watch that does not work, or a model that nobody can judge."""
        return self.state in ("misconfigured", "critical", "high", "warning", "behind", "unjudged") or bool(self.targets_broken)

    @property
    def targets_kept(self) -> int:
        """How many promises were kept."""
        return sum(t.is_kept is True for t in self.targets)

    @property
    def targets_broken(self) -> list[Promise]:
        """The promises that were not."""
        return [t for t in self.targets if t.is_kept is False]


def worst_first(rows: Sequence[OverviewRow]) -> list[OverviewRow]:
    """Return rows with what needs somebody on top."""
    return sorted(rows, key=lambda r: (STATES.index(r.state), r.model))


def state_of(incidents: Sequence[OpenIncident], *, is_behind: bool, has_scores: bool, is_judged: bool = True) -> State:
    """Return the state of a model whose monitor can be read: behind while the watch does not see all, not judged while nobody can tell how good it is.

    >>> state_of([], is_behind=False, has_scores=True)
    'fine'
    """
    severity = max((i.severity for i in incidents), key=SEVERITIES.index, default=None)
    if severity is not None and severity != "notice":
        return severity
    if is_behind:
        return "behind"
    if not is_judged:
        return "unjudged"
    if severity:
        return "notice"
    return "fine" if has_scores else "new"


def overview_cells(row: OverviewRow) -> dict[str, str]:
    """Return column -> text of one row, keys as in COLUMNS."""
    return {
        "model": row.model,
        "owner": row.owner,
        "state": STATE_TEXTS[row.state],
        "last window": _window(row),
        "open incidents": _incidents(row),
        "targets": _targets(row),
        "labels": percent(row.label_coverage) or "none yet",
        "cost of last week": _cost(row),
    }


def overview_markdown(rows: Sequence[OverviewRow]) -> str:
    """Return the overview as a markdown table, for a Prefect artifact."""
    lines = [f"| {' | '.join(COLUMNS)} |", f"|{' --- |' * len(COLUMNS)}"]
    for row in worst_first(rows):
        cells = overview_cells(row)
        lines.append("| " + " | ".join(_escaped(cells[c]) for c in COLUMNS) + " |")
    return "\n".join([*lines, "", *_remarks(rows)])


def _remarks(rows: Sequence[OverviewRow]) -> list[str]:
    lines = [f"- **{r.model}**: {_escaped(r.reason)}" for r in worst_first(rows) if r.reason]
    lines += [f"- **{r.model}**: labels: {_escaped(r.new_classes)}" for r in worst_first(rows) if r.new_classes]
    lines += [
        f"- **{r.model}** ({i.severity}{'' if i.state == 'open' else f', {i.state}'}): {_escaped(i.headline)}"
        for r in worst_first(rows)
        for i in r.incidents
    ]
    return lines


def _escaped(text: str) -> str:
    return escape(one_line(text), quote=False).replace("|", "\\|")


def _window(row: OverviewRow) -> str:
    text = window_text(row.window_start, row.window_end, row.timezone) or "none"
    empty = f", {row.windows_without_rows:,} since without rows" if row.windows_without_rows else ""
    return text + (" (provisional)" if row.is_provisional else "") + empty


def _incidents(row: OverviewRow) -> str:
    counted = [(s, sum(i.severity == s for i in row.incidents)) for s in reversed(SEVERITIES)]
    return ", ".join(f"{n} {s}" for s, n in counted if n) or "none"


def _targets(row: OverviewRow) -> str:
    if not row.targets:
        return "none set"
    unknown = sum(t.is_kept is None for t in row.targets)
    parts = (
        [f"{row.targets_kept} kept"]
        + [f"broken: {t.text} (was {value_text(t, row.timezone)})" for t in row.targets_broken]
        + ([f"{unknown} not known"] if unknown else [])
    )
    return ", ".join(parts)


def _cost(row: OverviewRow) -> str:
    if row.cost is None:
        return "not measured"
    return number_text(row.cost, row.currency.lower()) + (" (synthetic)" if row.is_cost_synthetic else "")
