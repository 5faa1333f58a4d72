"""The commands that watch and tell: run, scores, incidents and digest.

Belongs here: their arguments and how results are printed. Does not: the work (operations/), or the pages (site/).
"""

import json
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from watchkeeper.adapters.workspace import Home, load_monitor, load_monitors
from watchkeeper.cli.doing import steps
from watchkeeper.cli.follow import follow_on
from watchkeeper.cli.frame import HomeOption, NowOption, day, days, moment, open_home
from watchkeeper.cli.output import NOBODY, JsonOption, as_dict, complain, say, set_aside_lines, show, show_json, window_so_far
from watchkeeper.errors import UsageError
from watchkeeper.judgement.causes import undecided
from watchkeeper.judgement.incidents import OURSELVES
from watchkeeper.judgement.notices import STALE, STALE_AFTER
from watchkeeper.operations.export import deliver
from watchkeeper.operations.grouping import messages_in
from watchkeeper.operations.incident_book import incident_called, known_incidents
from watchkeeper.operations.listing import Wanted, incident_listing, listed_scores, silence
from watchkeeper.operations.report import digest_of, newest_as_it_stands
from watchkeeper.operations.spread import in_threads
from watchkeeper.operations.watch import Watched, present, watch
from watchkeeper.records import Score
from watchkeeper.story import Cause
from watchkeeper.windows import Grid
from watchkeeper.words import COUNTS, counted, listed, moment_text, note_text, window_text

Models = Annotated[list[str] | None, typer.Argument(metavar="MODEL", help="Models; else all.", show_default=False)]
_SCORES = ("metric", "feature", "segment", "version", "window", "value", "low", "high", "n", "reference_value", "coverage", "state", "reason")
_INCIDENTS = ("id", "model", "state", "severity", "window", "headline", "cause", "by")


class By(StrEnum):
    """The windows of a listing."""

    hour = "hour"
    day = "day"
    week = "week"
    month = "month"


class Period(StrEnum):
    """The period of a digest."""

    day = "day"
    week = "week"


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("run", epilog="Example: watchkeeper run flight_delays --now 2013-04-23T17:00Z")(run)
    app.command("scores", epilog="Example: watchkeeper scores flight_delays --metric roc_auc --by week --from 2013-04-01 --json")(scores)
    app.command("digest", epilog="Example: watchkeeper digest flight_delays --of 2013-04-22")(digest)
    incidents = typer.Typer(cls=_IdsToo, rich_markup_mode=None)
    incidents.callback(invoke_without_command=True, epilog="Example: watchkeeper incidents --all --json")(list_incidents)
    incidents.command("show", epilog="Example: watchkeeper incidents show 4f0c9a1be2d37750")(show_incident)
    app.add_typer(incidents, name="incidents", help="List what is wrong, and why.")


def run(
    ctx: typer.Context,
    models: Models = None,
    *,
    every: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="Go on all the time, a step so often, from 1s to 1h; Ctrl-C or SIGTERM ends it.", show_default=False),
    ] = None,
    lasting: Annotated[
        str | None, typer.Option("--for", metavar="TIME", help="With --every: end after so long, such as 12h.", show_default=False)
    ] = None,
    now: NowOption = None,
    as_json: JsonOption = False,
    home: HomeOption = None,
) -> None:
    """Bring everything due up to date: land, check, measure, judge, report, tell. Harmless when repeated or run twice at once.

    With --every the newest rows are looked at step by step, and told within a step or two when something breaks; each step prints a line.
    Exit code 4 when something could not be done, or a critical expectation could not be evaluated; the reasons are in `watchkeeper status`.
    """
    place = open_home(ctx, home)
    if every is not None or lasting is not None:
        follow_on(place, models or None, every=every, lasting=lasting, now=now, as_json=as_json)
        return
    at = moment(now, place)
    with steps() as tell:
        is_live = now is None and place.workspace.now is None
        done = watch(place, models or None, now=at, progress=tell, spread=in_threads, is_live=is_live)
        tell("", "pages and the published file")
        missed = present(place, models or None, now=at)
        missed += deliver(place, load_monitors(place)[0], now=at) if is_live else []
    if as_json:
        show_json(_summary(done))
    elif done.models or done.problems:
        _tell(done)
    else:
        say(NOBODY)
    if place.standing and now is None and not as_json:
        say(place.standing)
    for problem in done.problems:
        complain(str(problem))
    for failure in done.failures:
        complain(f"{failure.model}: {failure.operation} failed: {failure.reason}")
    for sentence in (*done.unevaluated, *(f"{name}: {reason}" for name, reason in done.unread), *missed):
        complain(sentence)
    if done.failures or done.problems or done.unevaluated or done.unread:
        raise typer.Exit(4)


