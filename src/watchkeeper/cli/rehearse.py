"""The command that tries a monitor on the past: rehearse.

Belongs here: its arguments and how its answer is printed. Does not: the answer (operations/rehearse.py).
"""

import re
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer

from watchkeeper.adapters.workspace import load_monitor, monitor_at
from watchkeeper.cli.frame import HomeOption, NowOption, moment, open_home
from watchkeeper.cli.output import JsonOption, as_dict, say, show, show_json
from watchkeeper.errors import UsageError
from watchkeeper.operations.rehearse import Pair, rehearse
from watchkeeper.words import counted, listed, window_text

_SHOWN = ("id", "state", "severity", "headline", "window_start", "window_end")


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("rehearse", epilog="Example: watchkeeper rehearse flight_delays --last 90d --file edited.yaml")(try_out)


def try_out(
    ctx: typer.Context,
    model: Annotated[str, typer.Argument(metavar="MODEL", help="The model that is watched.")],
    *,
    last: Annotated[str, typer.Option(metavar="DAYS", help="How far back, such as 90d.")] = "90d",
    file: Annotated[
        Path | None, typer.Option(metavar="YAML", help="The edited monitor; else the one in deployments/monitors/.", show_default=False)
    ] = None,
    as_json: JsonOption = False,
    now: NowOption = None,
    home: HomeOption = None,
) -> None:
    """Try an edited monitor on the past: the incidents there were, and those there would have been. Nothing is written, nobody is told.

    Budget, targets, calendar and reference days can be tried; what was never measured cannot.
    """
    place = open_home(ctx, home)
    at = moment(now, place)
    monitor = monitor_at(place, file) if file is not None else load_monitor(place, model)
    if monitor.model != model:
        raise UsageError(f"the file describes {monitor.model}, not {model}", where="--file", then=f"Write `watchkeeper rehearse {monitor.model}`.")
    found = rehearse(place, monitor, since=at - _days(last), now=at)
    if as_json:
        pairs = [{"becomes": p.becomes, "before": _brief(p.before), "after": _brief(p.after)} for p in found.pairs]
        show_json({**as_dict(found), "before": found.before, "after": found.after, "pairs": pairs})
        return
    rows = [_row(pair, monitor.timezone) for pair in found.pairs]
    show(rows, as_json=False, columns=("becomes", "severity", "window", "headline"), empty=f"No incident in the last {last}, before or after.")
    gone, new = (sum(p.becomes == what for p in found.pairs) for what in ("gone", "new"))
    say(f"{counted(found.before, 'incident')} before, {found.after:,} after: {gone:,} gone, {new:,} new. Nothing was written.")
    if found.unmeasured:
        say(f"Not tried, since it was never measured: {listed(found.unmeasured)}.")


def _row(pair: Pair, timezone: str) -> dict[str, str]:
    shown = pair.shown
    was = f"{pair.before.severity} to " if pair.before is not None and pair.becomes in ("graver", "milder") else ""
    window = window_text(shown.window_start, shown.window_end, timezone)
    return {"becomes": pair.becomes, "severity": f"{was}{shown.severity}", "window": window, "headline": shown.headline}


def _brief(incident: object) -> dict[str, object] | None:
    return None if incident is None else {name: getattr(incident, name) for name in _SHOWN}


def _days(text: str) -> timedelta:
    found = re.fullmatch(r"([1-9]\d{0,3})d", text.strip())
    if found is None:
        raise UsageError(f"{text!r} is no number of days", where="--last", then="Write for example --last 90d.")
    return timedelta(days=int(found[1]))
