"""The command `validate`: a dry run for people, pipelines and CI.

Belongs here: its arguments, what is printed, the exit code. Does not: the checking (operations/validate.py), nor the
commands on what was set aside (intake.py).
"""

from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

import typer

from watchkeeper.adapters.workspace import load_monitor
from watchkeeper.cli.frame import HomeOption, NowOption, moment, open_home
from watchkeeper.cli.output import JsonOption, as_dict, complain, say, show, show_json
from watchkeeper.errors import UsageError
from watchkeeper.operations.validate import Preview, validate
from watchkeeper.records import Source
from watchkeeper.spelling import parse_duration
from watchkeeper.words import counted

FAILED, NOT_MEASURED = 3, 4
_OUTCOMES = ("fail", "error", "pass")
_COLUMNS = ("outcome", "severity", "expectation_id", "unexpected_count", "element_count", "observed", "owner", "why")
_INNER = ("unexpected_rows", "says")


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("validate", epilog="Example: watchkeeper validate flight_delays --file inbox/2013-04-22.parquet")(validate_model)


def validate_model(
    ctx: typer.Context,
    model: Annotated[str, typer.Argument(metavar="MODEL", help="The model, as its monitor file names it.")],
    *,
    file: Annotated[Path | None, typer.Option(metavar="FILE", help="A file to check as intake would, before it is sent.", show_default=False)] = None,
    last: Annotated[
        str | None, typer.Option(metavar="TIME", help="Without a file: what landed of this long before now; else 30d.", show_default=False)
    ] = None,
    new: Annotated[bool, typer.Option("--new", help="Check what the monitor's query gives that is new, at most the first 500,000 rows.")] = False,
    suite: Annotated[str | None, typer.Option(metavar="NAME", help="Another suite than the model's own.", show_default=False)] = None,
    labels: Annotated[bool, typer.Option("--labels", help="Check labels instead of events.")] = False,
    as_json: JsonOption = False,
    home: HomeOption = None,
    now: NowOption = None,
) -> None:
    """Tell what would fail, how many rows would be set aside, and why. Nothing is written.

    Ends with 3 when a critical expectation fails, and with 4 when there was nothing to check or an expectation could
    not be evaluated.
    """
    opened = open_home(ctx, home)
    source: Source = "labels" if labels else "events"
    monitor, at = load_monitor(opened, model), moment(now, opened)
    found = validate(opened, monitor, now=at, file=file, last=_stretch(last), is_asked=new, suite=suite, source=source)
    if as_json:
        show_json(_told(found))
    else:
        _print(found)
    if found.is_failed or not found.is_evaluated:
        raise typer.Exit(FAILED if found.is_failed else NOT_MEASURED)


def _stretch(text: str | None) -> timedelta | None:
    try:
        return None if text is None else parse_duration(text)
    except ValueError as error:
        raise UsageError(str(error), where="--last") from error


def _told(found: Preview) -> dict[str, Any]:
    told = as_dict(found)
    told["reasons"] = [{"reason": reason, "rows": rows} for reason, rows in found.reasons.items()]
    told["findings"] = [{k: v for k, v in as_dict(finding).items() if k not in _INNER} for finding in found.findings]
    return told | {"is_failed": found.is_failed, "is_evaluated": found.is_evaluated}


def _print(found: Preview) -> None:
    if found.rows == 0 and not found.is_failed:
        complain(f"Nothing was checked: there are no rows in {found.what}. `--last` reaches further back, `--file` names a file.")
        return
    if found.findings:
        ordered = sorted(found.findings, key=lambda f: _OUTCOMES.index(f.outcome))
        show(ordered, as_json=False, columns=_COLUMNS, title=f"{found.what}: {counted(found.rows, 'row')}, suite {found.suite or 'none'}", empty="")
    else:
        complain("There is nothing to check with: the suite is not there, or is empty. `watchkeeper add` drafts one.")
    for reason, rows in found.reasons.items():
        say(f"{counted(rows, 'row')}: {reason}")
    verdict = (
        "the whole batch would be set aside" if found.is_refused else f"{found.quarantined:,} of {counted(found.rows, 'row')} would be set aside"
    )
    say(f"{'Failed' if found.is_failed else 'No critical failure'}: {verdict}.")