def scores(
    ctx: typer.Context,
    model: Annotated[str, typer.Argument(metavar="MODEL", help="The model.")],
    *,
    metric: Annotated[
        list[str] | None, typer.Option(metavar="METRIC", help="Only these metrics; also those that are not stored.", show_default=False)
    ] = None,
    feature: Annotated[str | None, typer.Option(metavar="FEATURE", help="Only this feature; `all` for every one.", show_default=False)] = None,
    segment: Annotated[
        str | None, typer.Option(metavar="SEGMENT", help="Only this segment, such as carrier=VX; `all` for every one.", show_default=False)
    ] = None,
    version: Annotated[
        str | None, typer.Option(metavar="VERSION", help="Only this version of the model; `all` for every one apart.", show_default=False)
    ] = None,
    start: Annotated[str | None, typer.Option("--from", metavar="DATE", help="First day.", show_default=False)] = None,
    end: Annotated[str | None, typer.Option("--to", metavar="DATE", help="Day after the last.", show_default=False)] = None,
    by: Annotated[
        By | None, typer.Option(metavar="hour|day|week|month", help="Windows, rolled up from profiles; else the monitor's own.", show_default=False)
    ] = None,
    now: NowOption = None,
    as_json: JsonOption = False,
    home: HomeOption = None,
) -> None:
    """List what was measured: KPIs, drift, data quality, service and cost, each with its interval, rows and state."""
    place = open_home(ctx, home)
    at = moment(now, place)
    monitor = load_monitor(place, model)
    first, last = days(monitor.timezone, start, end)
    wanted = Wanted(
        metrics=frozenset(metric or ()),
        feature=feature,
        segment=segment,
        version=version,
        start=first,
        end=last,
        grain=by.value if by else None,
    )
    found = listed_scores(place, monitor, wanted, now=at)
    show(
        found if as_json else [_row(s, monitor.timezone, at) for s in found],
        as_json=as_json,
        columns=[c for c in _SCORES if c != "version" or any(s.version for s in found)],
        title=f"{model}, {wanted.grain or monitor.window}s in {monitor.timezone}",
        empty=f"No score matches. {silence(place, monitor, wanted, now=at)}",
    )
    if found and segment and not any(s.segment for s in found):
        complain(f"All rows alone. {silence(place, monitor, wanted, now=at)}")


def _row(score: Score, timezone: str, now: datetime) -> dict[str, Any]:
    window = window_so_far(score.window_start, score.window_end, timezone, now)
    return {**as_dict(score), **_whole(score), "window": window, "reason": note_text(score)}


