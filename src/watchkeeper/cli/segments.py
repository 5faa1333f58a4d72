"""The command that takes a KPI's change apart by segments: segments.

Belongs here: its arguments and how its answer is printed. Does not: the answer (operations/segments.py) or its words
(site/segments.py).
"""

from typing import Annotated

import typer

from watchkeeper.adapters.workspace import load_monitor
from watchkeeper.cli.frame import HomeOption, NowOption, moment, open_home, parse_window
from watchkeeper.cli.output import JsonOption, say, show, show_json
from watchkeeper.cli.slices import DueWindowOption
from watchkeeper.operations.segments import segments as taken_apart
from watchkeeper.site.segments import segment_cells, segment_lines


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("segments", epilog="Example: watchkeeper segments flight_delays --metric log_loss --window 2013-04-22..2013-04-28")(segments)


def segments(
    ctx: typer.Context,
    model: Annotated[str, typer.Argument(metavar="MODEL", help="The model that predicted.")],
    *,
    metric: Annotated[
        str | None,
        typer.Option(
            metavar="METRIC", help="The KPI, a mean over rows; else the log loss, the accuracy or the mean absolute error.", show_default=False
        ),
    ] = None,
    window: DueWindowOption = None,
    limit: Annotated[int, typer.Option(metavar="N", min=1, help="How many segments of each dimension to show.")] = 10,
    as_json: JsonOption = False,
    now: NowOption = None,
    home: HomeOption = None,
) -> None:
    """Take a KPI's change against the reference apart: what the mix of segments explains, and what they do themselves.

    By each column that the monitor declares as a segment, and each pair that it declares (`channel&region`). Every segment is shown with
    its rows, its value, its gap to all other rows, and what it adds to the change.
    """
    place = open_home(ctx, home)
    monitor = load_monitor(place, model)
    span = None if window is None else parse_window(window, monitor.timezone)
    found = taken_apart(place, monitor, now=moment(now, place), metric=metric, window=span)
    if as_json:
        show_json(found)
        return
    for line in segment_lines(monitor, found):
        say(line)
    if found.splits:
        say("")
        show(segment_cells(monitor, found, limit), as_json=False)
