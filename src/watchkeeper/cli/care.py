"""The commands `ack`, `silence` and `resolve`: what people do with an incident.

Belongs here: arguments and what is printed. Does not: writing it down (operations/care.py, operations/silence.py).
"""

import getpass
from datetime import datetime
from typing import Annotated, cast

import typer

from watchkeeper.adapters.workspace import Home, load_monitors
from watchkeeper.cli.frame import HomeOption, NowOption, day, moment, open_home
from watchkeeper.cli.output import JsonOption, say, show, show_json
from watchkeeper.errors import UsageError
from watchkeeper.operations.care import acknowledge, resolve
from watchkeeper.operations.incident_book import incident_called, known_incidents, silence_of
from watchkeeper.operations.listing import incident_listing
from watchkeeper.operations.silence import About, end_silence, silence, silences_in_force
from watchkeeper.records import Silence
from watchkeeper.site.care import silence_about
from watchkeeper.spelling import parse_duration
from watchkeeper.words import moment_text

_LISTED = ("id", "what", "until", "who", "why")

Incident = Annotated[str, typer.Argument(metavar="INCIDENT", help="The incident's id, or the beginning of it.")]
WhoOption = Annotated[str | None, typer.Option("--who", metavar="NAME", help="Who says so; else the login name.", show_default=False)]
ReasonOption = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why.", show_default=False)]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("ack", epilog='Example: watchkeeper ack 4f0c9a1b --reason "looking at the feed"')(ack)
    app.command("silence", epilog='Example: watchkeeper silence 4f0c9a1b --until 2d --reason "the fix ships on Friday"')(silence_it)
    app.command("resolve", epilog='Example: watchkeeper resolve 4f0c9a1b --reason "the sensor was replaced"')(resolve_it)


def ack(
    ctx: typer.Context,
    incident: Incident,
    *,
    who: WhoOption = None,
    reason: ReasonOption = "",
    now: NowOption = None,
    as_json: JsonOption = False,
    home: HomeOption = None,
) -> None:
    """Say that somebody looks after an incident; it stays open, and its messages go on."""
    place = open_home(ctx, home)
    at = moment(now, place)
    done = acknowledge(place, incident, who=who_acts(who), why=reason, now=at)
    if as_json:
        _show(place, done.id, at)
    else:
        seen = done.acknowledgement
        say(f"{done.id} of {done.model} is acknowledged by {seen.who if seen else ''}: {done.headline}")


def silence_it(
    ctx: typer.Context,
    incident: Annotated[str, typer.Argument(metavar="INCIDENT", help="One incident, by its id or the beginning of it.", show_default=False)] = "",
    *,
    model: Annotated[str, typer.Option(metavar="MODEL", help="Else all of a model, also what opens later.", show_default=False)] = "",
    metric: Annotated[str, typer.Option(metavar="METRIC", help="Of the model only what is about this metric alone.", show_default=False)] = "",
    segment: Annotated[
        str, typer.Option(metavar="SEGMENT", help="Of the model only what is about this segment, such as carrier=VX.", show_default=False)
    ] = "",
    until: Annotated[
        str | None, typer.Option(metavar="TIME", help="When it ends: how long, such as 2d or 6h, or a day or a moment.", show_default=False)
    ] = None,
    reason: ReasonOption = "",
    who: WhoOption = None,
    is_list: Annotated[bool, typer.Option("--list", help="List the silences that last.")] = False,
    end: Annotated[str | None, typer.Option(metavar="ID", help="End the silence with this id before its time.", show_default=False)] = None,
    now: NowOption = None,
    as_json: JsonOption = False,
    home: HomeOption = None,
) -> None:
    """Ask not to be told of an incident, or of a model, until a moment; what was not told is written down with who asked and why."""
    place = open_home(ctx, home)
    at = moment(now, place)
    about = About(incident=incident, model=model, metric=metric, segment=segment)
    if (is_list or end is not None) and (about != About() or until is not None or (is_list and end is not None)):
        raise UsageError("--list and --end stand alone", where="silence", then="End or list silences first, and silence something after that.")
    if is_list:
        _list(place, at, as_json=as_json)
        return
    if end is not None:
        done = end_silence(place, end, who=who_acts(who), why=reason, now=at)
        said = f"{done.silence_id} is over: of {silence_about(done)} people are told again, at the next news."
    else:
        zone = _zone(place, incident_called(known_incidents(place, now=at), incident).model if incident else model)
        done = silence(place, about, until=_until(until, at, zone), who=who_acts(who), why=reason, now=at)
        said = f"Silenced as {done.silence_id}: {silence_about(done)}, until {moment_text(done.until, zone)} ({zone})."
    if as_json:
        show_json(_row(done))
    else:
        say(said)


def resolve_it(
    ctx: typer.Context,
    incident: Incident,
    *,
    reason: ReasonOption = "",
    who: WhoOption = None,
    now: NowOption = None,
    as_json: JsonOption = False,
    home: HomeOption = None,
) -> None:
    """Close an incident by hand; the next run tells that once. Windows that are out of line later open it again."""
    place = open_home(ctx, home)
    at = moment(now, place)
    done = resolve(place, incident, who=who_acts(who), why=reason, now=at)
    if as_json:
        _show(place, done.id, at)
    else:
        say(f"{done.id} of {done.model} is resolved by {done.closed_by}: {done.headline}")
        if (silent := silence_of(place, done, now=at)) is not None:
            zone = _zone(place, done.model)
            say(f"It is silenced until {moment_text(silent.until, zone)} ({zone}); then those who know of it are told that it is over.")


def _show(home: Home, incident_id: str, now: datetime) -> None:
    show_json(next(i for i in incident_listing(home, models=None, resolved=True, now=now, parts=True) if i["id"] == incident_id))


def _list(home: Home, now: datetime, *, as_json: bool) -> None:
    rows = [_row(s) for s in silences_in_force(home, now=now)]
    show(rows, as_json=as_json, columns=_LISTED, empty="Nothing is silenced.")


def _row(silence: Silence) -> dict[str, object]:
    names = ("model", "incident_id", "metric", "segment", "until", "who", "why", "at")
    return {"id": silence.silence_id, "what": silence_about(silence), **{name: getattr(silence, name) for name in names}}


def _zone(home: Home, model: str) -> str:
    found = load_monitors(home)[0].get(model)
    return found.timezone if found else home.workspace.timezone


def _until(text: str | None, now: datetime, timezone: str) -> datetime:
    if text is None:
        raise UsageError("a silence must end", where="--until", then="Say how long, for example --until 2d, or name a day or a moment.")
    try:
        return now + parse_duration(text)
    except ValueError:
        pass
    try:
        return cast("datetime", day(timezone, text, "--until"))  # None is for no text alone
    except UsageError as error:
        then = "Write how long, for example 2d or 6h, or a day or a moment, for example 2013-04-29 or 2013-04-29T06:00Z."
        raise UsageError(f"{text!r} is neither a time nor how long", where="--until", then=then) from error


def who_acts(said: str | None) -> str:
    """Return who acts: as said, else the login name.

    Raises:
        UsageError: this machine has none.

    """
    if said is not None:
        return said
    try:
        return getpass.getuser()
    except (KeyError, OSError) as error:
        raise UsageError("this machine has no login name", where="--who", then="Say who you are, for example --who ann.") from error