def list_incidents(
    ctx: typer.Context,
    *,
    everything: Annotated[bool, typer.Option("--all", help="Resolved ones too.")] = False,
    model: Annotated[list[str] | None, typer.Option(metavar="MODEL", help="Only these models.", show_default=False)] = None,
    now: NowOption = None,
    as_json: JsonOption = False,
    home: HomeOption = None,
) -> None:
    """List what is wrong, and why; with --all also what was."""
    if ctx.invoked_subcommand is not None:
        return
    place = open_home(ctx, home)
    found = incident_listing(place, models=model, resolved=everything, now=moment(now, place))
    if as_json:
        show_json(found)
        return
    zones = {name: monitor.timezone for name, monitor in load_monitors(place)[0].items()}
    rows = [
        {
            **i,
            "model": listed(i["models"]),
            "window": window_text(i["window_start"], i["window_end"], zones.get(i["model"], "UTC")),
            "cause": _cause_text([Cause(**c) for c in i["causes"]]),
            "by": _by(i, zones.get(i["model"], "UTC")),
        }
        for i in found
    ]
    columns = [c for c in _INCIDENTS if c != "by" or any(row["by"] for row in rows)]
    show(rows, as_json=False, columns=columns, empty="Nothing is wrong." if not everything else "Nothing has been wrong.")


def _by(incident: Mapping[str, Any], timezone: str) -> str:
    """Return which person put an incident into its state, a silence's end, why, and who else looks after it; empty where nobody did."""
    seen = incident["acknowledged_by"] if incident["state"] == "silenced" else ""
    until = f" until {moment_text(incident['until'], timezone)}" if incident["until"] else ""
    why = f": {incident['why']}" if incident["why"] else ""
    said = "" if incident["who"] in ("", OURSELVES) else f"{incident['who']}{until}{why}"
    return f"{said}; acknowledged by {seen}" if seen else said


def _cause_text(found: Sequence[Cause]) -> str:
    level = [c.subject for c in undecided(found)]
    later = "".join(f"; later also {c.subject}" for c in found if c.is_later and level)
    first = f"undecided: {' or '.join(level)}" if len(level) > 1 else level[0] if level else "unknown"
    return f"{first}{later}"


def show_incident(
    ctx: typer.Context,
    incident: Annotated[str, typer.Argument(metavar="ID", help="The incident's id, or the beginning of it.")],
    *,
    now: NowOption = None,
    as_json: JsonOption = False,
    home: HomeOption = None,
) -> None:
    """Show one incident whole: since when, how bad, for whom, why, what was ruled out, what to do."""
    place = open_home(ctx, home)
    at = moment(now, place)
    chosen = incident_called(known_incidents(place, now=at), incident).id
    if as_json:
        show_json(next(i for i in incident_listing(place, models=None, resolved=True, now=at, parts=True) if i["id"] == chosen))
    else:
        say(_incident_text(place, chosen, at))


def digest(
    ctx: typer.Context,
    models: Models = None,
    *,
    period: Annotated[Period, typer.Option(metavar="day|week", help="What it sums up.")] = Period.week,
    of: Annotated[
        str | None,
        typer.Option("--of", metavar="DATE", help="A day in the period; else the newest that is final, as it stands now.", show_default=False),
    ] = None,
    now: NowOption = None,
    as_json: JsonOption = False,
    home: HomeOption = None,
) -> None:
    """Show what a stakeholder reads in a minute: how the models did, what moved and why, what it cost, what is not known."""
    place = open_home(ctx, home)
    at = moment(now, place)
    found = []
    for monitor in load_monitors(place, models or None)[0].values():
        asked = day(monitor.timezone, of, "--of")
        if asked is None:
            newest = newest_as_it_stands(place, monitor, now=at, period=period.value)
            found += [newest] if newest else []
        else:
            window = Grid(period.value, monitor.timezone).at(asked)
            if window.start > at:
                raise UsageError(f"that {period.value} has not begun", where="--of", then=f"It is {moment_text(at, monitor.timezone)} here.")
            found.append(digest_of(place, monitor, window, now=at, period=period.value))
    if as_json:
        show_json([{**as_dict(d), "facts": json.loads(d.facts)} for d in found])
        return
    say("\n\n".join(d.text.rstrip() for d in found) or "No digest is final yet; --of DATE shows one as it stands.")


class _IdsToo(TyperGroup):
    """Take what looks like an id for `show ID`."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Find the command that was called."""
        is_id = bool(args) and args[0] not in self.commands and re.fullmatch("[0-9a-f]{4,16}", args[0]) is not None
        return super().resolve_command(ctx, ["show", *args] if is_id else args)


