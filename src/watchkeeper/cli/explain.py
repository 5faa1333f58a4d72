"""The commands about single predictions: explain, and sample, which finds those worth reading.

Belongs here: their arguments and how answers are printed. Does not: finding them (operations/explain.py, pick.py) or their words
(site/explanation.py).
"""

from typing import Annotated, Any

import typer

from watchkeeper.adapters.workspace import load_monitor
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
from watchkeeper.cli.output import JsonOption, as_dict, say, show, show_json
from watchkeeper.errors import UsageError
from watchkeeper.operations.explain import explain as explained
from watchkeeper.operations.pick import Kind, pick
from watchkeeper.site.explanation import Explanation, explanation_lines, value_text
from watchkeeper.words import moment_text


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("explain", epilog="Example: watchkeeper explain flight_delays 2013-04-23-UA-1545-EWR")(explain)
    app.command("sample", epilog="Example: watchkeeper sample flight_delays --wrong --segment carrier=VX --window 2013-06-24..2013-06-30")(sample)


def explain(
    ctx: typer.Context,
    model: Annotated[str, typer.Argument(metavar="MODEL", help="The model that predicted.")],
    prediction: Annotated[str, typer.Argument(metavar="ID", help="The id of the prediction.")],
    *,
    version: Annotated[str | None, typer.Option(metavar="VERSION", help="What this version said of it; else the latest.", show_default=False)] = None,
    as_json: JsonOption = False,
    private: PrivateOption = False,
    reason: PrivateReasonOption = "",
    now: NowOption = None,
    home: HomeOption = None,
) -> None:
    """Tell all that is known of one prediction: what went in and how usual that was, what came out, the label, and what was wrong then."""
    why = private_reason(reason, is_asked=private)
    place = open_home(ctx, home)
    monitor = load_monitor(place, model)
    found = explained(place, monitor, prediction, now=moment(now, place), version=version, private_reason=why)
    if as_json:
        show_json(_as_json(found))
        return
    for label, text in explanation_lines(monitor, found):
        say(f"{label}: {text}" if label else text)
    inputs = [{"input": i.name, "value": value_text(i.value), "in the reference": i.place.said} for i in found.inputs]
    say("")
    show(inputs, as_json=False, empty="No inputs are counted.")


def _as_json(found: Explanation) -> dict[str, Any]:
    return as_dict(found) | {"incidents": [{k: getattr(i, k) for k in ("id", "severity", "state", "family", "headline")} for i in found.incidents]}


def sample(
    ctx: typer.Context,
    model: Annotated[str, typer.Argument(metavar="MODEL", help="The model that predicted.")],
    *,
    is_unsure: Annotated[bool, typer.Option("--low-confidence", help="Those nearest to another decision first.")] = False,
    is_wrong: Annotated[bool, typer.Option("--wrong", help="Those that turned out wrong, the surest of them first.")] = False,
    segment: Annotated[str, typer.Option(metavar="COLUMN=VALUE", help="Those of a segment; a&b for a pair.", show_default=False)] = "",
    window: WindowOption = None,
    limit: Annotated[int, typer.Option(metavar="N", min=1, help="How many to show.")] = 20,
    as_json: JsonOption = False,
    now: NowOption = None,
    home: HomeOption = None,
) -> None:
    """List predictions worth reading: `watchkeeper explain` tells all about one of them. Without a choice the newest come first."""
    if is_unsure and is_wrong:
        raise UsageError("--low-confidence and --wrong put rows in different orders", where="sample", then="Give one of them.")
    place = open_home(ctx, home)
    monitor = load_monitor(place, model)
    span = None if window is None else parse_window(window, monitor.timezone)
    kind: Kind = "low_confidence" if is_unsure else "wrong" if is_wrong else "any"
    found = pick(place, monitor, kind, now=moment(now, place), window=span, segment=segment, limit=limit)
    columns = ("id", "at", "version", "score", "decision", "label", "margin", "error")
    rows = found if as_json else [{**as_dict(one), "at": moment_text(one.at, monitor.timezone)} for one in found]
    title = f"{model}, times in {monitor.timezone}"
    show(rows, as_json=as_json, columns=columns, title=title, empty="No prediction of these days is like that.", is_exact=False)
