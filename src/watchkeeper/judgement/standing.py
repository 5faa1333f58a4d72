"""Standing: what the numbers of each version of a model are compared with, and which versions of a window are measured apart.

Belongs here: rows by version -> whose windows are a version's reference. Does not: reading rows (operations/version_book.py), which versions
came with trouble (versions.py), who answers in place of whom (succession.py).

The rules: the version with most rows in the model's reference is compared with that. Any other one is compared with the days that the monitor
names for it, or with the first windows of its own in the same environment: those whose labels are due, and in which it had 100 rows or half of
all. Until there are enough of them it is uncalibrated. Of a window's versions the twenty with most rows are measured apart, if they have 20 rows
or half of all; the rows of the others are told together.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from watchkeeper.monitor import Monitor
from watchkeeper.profiles.groups import NULL, REST
from watchkeeper.reference import Days
from watchkeeper.windows import Window, local_midnight
from watchkeeper.words import counted, listed, version_text, window_text

LEAST_OF_REFERENCE, LEAST_APART, MOST_APART = 100, 20, 20
"""Rows of a version with which a window belongs to its reference, or with which it is measured apart; and how many are."""
_HALF = 0.5

RowsOfVersions = Mapping[tuple[str, str], Mapping[datetime, int]]
"""Environment and version, which is empty where rows name none -> start of an hour or a day -> rows."""
Rows = Mapping[Window, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How a version stands in one environment: its rows, and what they are compared with.

    `reference` holds the windows of its own reference, or of what there is of it; that of the model is the model's. `environments` are
    those whose rows it is made of. `why` says why it is uncalibrated, empty when it is not.
    """

    version: str
    environment: str
    first: Window
    last: Window
    rows: int
    source: Literal["model", "named", "own"]
    reference: Sequence[Window] = ()
    environments: Sequence[str] = ()
    why: str = ""

    @property
    def is_calibrated(self) -> bool:
        """Tell whether there is something to compare it with."""
        return not self.why


def named_version(version: str) -> str:
    """Return what a version is called where numbers are told; rows that name none have a name of their own."""
    return version or NULL


def are_many(monitor: Monitor, rows: RowsOfVersions) -> bool:
    """Tell whether there is anything to be told of versions: several have rows, or the monitor names one."""
    return len({version for _, version in rows}) > 1 or bool(monitor.versions.references)


def version_of_model(monitor: Monitor, rows: RowsOfVersions) -> str | None:
    """Return the version with most rows in the model's reference, None where that has no rows."""
    found = of_reference(monitor, rows)
    return _most(found) if found else None


def of_reference(monitor: Monitor, rows: RowsOfVersions) -> Counter[str]:
    """Return the rows of each version in the model's reference."""
    return _inside(monitor, rows, Window(*monitor.reference_span)) if monitor.reference_span else Counter()


def standings(monitor: Monitor, rows: RowsOfVersions, due: datetime) -> list[Standing]:
    """Return how each version stands in each environment; the labels of windows that end by `due` are due."""
    by_window = {key: _by_window(monitor, mine) for key, mine in sorted(rows.items())}
    of_model = version_of_model(monitor, rows)
    every: dict[str, Counter[Window]] = defaultdict(Counter)
    for (environment, _), mine in by_window.items():
        every[environment].update(mine)
    return [_standing(monitor, key, mine, every[key[0]], rows, of_model, due) for key, mine in by_window.items() if mine]


def _by_window(monitor: Monitor, mine: Mapping[datetime, int]) -> Counter[Window]:
    found: Counter[Window] = Counter()
    for start, n in mine.items():
        found[monitor.grid.at(start)] += n
    return +found


def _standing(monitor: Monitor, key: tuple[str, str], mine: Rows, every: Rows, rows: RowsOfVersions, of_model: str | None, due: datetime) -> Standing:
    environment, version = key
    known = Standing(version=version, environment=environment, first=min(mine), last=max(mine), rows=sum(mine.values()), source="model")
    days = monitor.versions.references.get(named_version(version))
    if days is not None:
        return _named(monitor, replace(known, source="named"), days, rows, due)
    return known if version == of_model else _own(monitor, replace(known, source="own", environments=[environment]), mine, every, due)


