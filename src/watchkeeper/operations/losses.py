"""Losses by feature of labelled rows: the columns of joined predictions, read a few at a time and added up by their cells.

Belongs here: reading the columns beside the join's rows. Does not: the join (join.py), the adding up (profiles/losses.py).
"""

from collections.abc import Iterable, Iterator

import pyarrow as pa

from watchkeeper.monitor import Monitor
from watchkeeper.operations.fit import is_private
from watchkeeper.operations.join import Joined
from watchkeeper.operations.pieces import LabelsPiece
from watchkeeper.operations.quantities import countings
from watchkeeper.profiles.kinds import Derived, source_of
from watchkeeper.profiles.losses import Losses, counted_losses
from watchkeeper.profiles.parts import FEATURE, LOSS, part_rows
from watchkeeper.profiles.scan import Groups

_AT_ONCE = 8  # columns; a row of so many takes less than it does in the join


def loss_parts(piece: LabelsPiece, joined: Joined, rows: Losses, group: Groups, keys: pa.Table) -> Iterator[pa.Table]:
    """Yield the parts of every feature that the table has, but for private ones; `group` is the group of each joined row, `keys` those of the groups."""
    wanted = {c.name: c.quantity for c in countings(piece.monitor, piece.found.bins) if c.kind == FEATURE}
    for name, column in feature_columns(piece.monitor, joined, wanted):
        if wanted[name].takes(column.type):
            made = counted_losses(wanted[name], piece.found.bins[name], column, rows, group, keys.num_rows)
            yield part_rows(made, keys, kind=LOSS, feature=name)


def feature_columns(monitor: Monitor, joined: Joined, names: Iterable[str]) -> Iterator[tuple[str, pa.ChunkedArray]]:
    """Yield those of the features that the table has, each with its values beside the joined rows, but for private ones; a few are held at once."""
    there = joined.events.schema.names
    wanted = [n for n in names if not n.startswith("@") and not is_private(monitor, n) and source_of(n, there)[0] in there]
    for first in range(0, len(wanted), _AT_ONCE):
        some = wanted[first : first + _AT_ONCE]
        columns = sorted({source_of(n, there)[0] for n in some} | {"wk_time"})
        read = Derived(joined.columns(columns), "wk_time", monitor.timezone)
        yield from ((name, read.column(name)) for name in some)
