"""Tables of the lake that are gone although others say what was written to them: removed by hand, or lost with a disk.

Belongs here: noticing that, and what brings them back. Does not: how it is told (doctor.py, status.py), or doing it.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import pyarrow.compute as pc
import pyarrow.dataset as pads

from watchkeeper.adapters.lake import among
from watchkeeper.adapters.workspace import Home
from watchkeeper.measures.cost import COST_METRICS
from watchkeeper.monitor import Monitor
from watchkeeper.records import Batch, Bins, Profile, Quarantined, Run, Score
from watchkeeper.words import counted

_BACKUP = "restore it from a backup"


class Lost(NamedTuple):
    """A table that is gone: what says so, and what brings it back; one that `is_derived` is made anew by the next run."""

    table: str
    what: str
    mend: str
    is_derived: bool = False


def lost_tables(home: Home, monitors: Mapping[str, Monitor]) -> Iterator[Lost]:
    """Yield every table that is gone and is missed by what is there."""
    for monitor in monitors.values():
        batches: list[Batch] = home.lake.newest(Batch, where=pc.field("model") == monitor.model)
        yield from lost_rows(home, monitor, batches)
    if home.lake.table(Batch.TABLE) is None and (there := [m for m in monitors if home.lake.table(f"events/{m}") is not None]):
        mend = "the next `watchkeeper run` looks at every file again, and lands no row twice"
        yield Lost(Batch.TABLE, f"is gone, and rows of {', '.join(there)} landed", mend, is_derived=True)
    measured = {m: counted(n, "window") for m in monitors if (n := _windows_measured(home, m))}
    said = " and ".join(f"{windows} of {model}" for model, windows in measured.items())
    for record in (Profile, Bins) if measured else ():
        if home.lake.table(record.TABLE) is None:
            yield Lost(
                record.TABLE, f"is gone, and {said} were measured from it", "the next `watchkeeper run` makes it anew from the rows", is_derived=True
            )
    for model, windows in measured.items():
        if lost_scores(home, monitors[model]):
            what = f"has no score of {model}, and {windows} were measured"
            yield Lost(Score.TABLE, what, "the next `watchkeeper run` measures them again", is_derived=True)


def lost_rows(home: Home, monitor: Monitor, batches: Sequence[Batch]) -> Iterator[Lost]:
    """Yield the tables of a model's rows that are gone although its batches say that rows were written to them."""
    landed = {source: sum(b.rows_landed for b in batches if b.source == source) for source in monitor.places}
    for source, rows in landed.items():
        table = f"{source}/{monitor.model}"
        if rows and home.lake.table(table) is None:
            again = f", or remove the table `{Batch.TABLE}` too: the next `watchkeeper run` takes in again the files that are still there"
            yield Lost(table, f"is gone, and {counted(rows, 'row')} landed in it", f"{_BACKUP}{again if monitor.places[source].files else ''}")
    held, table = sum(b.status in ("partial", "quarantined") for b in batches), f"{Quarantined.TABLE}/{monitor.model}"
    if held and home.lake.table(table) is None:
        yield Lost(table, f"is gone, and something of {counted(held, 'file')} was set aside in it", _BACKUP)


def lost_scores(home: Home, monitor: Monitor) -> bool:
    """Tell whether windows of a model were measured and none of their scores is there any more."""
    mine = pc.field("model") == monitor.model
    is_there = _has(home.lake.dataset(Score.TABLE), mine & ~among("metric", COST_METRICS))
    return not is_there and _has(home.lake.dataset(Run.TABLE), mine & _MEASURED)


def lost_costs(home: Home, model: str) -> bool:
    """Tell whether no score of what a model cost is there any more."""
    return not _has(home.lake.dataset(Score.TABLE), (pc.field("model") == model) & among("metric", COST_METRICS))


_MEASURED = (pc.field("operation") == "measure") & (pc.field("outcome") == "done") & (pc.field("rows") > 0)


def _windows_measured(home: Home, model: str) -> int:
    runs = home.lake.dataset(Run.TABLE)
    return 0 if runs is None else int(runs.count_rows(filter=_MEASURED & (pc.field("model") == model)))


def _has(rows: pads.Dataset | None, where: pc.Expression) -> bool:
    return rows is not None and bool(rows.head(1, columns=["model"], filter=where).num_rows)
