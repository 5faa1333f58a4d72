"""What every command has: the application, `--home`, `--now`, and errors as one sentence with an exit code.

Belongs here: the frame around a command. Does not: printing (output.py) or any single command. Only here is the clock read.
"""

import gc
import importlib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, ClassVar, NamedTuple

import typer
import typer.main
from typer.core import TyperGroup

from watchkeeper.adapters.workspace import Home, find_home
from watchkeeper.cli.output import complain
from watchkeeper.errors import UnwritableError, UsageError, WatchkeeperError
from watchkeeper.monitor import utc
from watchkeeper.windows import Dated, in_reckoning

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


# A command reads many rows and keeps them to its end: looking for cycles as often as Python does costs it 7 % of its time.
_ALLOCATIONS = 100_000


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
            self.commands[name] = typer.main.get_group(part).commands[name]
        return self.commands[name]

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Find the command that was called."""
        if args and args[0] in self.commands:
            self.load(args[0])
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: Any) -> Any:
        """Run the command; a WatchkeeperError is printed without a traceback."""
        gc.set_threshold(_ALLOCATIONS, 50, 100)
        try:
            return super().invoke(ctx)
        except WatchkeeperError as error:
            complain(str(error))
            raise typer.Exit(error.exit_code) from error
        except PermissionError as error:  # of a folder that we write into
            complain(str(UnwritableError(f"cannot be used ({error.strerror})", where=str(error.filename or ""), then="Check its permissions.")))
            raise typer.Exit(UnwritableError.exit_code) from error


def new_app(verbs: Sequence[Verb]) -> typer.Typer:
    """Return the application; `--home` before the verb is kept for `open_home`."""

    class Listed(Verbs):
        modules: ClassVar = {verb.name: verb.module for verb in verbs}

    app = typer.Typer(cls=Listed, no_args_is_help=True, add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)

    @app.callback(epilog="Example: watchkeeper --home flights status")
    def watchkeeper(ctx: typer.Context, home: HomeOption = None) -> None:
        """Watchkeeper keeps watch over AI models in production."""
        ctx.obj = home

    for verb in verbs:
        app.command(verb.name, help=verb.summary)(_outline)
    return app


def _outline() -> None:
    """Stand for a command until it is called."""


def open_home(ctx: typer.Context, home: Path | None = None) -> Home:
    """Return the workspace named after the verb, before it, by WATCHKEEPER_HOME, or by where we are."""
    return find_home(home or ctx.find_root().obj)


def moment(now: str | None) -> datetime:
    """Return the moment that `--now` names, in UTC; without one, the clock's."""
    if now is None:
        return datetime.now(UTC)
    try:
        return utc(reckoned(datetime.fromisoformat(now), "--now"))
    except ValueError as error:
        raise UsageError(f"{now!r} is not a moment", where="--now", then="Write for example 2013-04-29T06:00Z.") from error


def reckoned(day: Dated, option: str) -> Dated:
    """Return a day or moment that an option names.

    Raises:
        UsageError: no window can be reckoned there.

    """
    try:
        return in_reckoning(day)
    except ValueError as error:
        raise UsageError(str(error), where=option, then="Write for example 2013-04-29.") from error
