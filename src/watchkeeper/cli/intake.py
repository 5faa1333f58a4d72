"""The commands that take files in: ingest, and what to do about what was set aside.

Belongs here: arguments and what is printed. Does not: reading and landing (operations/ingest.py), or decisions about
quarantine (operations/quarantine.py, operations/release.py).
"""

import dataclasses
import getpass
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from watchkeeper.adapters.files import Content, require
from watchkeeper.adapters.workspace import load_monitor, load_monitors
from watchkeeper.cli.frame import HomeOption, NowOption, moment, open_home
from watchkeeper.cli.output import JsonOption, complain, say, set_aside_lines, show
from watchkeeper.errors import UsageError
from watchkeeper.operations.ingest import Offered, offer
from watchkeeper.operations.quarantine import Chosen, discard, entries, heaps, note_look, set_aside, show_entries
from watchkeeper.operations.reading import Progress
from watchkeeper.operations.release import release
from watchkeeper.operations.unevaluated import unevaluated
from watchkeeper.records import Source

MANY = 5
REFUSED, NOT_MEASURED = 3, 4
_TABLE = ("name", "batch_id", "status", "rows_landed", "rows_quarantined", "rows_duplicate", "is_duplicate", "reason")
_HEAPS = ("model", "source", "name", "batch_id", "rows", "whole_files", "reason", "since")


class State(StrEnum):
    """What became of what was set aside."""

    held = "held"
    superseded = "superseded"
    released = "released"
    discarded = "discarded"


class SourceName(StrEnum):
    """What files hold."""

    events = "events"
    labels = "labels"


StateOption = Annotated[
    State,
    typer.Option(
        "--state", metavar="held|superseded|released|discarded", help="What waits, or what landed in a later file, was let in, or was given up."
    ),
]
Model = Annotated[str, typer.Argument(metavar="MODEL", help="The model, as in its monitor file.")]
Ids = Annotated[list[str] | None, typer.Argument(metavar="ID", help="Entries, as `quarantine show` names them; the beginning is enough.")]
BatchOption = Annotated[str, typer.Option("--batch", metavar="ID", help="Only entries of this batch.")]
MatchingOption = Annotated[str, typer.Option("--matching", metavar="TEXT", help="Only entries with this text in a reason.")]
AllOption = Annotated[bool, typer.Option("--all", help="All that are held.")]
WhoOption = Annotated[str, typer.Option("--who", metavar="NAME", help="Who decides; else the user of this machine.", show_default=False)]
ReasonOption = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; kept with the decision.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("ingest", epilog="Example: watchkeeper ingest flight_delays inbox/flights-2013-04-22.parquet")(ingest)
    quarantine = typer.Typer(no_args_is_help=True, help="See, let in or give up what was set aside.", rich_markup_mode=None)
    quarantine.command("list", epilog="Example: watchkeeper quarantine list flight_delays")(list_heaps)
    quarantine.command("show", epilog="Example: watchkeeper quarantine show flight_delays --matching wind_speed")(show_rows)
    quarantine.command("release", epilog='Example: watchkeeper quarantine release flight_delays --batch 66c93e5e --reason "limit was wrong"')(let_in)
    quarantine.command("discard", epilog='Example: watchkeeper quarantine discard flight_delays 8f3a1c --reason "test rows"')(give_up)
    app.add_typer(quarantine, name="quarantine", epilog="Example: watchkeeper quarantine list")


