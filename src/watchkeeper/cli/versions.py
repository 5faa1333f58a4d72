"""The command `versions`: two versions of a model side by side.

Belongs here: arguments, what is printed, and the exit code. Does not: comparing (operations/compare.py).
"""

from typing import Annotated

import typer

from watchkeeper.adapters.workspace import load_monitor
from watchkeeper.cli.frame import HomeOption, NowOption, WindowOption, moment, open_home, parse_window
from watchkeeper.cli.output import JsonOption, as_dict, complain, say, show, show_json
from watchkeeper.operations.compare import compare
from watchkeeper.words import counted, window_text

_COLUMNS = ("metric", "older", "newer", "difference", "low", "high", "verdict", "n_older", "n_newer", "pairs")
_WORSE = 3


def register(app: typer.Typer) -> None:
    """Add the commands."""
    versions = typer.Typer(rich_markup_mode=None, no_args_is_help=True)
    versions.callback()(lambda: None)  # with a callback one command is still a group
    versions.command("compare", epilog="Example: watchkeeper versions compare flight_delays v1 v2 --window 2013-06-01..2013-06-30")(compare_versions)
    app.add_typer(versions, name="versions", help="Compare two versions of a model.")


def compare_versions(
    ctx: typer.Context,
    model: Annotated[str, typer.Argument(metavar="MODEL", help="The model.")],
    older: Annotated[str, typer.Argument(metavar="OLDER", help="The version to compare with.")],
    newer: Annotated[str, typer.Argument(metavar="NEWER", help="The version in question; staging counts too.")],
    *,
    window: WindowOption = None,
    as_json: JsonOption = False,
    now: NowOption = None,
    home: HomeOption = None,
) -> None:
    """Compare the KPIs of two versions over the days on which both scored; exits 3 when the newer is worse beyond its interval.

    Where both scored the same ids, their losses are compared row by row.
    """
    place = open_home(ctx, home)
    monitor = load_monitor(place, model)
    span = None if window is None else parse_window(window, monitor.timezone)
    found = compare(place, monitor, older, newer, now=moment(now, place), window=span)
    if as_json:
        show_json({**as_dict(found), "is_worse": found.is_worse})
    else:
        pairs = max((d.pairs for d in found.differences), default=0)
        shared = f", {counted(pairs, 'prediction')} made by both compared row by row" if pairs else ""
        say(f"{model}, {newer} beside {older}, {window_text(found.window.start, found.window.end, monitor.timezone)}{shared}")
        show(found.differences, as_json=False, columns=_COLUMNS)
    if found.is_worse:
        worse = [d.metric for d in found.differences if d.verdict == "worse" and d.is_decisive]
        complain(f"{newer} is worse than {older} in {', '.join(worse)}.")
        raise typer.Exit(_WORSE)
