"""The command that audits sensitive columns: fairness.

Belongs here: its arguments and how the audit is printed. Does not: the audit (operations/fairness.py) or its page (site/).
"""

from typing import Annotated, Any

import typer

from watchkeeper.adapters.workspace import load_monitor
from watchkeeper.cli.frame import HomeOption, NowOption, PrivateOption, PrivateReasonOption, days, moment, open_home, private_reason
from watchkeeper.cli.output import JsonOption, as_dict, say, show, show_json
from watchkeeper.errors import UsageError
from watchkeeper.operations.fairness import fairness as audited
from watchkeeper.operations.fairness import write_page
from watchkeeper.site.fairness_page import COLUMNS, FairnessReport, rows, summary
from watchkeeper.words import counted, percent, window_text

VIOLATION = 3


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("fairness", epilog="Example: watchkeeper fairness loans --from 2025-01-01 --to 2025-04-01 --page")(fairness)


def fairness(
    ctx: typer.Context,
    model: Annotated[str, typer.Argument(metavar="MODEL", help="The model to audit.")],
    *,
    start: Annotated[str | None, typer.Option("--from", metavar="DAY", help="First day; else 90 days before the end.", show_default=False)] = None,
    end: Annotated[
        str | None, typer.Option("--to", metavar="DAY", help="Day after the last; else as far as labels are due.", show_default=False)
    ] = None,
    is_filed: Annotated[bool, typer.Option("--page", help="Also write a page to be filed.")] = False,
    as_json: JsonOption = False,
    private: PrivateOption = False,
    reason: PrivateReasonOption = "",
    now: NowOption = None,
    home: HomeOption = None,
) -> None:
    """Audit how a model treats the groups of its sensitive columns, over the mature windows of some days; exit code 3 says there is a violation."""
    why = private_reason(reason, is_asked=private)
    if why is not None and is_filed:
        raise UsageError("a page is published, and shows no private values", where="--page, --private", then="Give one of them.")
    place = open_home(ctx, home)
    monitor = load_monitor(place, model)
    first, last = days(monitor.timezone, start, end)
    found = audited(place, monitor, now=moment(now, place), start=first, end=last, private_reason=why)
    page = write_page(place, found) if is_filed else None
    if as_json:
        show_json(_as_json(found) | {"page": None if page is None else str(page)})
    else:
        _say(found)
        if page is not None:
            say(f"\n{page}")
    if found.verdict == "violation":
        raise typer.Exit(VIOLATION)


def _as_json(found: FairnessReport) -> dict[str, Any]:
    return as_dict(found) | {"statements": [as_dict(s) for s in found.statements]}


def _say(found: FairnessReport) -> None:
    say(f"{window_text(found.start, found.end, found.timezone)}, {counted(found.rows, 'prediction')}: {summary(found)}.")
    for warning in found.warnings:
        say(f"Note: {warning}")
    say("")
    show(rows(found), as_json=False, columns=COLUMNS, empty="There are no groups.")
    say(f"\nEach group beside all others, {percent(found.level, digits=2)} intervals. Counts: sha256 {found.content}.")
