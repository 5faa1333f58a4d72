"""The command that tells what would be noticed: limits.

Belongs here: its arguments and how its answer is printed. Does not: the answer (operations/limits.py).
"""

from typing import Annotated

import typer

from watchkeeper.adapters.workspace import load_monitor
from watchkeeper.cli.frame import HomeOption, NowOption, moment, open_home
from watchkeeper.cli.output import JsonOption, as_dict, say, show, show_json
from watchkeeper.errors import UsageError
from watchkeeper.judgement.limits import Limit
from watchkeeper.measures.own import range_of, unit_of
from watchkeeper.monitor import Monitor
from watchkeeper.operations.limits import Limits, limits_of, standing_out
from watchkeeper.words import counted, metric_text, number_text


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("limits", epilog="Example: watchkeeper limits flight_delays")(show_limits)


def show_limits(
    ctx: typer.Context,
    model: Annotated[str, typer.Argument(metavar="MODEL", help="The model that is watched.")],
    *,
    metric: Annotated[str, typer.Option(metavar="NAME", help="Only this metric.", show_default=False)] = "",
    every: Annotated[bool, typer.Option("--all", help="Notices too; else only what pages.")] = False,
    as_json: JsonOption = False,
    now: NowOption = None,
    home: HomeOption = None,
) -> None:
    """Tell the smallest change of each number that would be noticed, and what the reference itself would have paged for.

    A change of that size is noticed four times of five: in one window by itself (at once), or within eight weeks of it (lasting). Both follow from
    the reference's own scatter and the budget of false alarms.
    """
    place = open_home(ctx, home)
    monitor = load_monitor(place, model)
    found = limits_of(place, monitor, now=moment(now, place))
    chosen = [limit for limit in found.numbers if metric in ("", limit.metric) and (every or metric or limit.level == "page")]
    if metric and not chosen:
        judged = sorted({limit.metric for limit in found.numbers})
        raise UsageError(f"{metric!r} is not judged by what is usual", where="--metric", then=f"Judged are {', '.join(judged) or 'none yet'}.")
    if as_json:
        show_json({**as_dict(found), "numbers": [as_dict(limit) for limit in chosen]})
        return
    show(
        [_row(monitor, limit) for limit in chosen],
        as_json=False,
        columns=("number", "usual", "at_once", "lasting"),
        empty="No number is judged by what is usual yet.",
    )
    _say_audit(monitor, found)
    for remark in found.remarks:
        say(f"{remark[:1].upper()}{remark[1:]}.")


def _say_audit(monitor: Monitor, found: Limits) -> None:
    """Say what the reference is made of, and which of its windows stand out."""
    if not found.windows:
        return
    out = standing_out(found.audit, monitor.timezone)
    stories = max((a.stories for a in found.audit), default=0)
    judged = f"Judged by {counted(found.windows, found.grain)} of reference"
    say(
        f"{judged}; one part of it by the others, {counted(len(out), found.grain)} of it stood out (accepted are {number_text(found.accepted)} false pages in that time)."
    )
    for when, numbers in out:
        say(f"  {when}: {numbers}")
    if stories:
        say("A day that was no usual one is neither learned from nor judged when `calendar` of the monitor names it.")


def _row(monitor: Monitor, limit: Limit) -> dict[str, str]:
    unit, ends = unit_of(monitor, limit.metric), range_of(monitor, limit.metric)
    numbers = (limit.usual, limit.at_once, limit.lasting)
    usual, at_once, lasting = (number_text(n, unit, numbers, truth=monitor.wording.unit) or "not calibrated" for n in numbers)
    if limit.usual is not None and limit.at_once is not None and limit.lasting is not None:
        at_once, lasting = (
            "never" if is_beyond(limit.usual, change, ends) else said for change, said in ((limit.at_once, at_once), (limit.lasting, lasting))
        )
    return {"number": metric_text(limit.metric, limit.feature, limit.segment), "usual": usual, "at_once": at_once, "lasting": lasting}


def is_beyond(usual: float, change: float, ends: tuple[float, float]) -> bool:
    """Tell whether a change either way leads beyond what a number can be, so that none is large enough.

    >>> is_beyond(0.7, 0.8, (0.0, 1.0)), is_beyond(0.7, 0.4, (0.0, 1.0))
    (True, False)
    """
    return usual + change > ends[1] and usual - change < ends[0]