def _tell(done: Watched) -> None:
    for action in done.actions:
        text = json.loads(action.payload).get("text") if action.target == "file" and action.state == "sent" else None
        if text:
            say(f"{text}\n")
    landed, held = sum(b.rows_landed for b in done.batches), sum(b.rows_quarantined for b in done.batches)
    again = sum(b.rows_duplicate for b in done.batches)
    known = f", {again:,} known already" if again else ""
    waiting = [r for r in done.runs if r.outcome == "insufficient"]
    measured = counted(len(done.runs) - len(waiting), "window")
    say(f"{counted(len(done.batches), 'batch')}: {counted(landed, 'row')} landed, {held:,} quarantined{known}. {measured} measured.")
    for line in [*set_aside_lines(done.set_aside), *(f"{said}." for said in done.left_out), *done.telemetry]:
        say(line)
    for model, reason in dict.fromkeys((r.model, r.reason) for r in waiting):
        say(f"{model}: not measured yet: {reason}.")
    opened, resolved = (sum(e.event == what for e in done.events) for what in ("opened", "resolved"))
    told = f"{counted(len(done.digests), 'digest')}, {counted(_sent(done), 'message')} sent"
    say(f"{counted(opened, 'incident')} opened, {resolved:,} resolved, {told}.")
    for why, ids in _held(done).items():
        say(f"{counted(len(ids), 'message')} {why if len(ids) == 1 else why.replace('waits', 'wait', 1)}.")
    _tell_unsent(done)


def _held(done: Watched) -> dict[str, set[tuple[str, str]]]:
    """Return what waits for the end of quiet hours, by the reason: each message once, however many receivers there are."""
    found: dict[str, set[tuple[str, str]]] = {}
    for action in done.actions:
        if action.state == "held":
            found.setdefault(action.reason, set()).add((action.incident_id, action.kind))
    return found


def _tell_unsent(done: Watched) -> None:
    """Say what was over so long ago that nobody was told, and where it can be read."""
    shows = {"open": ("incident", "`watchkeeper incidents --all`"), "digest": ("digest", "`watchkeeper digest --of DAY`")}
    stale = {kind: {a.incident_id for a in done.actions if a.reason == STALE and a.kind == kind} for kind in shows}
    untold = {kind: ids for kind, ids in stale.items() if ids}
    if untold:
        what = " and ".join(counted(len(ids), shows[kind][0]) for kind, ids in untold.items())
        where = " and ".join(shows[kind][1] for kind in untold)
        verb = "shows" if len(untold) == 1 else "show"
        say(f"Not sent: {what}, over for more than {STALE_AFTER.days} days. {where} {verb} what was not.")


def _sent(done: Watched) -> int:
    return messages_in(done.actions)


def _summary(done: Watched) -> dict[str, Any]:
    return {
        "batches": [as_dict(b) for b in done.batches],
        "windows": [as_dict(r) for r in done.runs],
        "incident_events": [as_dict(e) for e in done.events],
        "digests": [d.digest_id for d in done.digests],
        "actions": [{k: v for k, v in as_dict(a).items() if k != "payload"} for a in done.actions],
        "failures": [as_dict(f) for f in done.failures],
        "problems": [str(p) for p in done.problems],
        "unevaluated": done.unevaluated,
        "set_aside": done.set_aside,
        "left_out": done.left_out,
        "telemetry": done.telemetry,
        "unread": [f"{name}: {reason}" for name, reason in done.unread],
    }


def _incident_text(home: Home, incident_id: str, now: datetime) -> str:
    from watchkeeper.operations.listing import told

    return told(home, incident_id, now=now)


def _whole(score: Score) -> dict[str, Any]:
    """Return the numbers of a count as counts."""
    counted = {name: getattr(score, name) for name in ("value", "reference_value")} if score.unit in COUNTS else {}
    return {name: value if value is None else round(value) for name, value in counted.items()}
