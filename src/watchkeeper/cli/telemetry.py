"""The commands about traces and metrics of others and of ours: take-telemetry and export.

Belongs here: arguments and what is printed. Does not: reading and landing (operations/take_telemetry.py), or what our metrics
say (operations/export.py).
"""

from pathlib import Path
from typing import Annotated

import typer

from watchkeeper.adapters.files import require
from watchkeeper.adapters.workspace import load_monitors
from watchkeeper.cli.frame import HomeOption, NowOption, moment, open_home
from watchkeeper.cli.output import JsonOption, complain, show
from watchkeeper.errors import UsageError

REFUSED, FAILED = 3, 4
_TABLE = ("name", "status", "spans", "values", "rows_duplicate", "rows_quarantined", "reason")


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("take-telemetry", epilog="Example: watchkeeper take-telemetry inbox/otlp/traces.jsonl")(take_telemetry)


def take_telemetry(
    ctx: typer.Context,
    *,
    files: Annotated[
        list[Path] | None, typer.Argument(metavar="FILE", help="OpenTelemetry files to take in; else all that watchkeeper.yaml names.")
    ] = None,
    now: NowOption = None,
    as_json: JsonOption = False,
    home: HomeOption = None,
) -> None:
    """Take in traces and metrics of others, exactly once: OpenTelemetry files, metrics pages, Prometheus queries.

    Ends with 3 when something of given files was set aside, and with 4 when a source could not be read. With --now, and where the
    workspace's clock stands still, pages are not scraped: they say nothing of the past.
    """
    from watchkeeper.operations.take_telemetry import faults, take

    place = open_home(ctx, home)
    require(files or [])
    if not files and place.workspace.telemetry.is_empty:
        then = "Name files, or say in watchkeeper.yaml, under `telemetry`, where they come from."
        raise UsageError("nothing is named to take in", where="take-telemetry", then=then)
    is_live = now is None and place.workspace.now is None
    taken = take(place, load_monitors(place)[0], now=moment(now, place), files=files or None, is_live=is_live)
    show(taken, as_json=as_json, columns=_TABLE, empty="Nothing new.")
    missed = faults(taken)
    if not as_json:
        for sentence in missed:
            complain(sentence)
    if missed or (files and any(t.rows_quarantined for t in taken)):
        raise typer.Exit(FAILED if missed else REFUSED)
