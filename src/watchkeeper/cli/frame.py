"""What every command has: the application, `--home`, `--now`, and errors as one sentence with an exit code.

Belongs here: the frame around a command. Does not: printing (output.py) or any single command. Only here is the clock read.
"""

import errno
import gc
import importlib
import os
import traceback
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, ClassVar, NamedTuple

import typer
import typer.main
from typer.core import TyperGroup

from watchkeeper.adapters.settings import without_idle_threads, without_telemetry
from watchkeeper.adapters.workspace import Home, find_home
from watchkeeper.cli.output import complain
from watchkeeper.errors import BugError, UnwritableError, UsageError, WatchkeeperError
from watchkeeper.spelling import utc
from watchkeeper.windows import Dated, Window, in_reckoning, local_midnight

HomeOption = Annotated[
    Path | None,
    typer.Option(
        "--home",
        metavar="DIR",
        help="The workspace; else WATCHKEEPER_HOME, else the nearest parent folder with a watchkeeper.yaml.",
        show_default=False,
    ),
]
NowOption = Annotated[
    str | None,
    typer.Option("--now", metavar="TIME", help="Act as of this moment, such as 2013-04-29T06:00Z; without a zone it is UTC.", show_default=False),
]

PrivateOption = Annotated[bool, typer.Option("--private", help="Also show private columns; needs --reason, and is kept in `runs`.")]
PrivateReasonOption = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why private columns are needed.", show_default=False)]


WindowOption = Annotated[
    str | None, typer.Option("--window", metavar="DAY[..DAY]", help="Days, both included; else the latest there are.", show_default=False)
]


# A command reads many rows and keeps them to its end: looking for cycles as often as Python does costs it 7 % of its time.
_ALLOCATIONS = 100_000
_CLICK_ERROR: type[BaseException] = next(
    kind for kind in typer.BadParameter.__mro__ if kind.__name__ == "ClickException"
)  # its module is typer's secret
_OF_THE_FRAME: tuple[type[BaseException], ...] = (_CLICK_ERROR, typer.Exit, typer.Abort, EOFError, BrokenPipeError)
_TRACED = "watchkeeper.is_traced"
_REFUSALS = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT)  # a folder, or the disk


class Verb(NamedTuple):
    """One line of the table of contents: a command, the module of watchkeeper.cli that has it, and what it is for."""

    name: str
    module: str
    summary: str


