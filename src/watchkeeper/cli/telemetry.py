"""The commands about traces and metrics of others and of ours: take-telemetry and export.

Belongs here: arguments and what is printed. Does not: reading and landing (operations/take_telemetry.py), or what our metrics
say (operations/export.py).
"""

from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from watchkeeper.adapters.files import require
from watchkeeper.adapters.workspace import load_monitors
from watchkeeper.cli.frame import HomeOption, NowOption, moment, open_home
from watchkeeper.cli.output import JsonOption, complain, say, show
from watchkeeper.errors import UsageError
from watchkeeper.words import counted

REFUSED, FAILED = 3, 4
_TABLE = ("name", "status", "spans", "values", "rows_duplicate", "rows_quarantined", "reason")


class Form(StrEnum):
    """How metrics are written."""

    prometheus = "prometheus"
    otlp_json = "otlp-json"
    otlp_protobuf = "otlp-protobuf"


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("take-telemetry", epilog="Example: watchkeeper take-telemetry inbox/otlp/traces.jsonl")(take_telemetry)
    app.command("export", epilog="Example: watchkeeper export --out /var/lib/node_exporter/watchkeeper.prom")(export)


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
    from watchkeeper.operations.take_telemetry import all_monitors, faults, take

    place = open_home(ctx, home)
    require(files or [])
    if not files and place.workspace.telemetry.is_empty:
        then = "Name files, or say in watchkeeper.yaml, under `telemetry`, where they come from."
        raise UsageError("nothing is named to take in", where="take-telemetry", then=then)
    is_live = now is None and place.workspace.now is None
    taken = take(place, all_monitors(place), now=moment(now, place), files=files or None, is_live=is_live)
    missed = faults(taken)
    shown = taken if as_json else [replace(t, reason="see below") if t.status == "failed" else t for t in taken]
    show(shown, as_json=as_json, columns=_TABLE, empty="Nothing new.")
    if not as_json:
        for name, reason in missed:
            complain(f"{name}: {reason}")
    if missed or (files and any(t.rows_quarantined for t in taken)):
        raise typer.Exit(FAILED if missed else REFUSED)


def export(
    ctx: typer.Context,
    models: Annotated[list[str] | None, typer.Argument(metavar="MODEL", help="Models; else all.", show_default=False)] = None,
    *,
    form: Annotated[Form, typer.Option("--format", metavar="prometheus|otlp-json|otlp-protobuf", help="How they are written.")] = Form.prometheus,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="Write there, in one step; else they are printed.", show_default=False)
    ] = None,
    otlp: Annotated[str | None, typer.Option("--otlp", metavar="URL", help="Send them to this OpenTelemetry collector.", show_default=False)] = None,
    bearer: Annotated[
        str | None,
        typer.Option("--bearer", metavar="NAME", help="With --otlp: the name of its token, WATCHKEEPER_TOKEN_NAME.", show_default=False),
    ] = None,
    series: Annotated[
        int | None,
        typer.Option(
            "--series",
            metavar="N",
            min=1,
            help="Most series of scores, else telemetry.export.series; what is left out is counted.",
            show_default=False,
        ),
    ] = None,
    now: NowOption = None,
    home: HomeOption = None,
) -> None:
    """Give the newest scores, open incidents and how fresh the runs are as metrics, for Prometheus or OpenTelemetry."""
    from watchkeeper.adapters.otlp_out import json_text, post, request_of
    from watchkeeper.adapters.our_metrics import prometheus_text
    from watchkeeper.adapters.swap import write_bytes_whole
    from watchkeeper.adapters.tokens import authorization
    from watchkeeper.operations.export import metrics_of

    place = open_home(ctx, home)
    if bearer and otlp is None:
        raise UsageError("a token is for a collector", where="--bearer", then="Add --otlp and its address.")
    if form is Form.otlp_protobuf and out is None and otlp is None:
        raise UsageError("protobuf is not for reading", where="--format", then="Add --out FILE.")
    at = moment(now, place)
    monitors, problems = load_monitors(place, models or None)
    for problem in problems:
        complain(str(problem))
    found = metrics_of(place, monitors, now=at, series=series)
    request = request_of(found, workspace=place.workspace.name, now=at)
    if otlp is not None:
        post(otlp, request, headers=authorization(bearer))
        say(f"{counted(sum(len(g.points) for g in found), 'value')} sent.")
    if form is Form.otlp_protobuf:
        content = request.SerializeToString()
    else:
        content = (json_text(request) if form is Form.otlp_json else prometheus_text(found)).encode()
    if out is not None:
        write_bytes_whole(out, content)
    elif otlp is None:
        typer.echo(content.decode(), nl=False)
