"""The commands about single predictions: explain, and sample, which finds those worth reading.

Belongs here: their arguments and how answers are printed. Does not: finding them (operations/explain.py, pick.py) or their words
(site/explanation.py).
"""

from collections.abc import Sequence
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
from watchkeeper.monitor import Monitor
from watchkeeper.operations.explain import explain as explained
from watchkeeper.operations.pick import Kind, Picked, pick
from watchkeeper.operations.spans import Traced, predictions_of
from watchkeeper.site.explanation import Explanation, explanation_lines, inputs_left_out, inputs_told, value_text
from watchkeeper.site.spans import trace_lines
from watchkeeper.words import moment_text

_TOLD = 20


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("explain", epilog="Example: watchkeeper explain flight_delays 2013-04-23-UA-1545-EWR")(explain)
    app.command("sample", epilog="Example: watchkeeper sample flight_delays --wrong --segment carrier=VX --window 2013-06-24..2013-06-30")(sample)


def explain(
    ctx: typer.Context,
    model: Annotated[str, typer.Argument(metavar="MODEL", help="The model that predicted.")],
    prediction: Annotated[str | None, typer.Argument(metavar="ID", help="The id of the prediction; else --trace finds it.")] = None,
    *,
    trace: Annotated[
        str | None,
        typer.Option(metavar="TRACE", help="The trace that it was made in: 32 hexadecimal digits, or a traceparent.", show_default=False),
    ] = None,
    version: Annotated[str | None, typer.Option(metavar="VERSION", help="What this version said of it; else the latest.", show_default=False)] = None,
    as_json: JsonOption = False,
    private: PrivateOption = False,
    reason: PrivateReasonOption = "",
    now: NowOption = None,
    home: HomeOption = None,
) -> None:
    """Tell all that is known of one prediction: what went in and how usual that was, what came out, the label, and what was wrong then.

    Where its trace has been taken in, its spans are shown: what called what, and which part was the slowest.
    """
    why = private_reason(reason, is_asked=private)
    place = open_home(ctx, home)
    monitor = load_monitor(place, model)
    at = moment(now, place)
    name = _one_of(monitor, prediction, [] if trace is None else predictions_of(place, monitor, trace, now=at), trace)
    found = explained(place, monitor, name, now=at, version=version, private_reason=why)
    if as_json:
        show_json(_as_json(found))
        return
    for label, text in explanation_lines(monitor, found):
        say(f"{label}: {text}" if label else text)
    inputs = [{"input": i.name, "value": value_text(i.value), "in the reference": i.place.said} for i in inputs_told(found)]
    say("")
    show(inputs, as_json=False, empty="No inputs are counted.")
    if more := inputs_left_out(found):
        say(more)
    for line in trace_lines(found.spans):
        say(line)
    if found.trace_id and not found.spans:
        say("No span of its trace has landed: `watchkeeper take-telemetry FILE` takes them in.")


def _one_of(monitor: Monitor, prediction: str | None, traced: Sequence[Traced], trace: str | None) -> str:
    """Return the id that is asked for: as given, or the one of a trace.

    Raises:
        UsageError: there is none, or a trace has several, or the one given is not of the trace.

    """
    if trace is None:
        if prediction is None:
            raise UsageError("no prediction is named", where="explain", then="Give its id, or --trace and the trace it was made in.")
        return prediction
    ids = [t.id for t in traced]
    if prediction is None and len(ids) == 1:
        return ids[0]
    if prediction is None or prediction not in ids:
        told = "; ".join(f"{t.id} ({moment_text(t.at, monitor.timezone)})" for t in traced[:_TOLD])
        more = f"; and {len(ids) - _TOLD:,} more" if len(ids) > _TOLD else ""
        what = f"{len(ids)} predictions were made in this trace" if prediction is None else f"{prediction!r} was not made in this trace"
        raise UsageError(f"{what}: {told}{more}", where="--trace", then="Name one of them as ID.")
    return prediction


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
    rows = found if as_json else [_row(monitor, one) for one in found]
    title = f"{model}, times in {monitor.timezone}"
    show(rows, as_json=as_json, columns=columns, title=title, empty="No prediction of these days is like that.", is_exact=False)


def _row(monitor: Monitor, one: Picked) -> dict[str, Any]:
    """Return a prediction as a table shows it: no error is told of one whose label is awaited."""
    error = one.error if one.is_labelled or monitor.labels is None else "no label yet"
    return {**as_dict(one), "at": moment_text(one.at, monitor.timezone), "error": error}