class Verbs(TyperGroup):
    """The commands, each an outline until it is called; errors raised on purpose become one sentence and an exit code."""

    modules: ClassVar[Mapping[str, str]]

    def load(self, name: str) -> Any:
        """Put the command in the place of its outline and return it."""
        if name in self.modules:
            part = typer.Typer(rich_markup_mode=None)
            part.callback()(lambda: None)  # with a callback one command is still a group
            importlib.import_module(f"watchkeeper.cli.{self.modules[name]}").register(part)
            self.commands[name] = _untyped(typer.main.get_group(part).commands[name])
        return self.commands[name]

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Find the command that was called."""
        if args and args[0] in self.commands:
            self.load(args[0])
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: Any) -> Any:
        """Run the command; a WatchkeeperError is printed without a traceback."""
        gc.set_threshold(_ALLOCATIONS, 50, 100)
        without_telemetry()
        without_idle_threads()
        try:
            return super().invoke(ctx)
        except _OF_THE_FRAME as error:
            if isinstance(error, typer.BadParameter):
                error.message = error.message.removeprefix("Value error, ")  # pydantic's, through which typer reads options
            raise
        except Exception as error:
            if ctx.meta.get(_TRACED):
                traceback.print_exception(error)
            told = _told(error, ctx.invoked_subcommand)
            complain(str(told))
            raise typer.Exit(told.exit_code) from error


def _told(error: Exception, verb: str | None) -> WatchkeeperError:
    """Return what is said of an error: itself, that the world refused, or else that it is a mistake of ours, and where."""
    if isinstance(error, WatchkeeperError):
        return error
    if isinstance(error, OSError) and error.errno in _REFUSALS:
        then = "Check its permissions, and the space left there."
        return UnwritableError(f"cannot be used ({error.strerror})", where=str(error.filename or ""), then=then)
    below = [f for f in traceback.extract_tb(error.__traceback__) if f.filename != __file__]
    ours = [f for f in below if f"{os.sep}watchkeeper{os.sep}" in f.filename][-1:]
    place = "".join(f" in {f.filename.rpartition(f'{os.sep}watchkeeper{os.sep}')[2]}, line {f.lineno}" for f in ours)
    said = " ".join(str(error).split())
    return BugError(
        f"this is a bug in Watchkeeper: {type(error).__name__}{place}" + (f": {said}" if said else ""),
        where=verb or "watchkeeper",
        then=f"`watchkeeper --traceback {verb or ''} ...` shows where it comes from; please report that.",
    )


def new_app(verbs: Sequence[Verb]) -> typer.Typer:
    """Return the application; `--home` before the verb is kept for `open_home`."""

    class Listed(Verbs):
        modules: ClassVar = {verb.name: verb.module for verb in verbs}

    app = typer.Typer(cls=Listed, no_args_is_help=True, add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)

    @app.callback(epilog="Example: watchkeeper --home flights status")
    def watchkeeper(
        ctx: typer.Context,
        home: HomeOption = None,
        *,
        is_traced: Annotated[bool, typer.Option("--traceback", help="Show where an error comes from, for a report of a bug.")] = False,
    ) -> None:
        """Watchkeeper keeps watch over AI models in production."""
        ctx.obj, ctx.meta[_TRACED] = home, is_traced

    for verb in verbs:
        app.command(verb.name, help=verb.summary)(_outline)
    return app


def _untyped(command: Any) -> Any:
    """Return a command whose help names its arguments and leaves out their Python types, such as `<list[Path]>`."""
    for parameter in command.params:
        if parameter.param_type_name == "argument":
            parameter.display_type_rich = lambda ctx: None  # noqa: ARG005 - typer passes it by name
    for part in getattr(command, "commands", {}).values():
        _untyped(part)
    return command


def _outline() -> None:
    """Stand for a command until it is called."""


def open_home(ctx: typer.Context, home: Path | None = None) -> Home:
    """Return the workspace named after the verb, before it, by WATCHKEEPER_HOME, or by where we are."""
    return find_home(home or ctx.find_root().obj)


def private_reason(reason: str, *, is_asked: bool) -> str | None:
    """Return why private columns are shown, None where they are not asked for.

    Raises:
        UsageError: they are asked for without a reason.

    """
    if is_asked and not reason.strip():
        raise UsageError("private columns need a reason", where="--private", then='Add for example --reason "ticket 123: two flights in dispute".')
    return reason.strip() if is_asked else None


def moment(now: str | None, home: Home | None = None, *, option: str = "--now") -> datetime:
    """Return the moment that an option names, in UTC; without one, where the workspace's clock stands, else the clock's."""
    if now is None:
        return (home and home.workspace.now) or datetime.now(UTC)
    try:
        return utc(reckoned(datetime.fromisoformat(now), option))
    except ValueError as error:
        raise UsageError(f"{now!r} is not a moment", where=option, then="Write for example 2013-04-29T06:00Z.") from error


def reckoned(day: Dated, option: str) -> Dated:
    """Return a day or moment that an option names.

    Raises:
        UsageError: no window can be reckoned there.

    """
    try:
        return in_reckoning(day)
    except ValueError as error:
        raise UsageError(str(error), where=option, then="Write for example 2013-04-29.") from error


def days(timezone: str, start: str | None, end: str | None) -> tuple[datetime | None, datetime | None]:
    """Return the moments that --from and --to name.

    Raises:
        UsageError: one is no date, or the time between them ends before it starts.

    """
    first, last = day(timezone, start, "--from"), day(timezone, end, "--to")
    if first and last and last <= first:
        raise UsageError(
            f"the time asked for ends ({end}) before it starts ({start})", where="--from, --to", then="Name the earlier day with --from."
        )
    return first, last


def day(timezone: str, text: str | None, option: str) -> datetime | None:
    """Return the moment that a date (at midnight of that zone) or a time names."""
    if text is None:
        return None
    try:
        return local_midnight(reckoned(date.fromisoformat(text), option), timezone)
    except ValueError:
        pass
    try:
        return utc(reckoned(datetime.fromisoformat(text), option))
    except ValueError as error:
        raise UsageError(f"{text!r} is not a date", where=option, then="Write for example 2013-04-22.") from error


def parse_window(text: str, timezone: str) -> Window:
    """Return the window that `2013-04-22` or `2013-04-22..2013-04-28` names: local days, both included; or moments with a time.

    >>> parse_window("2013-04-22", "UTC").end.isoformat()
    '2013-04-23T00:00:00+00:00'

    Raises:
        UsageError: it names no window.

    """
    first, _, last = text.partition("..")
    try:
        window = Window(_start(first, timezone), _end(last or first, timezone))
    except ValueError as error:
        raise UsageError(f"{text!r} is not a window", where="--window", then="Write for example 2013-04-22 or 2013-04-22..2013-04-28.") from error
    if window.end <= window.start:
        raise UsageError(f"{text!r} ends before it starts", where="--window", then="Write the earlier day first.")
    return window


def _start(text: str, timezone: str) -> datetime:
    return _moment(text) if "T" in text else local_midnight(reckoned(date.fromisoformat(text), "--window"), timezone)


def _end(text: str, timezone: str) -> datetime:
    return _moment(text) if "T" in text else local_midnight(reckoned(date.fromisoformat(text), "--window") + timedelta(days=1), timezone)


def _moment(text: str) -> datetime:
    return utc(reckoned(datetime.fromisoformat(text), "--window"))
