"""The command that tells whether the same input comes out the same: consistency.

Belongs here: its arguments and how its answer is printed. Does not: comparing rows (operations/consistency.py) or its words
(site/consistency.py).
"""

from typing import Annotated

import typer

from watchkeeper.adapters.workspace import load_monitor
from watchkeeper.cli.frame import HomeOption, NowOption, WindowOption, moment, open_home, parse_window
from watchkeeper.cli.output import JsonOption, say, show, show_json
from watchkeeper.operations.consistency import consistency as compared
from watchkeeper.site.consistency import consistency_cells, consistency_lines


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("consistency", epilog="Example: watchkeeper consistency flight_delays --window 2013-06-01..2013-06-30")(consistency)


def consistency(
    ctx: typer.Context,
    model: Annotated[str, typer.Argument(metavar="MODEL", help="The model that predicted.")],
    *,
    window: WindowOption = None,
    limit: Annotated[int, typer.Option(metavar="N", min=0, help="How many examples to show.")] = 5,
    as_json: JsonOption = False,
    now: NowOption = None,
    home: HomeOption = None,
) -> None:
    """Tell whether inputs that a version scored more than once came out the same; without --window, of the latest seven days.

    It reads the rows of these days. The same input has the same value in every feature column; private columns are masked in examples.
    """
    place = open_home(ctx, home)
    monitor = load_monitor(place, model)
    span = None if window is None else parse_window(window, monitor.timezone)
    found = compared(place, monitor, now=moment(now, place), window=span, limit=limit)
    if as_json:
        show_json(found)
        return
    for line in consistency_lines(monitor, found):
        say(line)
    if found.examples:
        say("")
        show(consistency_cells(found), as_json=False)