def ingest(
    ctx: typer.Context,
    *,
    model: Model,
    files: Annotated[list[Path] | None, typer.Argument(metavar="FILE", help="Files to take in; else those that the monitor names.")] = None,
    source: Annotated[
        SourceName | None, typer.Option("--source", metavar="events|labels", help="What the files hold; given files are events unless said.")
    ] = None,
    stdin: Annotated[bool, typer.Option("--stdin", help="Take in what comes on standard input.")] = False,
    name: Annotated[str, typer.Option("--name", metavar="NAME", help="With --stdin: a file name, whose suffix says the format.")] = "",
    home: HomeOption = None,
    now: NowOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take in files, exactly once, and say what became of each.

    Ends with 3 when of given files something was set aside, now or when the same content came first, and with 4 when a
    critical expectation could not be evaluated.
    """
    place = open_home(ctx, home)
    monitor = load_monitor(place, model)
    given = _given(files or [], name, stdin=stdin)
    kind: Source | None = None if source is None else "labels" if source is SourceName.labels else "events"
    with _progress(is_shown=not as_json) as progress:
        offered = offer(place, monitor, now=moment(now, place), source=kind, files=given, progress=progress)
    show([_told(o) for o in offered], as_json=as_json, columns=_TABLE, empty="No new files.")
    if len(offered) > 1 and not as_json:
        for line in set_aside_lines(set_aside(place, [o.batch for o in offered])):
            say(line)
    blind = unevaluated(place, [o.batch for o in offered])
    for sentence in blind:
        complain(sentence)
    is_refused = given is not None and any(o.batch.status == "quarantined" or o.batch.rows_quarantined for o in offered)
    if is_refused or blind:
        raise typer.Exit(REFUSED if is_refused else NOT_MEASURED)


def _given(files: list[Path], name: str, *, stdin: bool) -> list[Path | Content] | None:
    if stdin and not name:
        raise UsageError("standard input has no name to tell its format by", where="--stdin", then="Add --name, such as --name calls.jsonl.")
    require(files)
    if not files and not stdin:
        return None
    return [*files, *([Content(name, sys.stdin.buffer.read())] if stdin else [])]


def _told(offered: Offered) -> dict[str, Any]:
    fields = dataclasses.asdict(offered.batch)
    if offered.is_repeat:  # what this call did, which is nothing; the batch it repeats has the figures
        fields |= {"name": offered.name, "rows_landed": 0, "rows_quarantined": 0, "rows_duplicate": offered.batch.rows_read}
        fields["reason"] = "; ".join(
            part for part in (f"the same content was taken in before, as {offered.batch.name}", offered.batch.reason) if part
        )
    return fields | {"is_duplicate": offered.is_repeat}


@contextmanager
def _progress(*, is_shown: bool) -> Iterator[Progress | None]:
    from rich.console import Console
    from rich.progress import Progress as Bar

    console = Console(stderr=True)
    if not is_shown or not console.is_terminal:
        yield None
        return
    with Bar(console=console, transient=True) as bar:
        task = bar.add_task("Reading", total=None)

        def advance(name: str, done: int, total: int) -> None:
            if total >= MANY:
                bar.update(task, description=name, completed=done, total=total)

        yield advance


def list_heaps(
    ctx: typer.Context,
    *,
    model: Annotated[str | None, typer.Argument(metavar="MODEL", help="The model; default: all.")] = None,
    state: StateOption = State.held,
    home: HomeOption = None,
    now: NowOption = None,
    as_json: JsonOption = False,
) -> None:
    """List what is held, by file and reason, with counts and without values."""
    place = open_home(ctx, home)
    monitors, _ = load_monitors(place, [model] if model else None)
    found = heaps(place, list(monitors.values()), now=moment(now, place), states=(state,))
    show(found, as_json=as_json, columns=_HEAPS, empty=_empty(state))


def show_rows(
    ctx: typer.Context,
    *,
    model: Model,
    ids: Ids = None,
    batch: BatchOption = "",
    matching: MatchingOption = "",
    state: StateOption = State.held,
    private: Annotated[bool, typer.Option("--private", help="Show private columns; needs --reason, which is kept with your name.")] = False,
    reason: ReasonOption = "",
    who: WhoOption = "",
    home: HomeOption = None,
    now: NowOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show what is held, row by row; private columns as ***. With another --state also who decided, and why."""
    place = open_home(ctx, home)
    monitor = load_monitor(place, model)
    at = moment(now, place)
    found = entries(place, monitor, now=at, chosen=Chosen(ids=ids or (), batch=batch, matching=matching), states=(state,))
    if private:
        note_look(place, monitor, found, now=at, who=who or getpass.getuser(), why=reason)
    rows = show_entries(monitor, found, private=private)
    columns = ("quarantine_id", "name", "row_number", "reasons", "row", *(() if state == State.held else ("who", "why")))
    show(rows, as_json=as_json, columns=columns, empty=_empty(state), is_exact=True)


def _empty(state: State) -> str:
    return "Nothing is in quarantine." if state == State.held else f"Nothing in quarantine was {state}."


def let_in(
    ctx: typer.Context,
    *,
    model: Model,
    ids: Ids = None,
    batch: BatchOption = "",
    matching: MatchingOption = "",
    everything: AllOption = False,
    reason: ReasonOption = "",
    who: WhoOption = "",
    home: HomeOption = None,
    now: NowOption = None,
    as_json: JsonOption = False,
) -> None:
    """Check entries again with today's suite and monitor, and land those that pass."""
    place = open_home(ctx, home)
    chosen = _chosen(ids, batch, matching, everything=everything)
    done = release(place, load_monitor(place, model), now=moment(now, place), chosen=chosen, who=who or getpass.getuser(), why=reason)
    show(done, as_json=as_json, empty="Nothing that you chose is held.")
    if any(r.kept for r in done):
        raise typer.Exit(REFUSED)


def give_up(
    ctx: typer.Context,
    *,
    model: Model,
    ids: Ids = None,
    batch: BatchOption = "",
    matching: MatchingOption = "",
    everything: AllOption = False,
    reason: ReasonOption = "",
    who: WhoOption = "",
    home: HomeOption = None,
    now: NowOption = None,
    as_json: JsonOption = False,
) -> None:
    """Give entries up for good; they stay readable, with who and why."""
    if not reason:
        raise UsageError("rows are given up with a reason only", where="quarantine discard", then="Add --reason.")
    place = open_home(ctx, home)
    monitor = load_monitor(place, model)
    chosen = _chosen(ids, batch, matching, everything=everything)
    done = discard(place, monitor, now=moment(now, place), chosen=chosen, who=who or getpass.getuser(), why=reason)
    if as_json:
        show(show_entries(monitor, done), as_json=True)
    else:
        say(f"{len(done)} discarded." if done else "Nothing that you chose is held.")


def _chosen(ids: list[str] | None, batch: str, matching: str, *, everything: bool) -> Chosen:
    if not (ids or batch or matching or everything):
        raise UsageError("nothing is chosen", where="quarantine", then="Name entries, or add --batch, --matching or --all.")
    if not all(i.strip() for i in ids or []):
        raise UsageError("an empty id would choose every entry", where="quarantine", then="Name entries, or say so with --all.")
    return Chosen(ids=ids or (), batch=batch, matching=matching)
