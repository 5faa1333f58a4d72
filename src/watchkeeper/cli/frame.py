"""What every command has: the application, `--home`, `--now`, and errors as one sentence with an exit code.

Belongs here: the frame around a command. Does not: printing (output.py) or any single command. Only here is the clock read.
"""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from watchkeeper.adapters.workspace import Home, find_home
from watchkeeper.cli.output import complain
from watchkeeper.errors import UsageError, WatchkeeperError
from watchkeeper.monitor import utc

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


class Verbs(TyperGroup):
    """The commands, in the order in which they were added; errors raised on purpose become one sentence and an exit code."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command; a WatchkeeperError is printed without a traceback."""
        try:
            return super().invoke(ctx)
        except WatchkeeperError as error:
            complain(str(error))
            raise typer.Exit(error.exit_code) from error


def new_app() -> typer.Typer:
    """Return the application without commands; `--home` before the verb is kept for `open_home`."""
    app = typer.Typer(cls=Verbs, no_args_is_help=True, add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)

    @app.callback(epilog="Example: watchkeeper --home flights status")
    def watchkeeper(ctx: typer.Context, home: HomeOption = None) -> None:
        """Watchkeeper keeps watch over AI models in production."""
        ctx.obj = home

    return app


def open_home(ctx: typer.Context, home: Path | None = None) -> Home:
    """Return the workspace named after the verb, before it, by WATCHKEEPER_HOME, or by where we are."""
    return find_home(home or ctx.find_root().obj)


def moment(now: str | None) -> datetime:
    """Return the moment that `--now` names, in UTC; without one, the clock's."""
    if now is None:
        return datetime.now(UTC)
    try:
        return utc(datetime.fromisoformat(now))
    except ValueError as error:
        raise UsageError(f"{now!r} is not a moment", where="--now", then="Write for example 2013-04-29T06:00Z.") from error
