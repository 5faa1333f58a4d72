"""Losses by feature of labelled rows: the columns of joined predictions, read a few at a time and added up by their cells.

Belongs here: reading the columns beside the join's rows. Does not: the join (join.py), the adding up (profiles/losses.py).
"""

from collections.abc import Iterator

import pyarrow as pa

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
    there = joined.events.schema.names
    wanted = [c for c in countings(piece.monitor, piece.found.bins) if c.kind == FEATURE and not c.name.startswith("@") and not c.is_private]
    wanted = [c for c in wanted if source_of(c.name, there)[0] in there]
    for first in range(0, len(wanted), _AT_ONCE):
        some = wanted[first : first + _AT_ONCE]
        columns = sorted({source_of(c.name, there)[0] for c in some} | {"wk_time"})
        read = Derived(joined.columns(columns), "wk_time", piece.monitor.timezone)
        for one in some:
            column = read.column(one.name)
            if one.quantity.takes(column.type):
                made = counted_losses(one.quantity, piece.found.bins[one.name], column, rows, group, keys.num_rows)
                yield part_rows(made, keys, kind=LOSS, feature=one.name)
