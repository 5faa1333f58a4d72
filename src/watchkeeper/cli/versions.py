"""The command `versions`: which there are of a model, and two of them side by side.

Belongs here: arguments, what is printed, and the exit code. Does not: finding them (operations/version_list.py), comparing (operations/compare.py).
"""

from typing import Annotated

import typer

from watchkeeper.adapters.workspace import load_monitor
from watchkeeper.cli.frame import HomeOption, NowOption, WindowOption, moment, open_home, parse_window
from watchkeeper.cli.output import JsonOption, as_dict, complain, say, show, show_json
from watchkeeper.monitor import Monitor
from watchkeeper.operations.compare import compare
from watchkeeper.operations.version_list import listed_versions
from watchkeeper.site.version_table import version_cells
from watchkeeper.words import counted, metric_text, window_text

_COLUMNS = ("metric", "older", "newer", "difference", "low", "high", "verdict", "n_older", "n_newer", "pairs")
_WORSE = 3


def register(app: typer.Typer) -> None:
    """Add the commands."""
    versions = typer.Typer(rich_markup_mode=None, no_args_is_help=True)
    versions.command("list", epilog="Example: watchkeeper versions list flight_delays")(list_versions)
    versions.command("compare", epilog="Example: watchkeeper versions compare flight_delays v1 v2 --window 2013-06-01..2013-06-30")(compare_versions)
    app.add_typer(versions, name="versions", help="List the versions of a model, or compare two.")


def list_versions(
    ctx: typer.Context,
    model: Annotated[str, typer.Argument(metavar="MODEL", help="The model.")],
    *,
    as_json: JsonOption = False,
    now: NowOption = None,
    home: HomeOption = None,
) -> None:
    """List the versions that have rows: when, how many, whether they are calibrated, and the main KPI beside what each is compared with."""
    place = open_home(ctx, home)
    monitor = load_monitor(place, model)
    found = listed_versions(place, monitor, now=moment(now, place))
    if as_json:
        show_json(found.lines)
        return
    has_kpi = any(line.score for line in found.lines)
    rows = [version_cells(found.metric, line, monitor.timezone) for line in found.lines]
    columns = ("version", "environment", "when", "rows", *((found.metric, "low", "high", "reference_value") if has_kpi else ()), "state")
    over = (
        f", {metric_text(found.metric)} over {window_text(found.window.start, found.window.end, monitor.timezone)}"
        if found.window and has_kpi
        else ""
    )
    show(rows, as_json=False, columns=columns, title=f"{model}{over}", empty=_none(monitor))
    for line in found.lines:
        if line.doubt:
            say(f"{line.version}: its reference is not believed: {line.doubt}.")


def _none(monitor: Monitor) -> str:
    if monitor.columns.version is None:
        return "The monitor file names no column that tells versions apart: `columns.version`."
    return "No version has been measured yet: `watchkeeper status` says why."


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
        if found.entity:
            said = (
                f"Rows of one {found.entity} are one witness in the intervals of means. The others take rows to be independent, and decide nothing."
            )
            say(said)
        for why in found.uncalibrated.values():
            say(f"{why[:1].upper()}{why[1:]}. What is compared is the two with each other.")
    if found.is_worse:
        worse = [d.metric for d in found.differences if d.verdict == "worse" and d.is_decisive]
        complain(f"{newer} is worse than {older} in {', '.join(worse)}.")
        raise typer.Exit(_WORSE)
