"""The command `change`: what people did to a model, so that causes can be joined to it.

Belongs here: arguments and what is printed. Does not: writing it down (operations/change.py).
"""

from typing import Annotated, get_args

import typer

from watchkeeper.adapters.workspace import load_monitor
from watchkeeper.cli.frame import HomeOption, NowOption, moment, open_home
from watchkeeper.cli.output import JsonOption, say, show, show_json
from watchkeeper.errors import UsageError
from watchkeeper.operations.change import ChangeKind, record_change
from watchkeeper.operations.listing import recorded_changes

Models = Annotated[list[str] | None, typer.Argument(metavar="MODEL", help="Models; else all.", show_default=False)]
_CHANGES = ("model", "kind", "at", "version", "note", "who", "parameters")


def register(app: typer.Typer) -> None:
    """Add the commands."""
    change = typer.Typer(rich_markup_mode=None, no_args_is_help=True)
    change.command("add", epilog="Example: watchkeeper change add flight_delays --kind release --version v2 --note 'trained to June'")(add_change)
    change.command("list", epilog="Example: watchkeeper change list flight_delays")(list_changes)
    app.add_typer(change, name="change", help="Record a release, or another change to a model.")


def add_change(
    ctx: typer.Context,
    model: Annotated[str, typer.Argument(metavar="MODEL", help="The model that was changed.")],
    *,
    kind: Annotated[str, typer.Option(metavar="KIND", help="release, config, price or data.")],
    at: Annotated[str | None, typer.Option(metavar="TIME", help="When it took effect; else now.", show_default=False)] = None,
    version: Annotated[str, typer.Option(metavar="VERSION", help="The version it brought; a release needs one.", show_default=False)] = "",
    note: Annotated[str, typer.Option(metavar="TEXT", help="What was done, in words.", show_default=False)] = "",
    who: Annotated[str, typer.Option(metavar="NAME", help="Who did it.", show_default=False)] = "",
    parameter: Annotated[
        list[str] | None, typer.Option(metavar="NAME=VALUE", help="What the version was made with; may be repeated.", show_default=False)
    ] = None,
    now: NowOption = None,
    as_json: JsonOption = False,
    home: HomeOption = None,
) -> None:
    """Record something people did to a model or its surroundings, so that causes can be joined to it."""
    place = open_home(ctx, home)
    recorded_at = moment(now, place)
    load_monitor(place, model)
    if kind not in get_args(ChangeKind):
        raise UsageError(f"{kind!r} is no kind of change", where="--kind", then=f"Write one of {', '.join(get_args(ChangeKind))}.")
    parameters = dict(_parameter(text) for text in parameter or ())
    effective_at = moment(at, option="--at") if at else recorded_at
    said = {"version": version, "note": note, "who": who, "parameters": parameters}
    made = record_change(place, model, kind=kind, at=effective_at, now=recorded_at, **said)  # type: ignore[arg-type]
    if as_json:
        show_json(made)
    else:
        say(f"Recorded {made.change_id}: {made.kind} of {model} at {made.at:%Y-%m-%d %H:%M} UTC.")


def _parameter(text: str) -> tuple[str, str]:
    name, is_given, value = text.partition("=")
    if not is_given or not name.strip():
        raise UsageError(f"{text!r} is no parameter", where="--parameter", then="Write NAME=VALUE, for example --parameter depth=6.")
    return name.strip(), value.strip()


def list_changes(ctx: typer.Context, models: Models = None, *, now: NowOption = None, as_json: JsonOption = False, home: HomeOption = None) -> None:
    """List the changes that were recorded, the newest first."""
    place = open_home(ctx, home)
    show(recorded_changes(place, models, now=moment(now, place)), as_json=as_json, columns=_CHANGES, empty="No change was recorded.")
