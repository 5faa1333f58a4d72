"""Copy the lake to another address: a folder to S3, S3 to a folder, to move past one machine or to keep a backup.

Belongs here: which tables and in which order. Does not: how a table is copied (adapters/lake_copies.py). The tables that mark
what was done go first: a mark whose data came later would hide them, data without their mark are only done again.
"""

from collections.abc import Callable

from watchkeeper.adapters.lake_copies import Copied, copy_table, tables_of
from watchkeeper.adapters.workspace import Home
from watchkeeper.errors import UsageError
from watchkeeper.records import Batch, Profile, Run

_MARKS = (Run.TABLE, Batch.TABLE, Profile.TABLE)


def copy_lake(home: Home, address: str, *, told: Callable[[Copied], None] = lambda _copied: None) -> list[Copied]:
    """Bring the copy of every table at `address` up to date and return what was done; `told` hears of each table as it is done.

    Raises:
        UsageError: the address is the lake's own, or there is nothing to copy.
        ConflictError: what lies there is no copy of this lake, or was written to since.

    """
    target = home.lake_at(address)
    if target.address == home.lake.address:
        raise UsageError("is the address of the lake itself", where=address, then="Name another one.")
    names = tables_of(home.lake)
    if not names:
        raise UsageError("has no tables", where=home.lake.address, then="There is nothing to copy.")
    done: list[Copied] = []
    for name in sorted(names, key=_order):
        done.append(copy_table(home.lake, target, name))
        told(done[-1])
    return done


def _order(name: str) -> tuple[int, bool, str]:
    return _MARKS.index(name) if name in _MARKS else len(_MARKS), "/" in name, name
