"""The command that answers why one prediction was made as it was: explain.

Belongs here: its arguments and how the answer is printed. Does not: finding the answer (operations/explain.py) or its words
(site/explanation.py).
"""

from typing import Annotated, Any

import typer

from watchkeeper.adapters.workspace import load_monitor
from watchkeeper.cli.frame import HomeOption, NowOption, PrivateOption, PrivateReasonOption, moment, open_home, private_reason
from watchkeeper.cli.output import JsonOption, as_dict, say, show, show_json
from watchkeeper.operations.explain import explain as explained
from watchkeeper.site.explanation import Explanation, explanation_lines, value_text


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("explain", epilog="Example: watchkeeper explain flight_delays 2013-04-23-AA-731-LGA")(explain)


def explain(
    ctx: typer.Context,
    model: Annotated[str, typer.Argument(metavar="MODEL", help="The model that predicted.")],
    prediction: Annotated[str, typer.Argument(metavar="ID", help="The id of the prediction.")],
    *,
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
    found = explained(place, monitor, prediction, now=moment(now, place), private_reason=why)
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
