"""The command `demo`: a real year of flights, from raw files to a digest, as the schedules would have run it.

Belongs here: arguments, the progress bar, and how the ending is printed. Does not: the walk through the year
(demo/run.py), or what there is to tell (demo/ending.py).
"""

import resource
import shlex
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from zoneinfo import ZoneInfo

import typer

from watchkeeper.adapters.workspace import WORKSPACE_FILE, Home, find_home
from watchkeeper.cli.frame import HomeOption, open_home
from watchkeeper.cli.output import complain, program, say
from watchkeeper.errors import UsageError
from watchkeeper.spelling import parse_duration
from watchkeeper.words import counted

if TYPE_CHECKING:
    from watchkeeper.demo.ending import Ending, Found, Held, Size
    from watchkeeper.demo.run import Progress as Reached

_LAST = "2014-01-02"
_MOST_HELD = 10
_CONFIGURATION = ("watchkeeper.yaml", "deployments", "expectations", "warehouse/seeds")


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog="Example: watchkeeper demo --home /tmp/flights --until 2013-05-07")(demo)


def demo(
    ctx: typer.Context,
    *,
    every: Annotated[str, typer.Option("--every", metavar="TIME", help="How far `now` moves with each step.")] = "7d",
    until: Annotated[str, typer.Option("--until", metavar="DATE", help="The last day of the walk.")] = _LAST,
    seed: Annotated[int, typer.Option("--seed", metavar="N", help="Seed of the model's training.")] = 0,
    again: Annotated[bool, typer.Option("--again", help="Remove what an earlier demo made here, and start over.")] = False,
    home: HomeOption = None,
) -> None:
    """Watch a model of flight delays through the year 2013: train, let the files come, and run what the schedules run."""
    from watchkeeper.demo.run import claim, moments, start_over

    workspace, nows = _workspace(ctx, home), moments(_duration(every), _date(until))
    if again:
        start_over(workspace)
    reached = claim(workspace, seed)
    left = reached.left_of(nows)
    if left:
        _walk(workspace, left, reached)
    else:
        say(f"The demo has been through to {_day(reached.reached_at)} here. Start over with --again.")
    _tell(workspace, left[-1] if left else reached.reached_at)


def _walk(home: Home, nows: Sequence[datetime], reached: "Reached") -> None:
    from watchkeeper.demo.ending import tally
    from watchkeeper.demo.run import prepare, progress, stop_clock, walk

    began = time.monotonic()
    say(f"Going on from {_day(reached.reached_at)}." if reached.reached else "A year of flights out of New York: a model is trained, then watched.")
    try:
        with _shown(len(nows)) as shown:
            shown.doing("training, and scoring the year")
            year = prepare(home, reached.seed)
            for step, (now, failures) in enumerate(walk(home, year, nows, seed=reached.seed, tell=shown.doing), 1):
                windows, still_open = tally(home, now=now)
                shown.done(step, f"{_day(now)}: {counted(windows, 'window')} done, {counted(still_open, 'open incident')}")
                for failure in failures:
                    complain(f"{failure.operation} failed on {_day(now)}: {failure.reason}")
    finally:
        if (came := progress(home)) and (at := came.delivered_at or came.reached_at):
            stop_clock(home, at)
    say(f"{counted(len(nows), 'step')} in {time.monotonic() - began:.0f} s, {_peak_gb():.1f} GB of memory in the largest process.")


@dataclass(frozen=True)
class _Shown:
    """How progress is shown: what is being done (`doing`), and each step that is done (`done`)."""

    doing: Callable[[str], None]
    done: Callable[[int, str], None]


