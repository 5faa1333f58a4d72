"""The command `copy-lake`.

Belongs here: arguments and what is printed. Does not: copying (operations/copy_lake.py).
"""

from typing import Annotated

import typer

from watchkeeper.adapters.lake_copies import Copied
from watchkeeper.cli.frame import HomeOption, open_home
from watchkeeper.cli.output import JsonOption, say, show_json
from watchkeeper.operations.copy_lake import copy_lake as copy
from watchkeeper.words import counted

_MEGABYTE = 1e6


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("copy-lake", epilog="Example: watchkeeper copy-lake s3://bucket/lake")(copy_lake)


def copy_lake(
    ctx: typer.Context,
    address: Annotated[str, typer.Argument(metavar="ADDRESS", help="Where to: a folder, or s3://bucket/path.")],
    *,
    as_json: JsonOption = False,
    home: HomeOption = None,
) -> None:
    """Copy the lake with its history to another address, and prove that the copy is whole.

    Repeat it after an interruption, or for what came since: it brings only what is missing. It never overwrites another lake.
    """
    place = open_home(ctx, home)
    done = copy(place, address, told=(lambda _copied: None) if as_json else _tell)
    if as_json:
        show_json(done)
        return
    say(f"{counted(len(done), 'table')} at {address} hold what the lake holds. To use the copy, write `lake: {address}` in watchkeeper.yaml.")


def _tell(copied: Copied) -> None:
    brought = f"{counted(copied.files, 'file')} copied, {copied.size_bytes / _MEGABYTE:,.1f} MB"
    say(f"{copied.table:<24} version {copied.version}, {counted(copied.rows, 'row')}; {brought}")
