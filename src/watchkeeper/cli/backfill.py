"""The command backfill.

Belongs here: its arguments, the progress bar, what is printed. Does not: the work (operations/backfill.py).
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from typing import Annotated, Any, NamedTuple

import typer

from watchkeeper.cli.frame import HomeOption, NowOption, days, moment, open_home
from watchkeeper.cli.output import NOBODY, JsonOption, as_dict, complain, say, show_json
from watchkeeper.cli.watch import Models
from watchkeeper.judgement.notices import STALE_AFTER
from watchkeeper.operations.backfill import Asked, Backfilled
from watchkeeper.operations.backfill import backfill as bring_up_to_date
from watchkeeper.operations.spread import in_threads
from watchkeeper.words import counted


class OfBins(StrEnum):
    """What becomes of the bins."""

    keep = "keep"
    refit = "refit"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("backfill", epilog="Example: watchkeeper backfill flight_delays --from 2013-01-01 --to 2014-01-01")(backfill)


def backfill(
    ctx: typer.Context,
    models: Models = None,
    *,
    start: Annotated[str | None, typer.Option("--from", metavar="DATE", help="First day to measure; else all.", show_default=False)] = None,
    end: Annotated[str | None, typer.Option("--to", metavar="DATE", help="Day after the last.", show_default=False)] = None,
    bins: Annotated[
        OfBins, typer.Option(metavar="keep|refit", help="`refit` fits bins to the reference anew and counts all rows again.")
    ] = OfBins.keep,
    recompute: Annotated[bool, typer.Option("--recompute", help="Measure again also what nothing new is known about.")] = False,
    now: NowOption = None,
    as_json: JsonOption = False,
    home: HomeOption = None,
) -> None:
    """Land, count, measure and judge all that is past, on all processors. Start it again after a kill: it goes on where it stood.

    Nobody is told. The next run tells what is no older than a week. Exit code 4 when something could not be done.
    """
    place = open_home(ctx, home)
    zone = place.workspace.timezone
    first, last = days(zone, start, end)
    asked = Asked(start=first, end=last, bins=bins.value, recompute=recompute)
    with _bar(is_shown=not as_json) as bar:
        done = bring_up_to_date(place, models or None, now=moment(now, place), asked=asked, spread=in_threads, tell=bar.step, far=bar.far)
    if as_json:
        show_json(_summary(done))
    elif done.watched.models or done.problems:
        _tell(done, bins)
    else:
        say(NOBODY)
    for problem in done.problems:
        complain(str(problem))
    for failure in done.watched.failures:
        complain(f"{failure.model}: {failure.operation} failed: {failure.reason}")
    if done.watched.failures or done.problems:
        raise typer.Exit(4)


class _Bar(NamedTuple):
    """What moves the bar: the step that begins, and how many of its pieces are done."""

    step: Callable[[str, str], None]
    far: Callable[[str, int, int], None]


@contextmanager
def _bar(*, is_shown: bool) -> Iterator[_Bar]:
    """Show on stderr how far the backfill is, on a terminal only."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    console = Console(stderr=True)
    parts = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    with Progress(*parts, console=console, disable=not is_shown or not console.is_terminal) as progress:
        here = {"model": "", "task": progress.add_task("starting", total=None)}

        def step(model: str, operation: str) -> None:
            here["model"] = model
            progress.update(here["task"], description=f"{model}: {operation}", completed=0, total=None)  # type: ignore[arg-type]

        def far(what: str, done: int, total: int) -> None:
            progress.update(here["task"], description=f"{here['model']}: {what}", completed=done, total=total)  # type: ignore[arg-type]

        yield _Bar(step, far)


def _tell(done: Backfilled, bins: OfBins) -> None:
    landed = sum(b.rows_landed for b in done.watched.batches)
    say(
        f"{counted(len(done.watched.batches), 'batch')}: {counted(landed, 'row')} landed. {counted(sum(done.parts.values()), 'profile part')} written."
    )
    for model, version in done.bins.items():
        say(f"{model}: bins were fitted anew, version {version}. Scores over the old ones stay in the lake as history; no series shows both.")
    for model in [m for m in done.parts if m not in done.bins] if bins == OfBins.refit else ():
        say(f"{model}: the same bins came out, and stay in force.")
    windows, opened = len(done.watched.runs), sum(e.event == "opened" for e in done.watched.events)
    say(f"{counted(windows, 'window')} measured, {counted(opened, 'incident')} opened. Nobody was told: `watchkeeper run` tells what is no older")
    say(f"than {STALE_AFTER.days} days, and `watchkeeper incidents --all` shows the rest.")


def _summary(done: Backfilled) -> dict[str, Any]:
    watched = done.watched
    return {
        "batches": [as_dict(b) for b in watched.batches],
        "parts": done.parts,
        "bins": done.bins,
        "windows": [as_dict(r) for r in watched.runs],
        "incident_events": [as_dict(e) for e in watched.events],
        "failures": [as_dict(f) for f in watched.failures],
        "problems": [str(p) for p in done.problems],
    }