@contextmanager
def _shown(steps: int) -> Iterator[_Shown]:
    """Show a bar on a terminal, a line for each step where there is none."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    console = Console(stderr=True)
    if not console.is_terminal:
        complain(f"  0/{steps}  training, and scoring the year")
        yield _Shown(lambda _what: None, lambda step, text: complain(f"{step:>3}/{steps}  {text}"))
        return
    text, doing = TextColumn("{task.description}"), TextColumn("{task.fields[doing]}", style="dim")
    with Progress(SpinnerColumn(), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), text, doing, console=console) as bar:
        task = bar.add_task("", total=steps, doing="")
        yield _Shown(lambda what: bar.update(task, doing=what), lambda step, text: bar.update(task, completed=step, description=text))


def _tell(home: Home, now: datetime | None) -> None:
    from watchkeeper.demo.ending import ending

    if now is None:
        return
    told: Ending = ending(home, now=now)
    say(f"\nIncidents ({len(told.incidents)})")
    for incident in told.incidents or ():
        _tell_incident(incident)
    say("\nThe digest of the worst week")
    say(_indented(told.worst_week.text if told.worst_week else "No week has been measured yet."))
    _tell_quarantine(told.quarantined)
    _tell_sizes(told.sizes)
    _tell_places(home)


def _tell_incident(incident: "Found") -> None:
    say(f"  {incident.when:<24} {incident.severity:<8} {incident.state:<12} {incident.headline}")
    say(f"  {'':<24} {incident.cause}")


def _tell_quarantine(held: Sequence["Held"]) -> None:
    say(f"\nIn quarantine ({counted(len(held), 'row')})")
    for row in held[:_MOST_HELD]:
        say(f"  {row.file}, row {row.row_number}: {' '.join(row.reasons)}")
    if len(held) > _MOST_HELD:
        say(f"  and {len(held) - _MOST_HELD} more: watchkeeper quarantine list")


def _tell_sizes(sizes: Sequence["Size"]) -> None:
    say("\nHow much there is")
    for size in sizes:
        amount = counted(size.rows, "row") if size.rows is not None else f"{(size.size_bytes or 0) / 1e6:,.1f} MB"
        say(f"  {size.what:<28} {amount:>14}")


def _tell_places(home: Home) -> None:
    say("\nWhere to look")
    places = {
        "overview": home.site_dir / "index.html",
        "incidents": home.site_dir / "incidents",
        "validation docs": home.site_dir / "validation" / "index.html",
        "messages as files": home.outbox_dir,
        "published DuckDB file": home.published,
    }
    for what, path in places.items():
        if path.exists():
            say(f"  {what:<22} {path}")
    for what, command in commands(home).items():
        say(f"  {what:<22} {command}")


def commands(home: Home) -> dict[str, str]:
    """Return what to call next in the demo's workspace, as it can be pasted into this terminal."""
    called = f"{program()} --home {shlex.quote(str(home.root))}"
    return {"Prefect and schedules": f"{called} up", "any question": f'{called} sql "SELECT severity, headline FROM incidents"'}


def _workspace(ctx: typer.Context, home: Path | None) -> Home:
    """Return the workspace; a new folder is given the configuration of the flights from the workspace we stand in."""
    target = home or ctx.find_root().obj
    if target is not None and not (target / WORKSPACE_FILE).exists():
        _settle(target, find_home(None).root)
    return open_home(ctx, home)


def _settle(target: Path, source: Path) -> None:
    if target.exists() and any(target.iterdir()):
        raise UsageError("is no workspace and not empty", where=str(target), then="Name a new folder.")
    for name in _CONFIGURATION:
        if (source / name).is_dir():
            shutil.copytree(source / name, target / name)
        elif (source / name).exists():
            target.mkdir(parents=True, exist_ok=True)
            shutil.copy(source / name, target / name)


def _duration(text: str) -> timedelta:
    try:
        return parse_duration(text)
    except ValueError as error:
        raise UsageError(str(error), where="--every") from error


def _date(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise UsageError(f"{text!r} is not a day", where="--until", then="Write for example 2013-05-07.") from error


def _day(now: datetime | None) -> str:
    local = now and now.astimezone(ZoneInfo("America/New_York"))
    return f"{local:%a} {local.day} {local:%b %Y}" if local else "the beginning"


def _indented(text: str) -> str:
    return "\n".join(f"  {line}" for line in text.splitlines())


def _peak_gb() -> float:
    """Return the most memory that this process or a helper that has ended held."""
    unit = 1 if sys.platform == "darwin" else 1024
    return max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)) * unit / 1e9
