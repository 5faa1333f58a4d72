"""The commands that show how things stand: status, look and sql.

Belongs here: their arguments and how answers are printed. Does not: finding the answers (operations/), or the pages (site/).
"""

import webbrowser
from collections.abc import Mapping
from typing import Annotated, Any

import typer

from watchkeeper.adapters.workspace import load_monitors
from watchkeeper.cli.frame import (
    HomeOption,
    NowOption,
    PrivateOption,
    PrivateReasonOption,
    WindowOption,
    moment,
    open_home,
    parse_window,
    private_reason,
)
from watchkeeper.cli.output import NOBODY, JsonOption, as_dict, say, show, show_json
from watchkeeper.errors import UsageError
from watchkeeper.operations.look import look as look_closer
from watchkeeper.operations.query import query
from watchkeeper.operations.status import ModelStatus
from watchkeeper.operations.status import status as stand
from watchkeeper.operations.values import rows_of
from watchkeeper.site.overview import COLUMNS, overview_cells, worst_first
from watchkeeper.words import counted

_SHOWN = 200
_MANY_DUE = 31


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("status", epilog="Example: watchkeeper status --json")(status)
    app.command("look", epilog="Example: watchkeeper look flight_delays --window 2013-04-22..2013-04-28 --open")(look)
    app.command("sql", epilog='Example: watchkeeper sql "SELECT headline FROM incidents" --json')(sql)


def status(
    ctx: typer.Context,
    models: Annotated[list[str] | None, typer.Argument(metavar="MODEL", help="Models to show; else all.", show_default=False)] = None,
    *,
    as_json: JsonOption = False,
    now: NowOption = None,
    home: HomeOption = None,
) -> None:
    """Show how every model stands: state, last window with rows, open incidents, targets, labels, cost, and what is due or was left out."""
    place = open_home(ctx, home)
    monitors, problems = load_monitors(place, models or None)
    found = stand(place, monitors, now=moment(now, place), problems=problems)
    if as_json:
        show_json([status_dict(s) for s in found])
        return
    rows = worst_first([s.overview for s in found])
    show(
        [overview_cells(r) for r in rows],
        as_json=False,
        columns=COLUMNS,
        empty=NOBODY,
    )
    if place.standing and now is None:
        say(place.standing)
    for status in found:
        _say_remarks(status)


def status_dict(found: ModelStatus) -> dict[str, Any]:
    """Return the status of one model in the keys of `status --json`."""
    return {
        **as_dict(found.overview),
        "operations": [as_dict(o) for o in found.operations],
        "failed_actions": [as_dict(a) for a in found.failed_actions],
        "rows_held": found.rows_held,
        "files_held": found.files_held,
    }


def _say_remarks(status: ModelStatus) -> None:
    row = status.overview
    classes, versions = row.new_classes and f"labels: {row.new_classes}", row.versions and f"versions: {row.versions}"
    delay = row.maturity and f"labels: {row.maturity}"
    normal = row.compared_with and f"compared with {row.compared_with}"
    for line in [part for part in (row.reason, delay, classes, versions, normal) if part] + [
        f"{i.severity} {i.incident_id}{'' if i.state == 'open' else f' ({i.state})'}: {i.headline}" for i in row.incidents
    ]:
        say(f"{row.model}: {line}")
    last = max((o.window_end for o in status.operations if len(o.due) > _MANY_DUE), default=None)
    if last is not None:
        say(
            f"{row.model}: nothing has run since. `watchkeeper run` catches up; with `--now {last:%Y-%m-%dT%H:%MZ}` the commands show how it stood then."
        )
    held = [counted(n, what) for n, what in ((status.rows_held, "row"), (status.files_held, "whole file")) if n]
    if held:
        say(
            f"{row.model}: {' and '.join(held)} in quarantine; `watchkeeper quarantine list` says why, `quarantine release` takes in what is right by now."
        )
    for action in status.failed_actions:
        say(f"{row.model}: {action.kind} to {action.target} failed: {action.reason}")


def look(
    ctx: typer.Context,
    model: Annotated[str, typer.Argument(metavar="MODEL", help="The model to look at.")],
    *,
    window: WindowOption = None,
    is_opened: Annotated[bool, typer.Option("--open", help="Open the report in a browser.")] = False,
    now: NowOption = None,
    home: HomeOption = None,
) -> None:
    """Make an Evidently report of a window against the reference, on a sample, without private columns; it loads nothing from elsewhere.

    Without --window it is that of the worst open incident, else the newest one.
    """
    place = open_home(ctx, home)
    monitor = _one(load_monitors(place, [model]), model)
    chosen = None if window is None else parse_window(window, monitor.timezone)
    path = look_closer(place, monitor, window=chosen, now=moment(now, place))
    say(f"{path}\nA sample to look at, drawn by Evidently; what counts is computed on all rows: `watchkeeper scores {model}`.")
    if is_opened:
        webbrowser.open(path.as_uri())


def _one(loaded: tuple[Mapping[str, Any], Any], model: str) -> Any:
    monitors, problems = loaded
    if model not in monitors:
        raise UsageError("; ".join(str(p) for p in problems) or f"no monitor is called {model!r}", where=model, then="Run `watchkeeper check`.")
    return monitors[model]


def sql(
    ctx: typer.Context,
    statement: Annotated[str, typer.Argument(metavar="SELECT", help="One SELECT; `SHOW TABLES` lists what there is.")],
    *,
    as_json: JsonOption = False,
    private: PrivateOption = False,
    reason: PrivateReasonOption = "",
    now: NowOption = None,
    home: HomeOption = None,
) -> None:
    """Ask the lake itself a question in SQL; it reads and never writes."""
    why = private_reason(reason, is_asked=private)
    place = open_home(ctx, home)
    answer = query(place, load_monitors(place)[0], statement, now=moment(now, place), private_reason=why)
    shown = answer if as_json else answer.slice(0, _SHOWN)
    show(rows_of(shown), as_json=as_json, columns=answer.column_names, empty="No rows.", is_exact=True)
    if shown.num_rows < answer.num_rows:
        say(f"{counted(answer.num_rows - shown.num_rows, 'more row')}; --json prints all.")
