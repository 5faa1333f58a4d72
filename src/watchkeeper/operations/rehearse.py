"""Rehearse: what a monitor would have paged over the past, beside what was paged. Nothing is written and nobody is told.

Belongs here: both lists, and which incidents of one are those of the other. Does not: judging (judge.py), printing (cli/rehearse.py).

The scores are those that were measured. So what changes the judgement can be tried (budget, targets, calendar, reference days), and what
changes the measuring cannot: new features, segments or KPIs have no scores yet, and are said.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import pyarrow.compute as pc

from watchkeeper.adapters.workspace import Home
from watchkeeper.judgement.incidents import Incident, fold
from watchkeeper.monitor import Monitor
from watchkeeper.operations.judge import judged
from watchkeeper.records import SEVERITIES, IncidentEvent, Score


@dataclass(frozen=True, slots=True)
class Pair:
    """An incident as it was, and as it would have been; one of both is None where it would be gone, or new.

    `shown` is the one to tell of: as it would have been, where it would.
    """

    before: Incident | None
    after: Incident | None
    shown: Incident

    @property
    def becomes(self) -> str:
        """Tell what the monitor would have changed: gone, new, same, graver or milder."""
        if self.after is None or self.before is None:
            return "gone" if self.after is None else "new"
        moved = SEVERITIES.index(self.after.severity) - SEVERITIES.index(self.before.severity)
        return "same" if moved == 0 else "graver" if moved > 0 else "milder"


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """All incidents of the time asked for, in order, and what the monitor names that was never measured."""

    model: str
    since: datetime
    until: datetime
    pairs: Sequence[Pair]
    unmeasured: Sequence[str]

    @property
    def before(self) -> int:
        """How many incidents there were."""
        return sum(pair.before is not None for pair in self.pairs)

    @property
    def after(self) -> int:
        """How many there would have been."""
        return sum(pair.after is not None for pair in self.pairs)


def rehearse(home: Home, monitor: Monitor, *, since: datetime, now: datetime) -> Rehearsal:
    """Judge what was measured by a monitor as it is given, as if for the first time, and set it beside the incidents that were recorded.

    Incidents count whose windows reach into [since, now), but for those that were taken back and those about a budget; all are of the monitor's environment.
    """
    mine = (pc.field("model") == monitor.model) & (pc.field("environment") == monitor.environment)
    recorded: list[IncidentEvent] = home.lake.newest(IncidentEvent, as_of=now, where=mine)
    before = [i for i in fold(recorded) if i.window_end > since and not i.is_withdrawn and i.family != "cost"]
    _, events = judged(home, monitor, [], now=now)
    after = [i for i in fold(events) if i.window_end > since]
    return Rehearsal(monitor.model, since, now, _paired(before, after), _unmeasured(home, monitor, now))


def _paired(before: Sequence[Incident], after: Sequence[Incident]) -> list[Pair]:
    """Pair incidents of one subject whose windows overlap, each with the first such; the rest stand alone."""
    left, pairs = list(before), []
    for new in after:
        old = next((i for i in left if (i.family, i.subject) == (new.family, new.subject) and _overlap(i, new)), None)
        if old is not None:
            left.remove(old)
        pairs.append(Pair(old, new, new))
    return sorted([*pairs, *(Pair(old, None, old) for old in left)], key=lambda p: (p.shown.window_start, p.shown.id))


def _overlap(one: Incident, other: Incident) -> bool:
    return one.window_start < other.window_end and other.window_start < one.window_end


def _unmeasured(home: Home, monitor: Monitor, now: datetime) -> list[str]:
    """Return the targets and KPIs of a monitor of which there is no score."""
    mine = (pc.field("model") == monitor.model) & (pc.field("computed_at") <= now)
    rows = home.lake.read(Score.TABLE, columns=["metric", "feature", "segment", "grain"], where=mine)
    names = ("metric", "feature", "segment", "grain")
    known = set() if rows is None else {tuple(row[n] for n in names) for row in rows.group_by(list(names)).aggregate([]).to_pylist()}
    targets = [t for t in monitor.targets if (t.metric, t.feature, t.segment, t.per) not in known]
    own = [kpi.name for kpi in monitor.kpis if kpi.name not in {metric for metric, *_ in known}]
    return [" of ".join(filter(None, (t.metric, t.feature or t.segment))) + f" by {t.per}" for t in targets] + own