def _named(monitor: Monitor, known: Standing, days: Days, rows: RowsOfVersions, due: datetime) -> Standing:
    """Give a version the days named as its reference: its rows of the monitor's environment, or, where it has none there, of all others."""
    span = Window(local_midnight(days.from_, monitor.timezone), local_midnight(days.to, monitor.timezone))
    there = sorted(e for (e, version), mine in rows.items() if version == known.version and any(start in span for start in mine))
    text = window_text(span.start, span.end, monitor.timezone)
    if not there:
        row = f"row of {version_text(known.version)}" if known.version else "row without a version"
        return replace(known, why=f"uncalibrated: there is no {row} in the days named as its reference, {text}")
    known = replace(known, environments=[monitor.environment] if monitor.environment in there else there)
    if span.end > due:
        said = f"the days named as the reference of {version_text(known.version)}, {text}, are not all {_ripe(monitor)}"
        return replace(known, why=f"uncalibrated: {said}")
    return replace(known, reference=[span])


def _own(monitor: Monitor, known: Standing, mine: Rows, every: Rows, due: datetime) -> Standing:
    """Give a version its first windows in which it had enough rows, of `every` row there was."""
    mature, needed = [window for window in sorted(mine) if window.end <= due], monitor.calibrated_after
    enough = [w for w in mature if mine[w] >= LEAST_OF_REFERENCE or mine[w] >= _HALF * every[w]]
    if len(enough) >= needed:
        return replace(known, reference=enough[:needed])
    few = len(mature) - len(enough)
    said = f"uncalibrated: {len(enough)} of {needed} windows of {version_text(known.version)} are {_ripe(monitor)}"
    more = f"; {few:,} more {'has' if few == 1 else 'have'} fewer than {LEAST_OF_REFERENCE} rows" if few else ""
    return replace(known, reference=enough, why=said + more)


def _ripe(monitor: Monitor) -> str:
    return "mature" if monitor.labels else "over"


def apart(rows: Mapping[str, int], of_model: str | None) -> tuple[list[str], list[str]]:
    """Return the versions of a window's rows that are measured apart, and those that are told together; none where all rows are of the model's.

    >>> apart({"4": 900, "5": 100, "6": 3}, "4")
    (['4', '5'], ['6'])
    >>> apart({"4": 900}, "4"), apart({"5": 900}, "4")
    (([], []), (['5'], []))
    """
    every = sum(rows.values())
    by_rows = sorted(rows, key=lambda version: (-rows[version], version))
    if by_rows == [of_model]:
        return [], []
    is_told = [v for v in by_rows if v not in (NULL, REST) and (rows[v] >= LEAST_APART or rows[v] >= _HALF * every)][:MOST_APART]
    return is_told, [v for v in by_rows if v not in is_told]


def _inside(monitor: Monitor, rows: RowsOfVersions, span: Window) -> Counter[str]:
    """Return the rows of each version in a span, in the monitor's environment."""
    found: Counter[str] = Counter()
    for (environment, version), mine in rows.items():
        if environment == monitor.environment:
            found[version] += sum(n for start, n in mine.items() if start in span)
    return +found


def _most(rows: Mapping[str, int]) -> str:
    return max(rows, key=lambda version: (rows[version], version))


def reference_text(monitor: Monitor, standing: Standing) -> str:
    """Return in words what a calibrated version is compared with."""
    if standing.source == "model":
        return "the model's reference"
    text = window_text(standing.reference[0].start, standing.reference[-1].end, monitor.timezone)
    if standing.source == "named":
        where = "" if standing.environment in standing.environments else f", in {listed(standing.environments)}"
        return f"the days named for it, {text}{where}"
    return f"its first {counted(len(standing.reference), monitor.window)}, {text}"


def unseen(monitor: Monitor, found: Collection[Standing]) -> list[str]:
    """Return the versions for which the monitor names a reference, and of which no row has landed."""
    return [name for name in monitor.versions.references if name not in {named_version(s.version) for s in found}]
