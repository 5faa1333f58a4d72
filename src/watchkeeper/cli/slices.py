"""The command that finds where a model fails most: slices.

Belongs here: its arguments and how its answer is printed. Does not: the search (operations/worst_slice.py) or its words
(site/slices.py).
"""

from typing import Annotated

import typer

from watchkeeper.adapters.workspace import load_monitor
from watchkeeper.cli.frame import HomeOption, NowOption, moment, open_home, parse_window
from watchkeeper.cli.output import JsonOption, say, show, show_json
from watchkeeper.operations.worst_slice import Kind, worst_slice
from watchkeeper.site.slices import slice_cells, slice_lines

DueWindowOption = Annotated[
    str | None,
    typer.Option("--window", metavar="DAY[..DAY]", help="Days, both included; else the latest seven whose labels are due.", show_default=False),
]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("slices", epilog="Example: watchkeeper slices flight_delays --window 2013-05-06..2013-05-19")(slices)


def slices(
    ctx: typer.Context,
    model: Annotated[str, typer.Argument(metavar="MODEL", help="The model that predicted.")],
    *,
    window: DueWindowOption = None,
    loss: Annotated[
        Kind,
        typer.Option("--loss", metavar="error|log_loss", help="Count wrong decisions (of numbers absolute errors), or the log loss of scores."),
    ] = "error",
    limit: Annotated[int, typer.Option(metavar="N", min=1, help="How many to show.")] = 3,
    as_json: JsonOption = False,
    now: NowOption = None,
    home: HomeOption = None,
) -> None:
    """Find where a model fails most, over values of one or two features at once.

    Slices are chosen on one half of the labelled rows and tested on the other: in 19 of 20 windows without such a place none is named.
    The answer says where, and not why.
    """
    place = open_home(ctx, home)
    monitor = load_monitor(place, model)
    span = None if window is None else parse_window(window, monitor.timezone)
    found = worst_slice(place, monitor, now=moment(now, place), window=span, kind=loss, limit=limit)
    if as_json:
        show_json(found)
        return
    for line in slice_lines(monitor, found):
        say(line)
    if found.slices:
        say("")
        show(slice_cells(monitor, found), as_json=False)
