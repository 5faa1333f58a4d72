"""The command `rebaseline`: declaring days the new normal of a model, listing what is normal since when, and taking one back.

Belongs here: arguments and what is printed. Does not: writing it down (operations/rebaseline.py).
"""

from datetime import date
from typing import Annotated

import typer

from watchkeeper.cli.care import ReasonOption, WhoOption, who_acts
from watchkeeper.cli.frame import HomeOption, NowOption, moment, open_home, reckoned
from watchkeeper.cli.output import JsonOption, complain, say, show, show_json
from watchkeeper.errors import UsageError
from watchkeeper.judgement.eras import Era
from watchkeeper.operations.rebaseline import Rebased, eras_listed, rebaseline, steps_listed, take_back
from watchkeeper.records import Baseline
from watchkeeper.words import moment_text, window_text

_LISTED = ("id", "since", "compared_with", "who", "why")


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(
        "rebaseline", epilog='Example: watchkeeper rebaseline flight_delays --from 2013-05-01 --to 2013-05-29 --reason "the new timetable stays"'
    )(rebaseline_it)


def rebaseline_it(
    ctx: typer.Context,
    model: Annotated[str, typer.Argument(metavar="MODEL", help="The model.")],
    *,
    start: Annotated[str | None, typer.Option("--from", metavar="DAY", help="First day of the new normal.", show_default=False)] = None,
    end: Annotated[str | None, typer.Option("--to", metavar="DAY", help="The day after its last one.", show_default=False)] = None,
    since: Annotated[
        str | None, typer.Option(metavar="DAY", help="Windows from this day on are compared with it; else from --to on.", show_default=False)
    ] = None,
    reason: ReasonOption = "",
    who: WhoOption = None,
    is_list: Annotated[bool, typer.Option("--list", help="List what is normal since when.")] = False,
    taken_back: Annotated[str | None, typer.Option("--end", metavar="ID", help="Take the new normal with this id back.", show_default=False)] = None,
    now: NowOption = None,
    as_json: JsonOption = False,
    home: HomeOption = None,
) -> None:
    """Say that some days are the new normal: later windows are compared with these and judged by them. No row is read for it."""
    place = open_home(ctx, home)
    at = moment(now, place)
    if (is_list or taken_back is not None) and (start or end or since or (is_list and taken_back is not None)):
        raise UsageError("--list and --end stand alone", where="rebaseline", then="List or take back first, and declare a new normal after that.")
    if is_list:
        found = eras_listed(place, model, now=at)
        rows = [row for era in found for row in (_row(era), *(_step_row(era, made) for made in steps_listed(place, model, era, now=at)))]
        show(rows, as_json=as_json, columns=_LISTED, empty="")
        return
    if taken_back is not None:
        done = take_back(place, model, taken_back, who=who_acts(who), why=reason, now=at)
        said = f"{done.baseline.baseline_id} is taken back: the next run compares windows of {model} as before it."
    else:
        first, last, begins = _day(start, "--from"), _day(end, "--to"), _day(since, "--since") if since else None
        done = rebaseline(place, model, start=first, end=last, since=begins, who=who_acts(who), why=reason, now=at)
        said = _declared(done)
    for warning in done.warnings:
        complain(warning)
    if as_json:
        show_json(_of(done))
    else:
        say(said)


def _day(text: str | None, option: str) -> date:
    """Return the day that an option names.

    Raises:
        UsageError: it names none.

    """
    if text is None:
        raise UsageError("a new normal is made of days", where=option, then=f"Add for example {option} 2013-05-01.")
    try:
        return reckoned(date.fromisoformat(text), option)
    except ValueError as error:
        raise UsageError(f"{text!r} is not a day", where=option, then="Write for example 2013-05-01.") from error


def _declared(done: Rebased) -> str:
    made, zone = done.baseline, done.monitor.timezone
    since, days = moment_text(made.since, zone).removesuffix(", 00:00"), window_text(made.starts_at, made.ends_at, zone)
    return f"Declared as {made.baseline_id}: since {since} {made.model} is compared with {days}, and judged by these days. The next run does so."


def _of(done: Rebased) -> dict[str, object]:
    names = ("model", "environment", "since", "starts_at", "ends_at", "who", "why", "at")
    return {"id": done.baseline.baseline_id, **{n: getattr(done.baseline, n) for n in names}, "warnings": list(done.warnings)}


def _row(era: Era) -> dict[str, object]:
    """Return an era as it is listed; the first is that of the monitor file."""
    made, span, zone = era.baseline, era.monitor.reference_span, era.monitor.timezone
    return {
        "id": made.baseline_id if made else "",
        "since": made.since if made else None,
        "until": era.until,
        "compared_with": window_text(*span, zone) if span else "files that have not landed",
        "starts_at": span[0] if span else None,
        "ends_at": span[1] if span else None,
        "who": made.who if made else "",
        "why": made.why if made else "the monitor file",
        "kind": "declared",
        "left_out": [],
    }


def _step_row(era: Era, made: Baseline) -> dict[str, object]:
    """Return a step of a rolling reference as it is listed; where it was skipped, windows are compared as before it."""
    taken = era.step_at(made.since) if made.event == "begun" else None
    return {
        "id": made.baseline_id,
        "since": made.since,
        "until": taken.until if taken else None,
        "compared_with": f"inputs: {window_text(made.starts_at, made.ends_at, era.monitor.timezone)}" if taken else "as before",
        "starts_at": made.starts_at if taken else None,
        "ends_at": made.ends_at if taken else None,
        "who": made.who,
        "why": made.why,
        "kind": made.kind,
        "left_out": made.left_out,
    }
