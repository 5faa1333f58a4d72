"""The command that tells what could be saved: advise.

Belongs here: its arguments and how its answer is printed. Does not: the rules (judgement/advice.py).
"""

from typing import Annotated

import typer

from watchkeeper.adapters.workspace import load_monitors
from watchkeeper.cli.frame import HomeOption, NowOption, moment, open_home
from watchkeeper.cli.output import JsonOption, complain, say, show_json
from watchkeeper.judgement.advice import Advice
from watchkeeper.judgement.budget import money
from watchkeeper.measures.cost import SYNTHETIC
from watchkeeper.operations.advise import advise, facts_of
from watchkeeper.operations.spending import books_or_reasons
from watchkeeper.words import percent


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("advise", epilog="Example: watchkeeper advise flight_delays")(show_advice)


def show_advice(
    ctx: typer.Context,
    models: Annotated[list[str] | None, typer.Argument(metavar="MODEL", help="Models to look at; default: all.", show_default=False)] = None,
    *,
    as_json: JsonOption = False,
    now: NowOption = None,
    home: HomeOption = None,
) -> None:
    """Tell what could be saved on GPUs and versions by the last four weeks, with the evidence and the risk. Nothing is done.

    Savings are estimates, and do not add up: each is beside what is done now. What was not measured is said, and nothing is advised by it.
    """
    place = open_home(ctx, home)
    monitors, problems = load_monitors(place, models)
    for problem in problems:
        complain(str(problem))
    at = moment(now, place)
    every, books = load_monitors(place)[0] if models else monitors, books_or_reasons(place)
    found = [a for m in monitors.values() for a in advise(m, facts_of(place, m, every, books, now=at))]
    if as_json:
        show_json(found)
        return
    for one in found:
        for line in _lines(one):
            say(line)


def _lines(one: Advice) -> list[str]:
    name = f"{one.model}, {one.kind.replace('_', ' ')}"
    if one.state != "advised":
        return [f"{name}: {one.text}" if one.state == "not known" else f"{name}: not advised. {one.text[:1].upper()}{one.text[1:]}"]
    share = f", {percent(one.share_of_cost)} of its cost" if one.share_of_cost is not None else ""
    made_up = f" ({SYNTHETIC})" if one.is_synthetic else ""
    return [f"{name}: about {money(one.saving_per_month)} {one.currency} a month{share}, an estimate{made_up}: {one.text}", f"  Risk: {one.risk}"]
