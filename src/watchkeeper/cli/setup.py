"""Commands that set a workspace up and keep it sound: init, add, check, doctor.

Belongs here: their arguments and what they print. Does not: what they do (operations/).
"""

from pathlib import Path
from typing import Annotated, Any

import typer

from watchkeeper.cli.frame import HomeOption, NowOption, moment, open_home
from watchkeeper.cli.output import JsonOption, complain, say, show, show_json
from watchkeeper.errors import ConfigurationError, UsageError

_FAILED = 3


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    app.command(epilog="Example: watchkeeper init flights --timezone America/New_York")(init)
    app.command(epilog="Example: watchkeeper add wine --events inbox/wine-2025-01.parquet --labels inbox/labels-2025-01.csv --owner '#wine'")(add)
    app.command(epilog="Example: watchkeeper check --json")(check)
    app.command(epilog="Example: watchkeeper doctor --home flights")(doctor)


def init(
    ctx: typer.Context,
    directory: Annotated[
        Path | None, typer.Argument(metavar="DIR", help="Folder of the new workspace, made where it is missing; or --home.", show_default=False)
    ] = None,
    *,
    name: Annotated[str | None, typer.Option(metavar="NAME", help="Name of the workspace; else the folder's.", show_default=False)] = None,
    timezone: Annotated[str, typer.Option(metavar="ZONE", help="Where its days begin, such as Europe/Berlin.")] = "UTC",
    as_json: JsonOption = False,
) -> None:
    """Make a workspace: settings, places for monitors, suites and data. Nothing is overwritten."""
    from watchkeeper.operations.setup import init as make

    directory = directory or ctx.find_root().obj
    if directory is None:
        raise UsageError("which folder is to be the workspace", where="DIR", then="Name it: `watchkeeper init DIR`.")
    made = make(directory, name=name or directory.resolve().name, timezone=timezone)
    if as_json:
        show_json({"home": directory.resolve(), "made": made})
        return
    say("\n".join([f"Made a workspace in {directory}:", *(f"  {path}" for path in made)]))
    say(f"Next: put a file of predictions into {directory}/inbox and run\n  watchkeeper add MODEL --home {directory} --events {directory}/inbox/FILE")


def _column(what: str) -> Any:
    return typer.Option(metavar="COLUMN", help=what, show_default=False)


def add(
    ctx: typer.Context,
    model: Annotated[str, typer.Argument(metavar="MODEL", help="Name of the new model.")],
    *,
    events: Annotated[Path | None, typer.Option(metavar="FILE", help="A file of predictions, such as will keep coming.", show_default=False)] = None,
    labels: Annotated[Path | None, typer.Option(metavar="FILE", help="A file of the truth.", show_default=False)] = None,
    sql: Annotated[str | None, typer.Option(metavar="QUERY", help="Instead of --events: a query for predictions.", show_default=False)] = None,
    labels_sql: Annotated[str | None, typer.Option(metavar="QUERY", help="Instead of --labels: a query for the truth.", show_default=False)] = None,
    connection: Annotated[str | None, typer.Option(metavar="NAME", help="The database that queries go to.", show_default=False)] = None,
    watermark: Annotated[str | None, _column("When a row was written or changed last, in the queries that have it.")] = None,
    owner: Annotated[str | None, typer.Option(metavar="OWNER", help="Who answers for the model: a person or a channel.", show_default=False)] = None,
    task: Annotated[str | None, typer.Option(metavar="TASK", help="binary, multiclass or regression.", show_default=False)] = None,
    id_: Annotated[str | None, typer.Option("--id", metavar="COLUMN", help="Tells events apart.", show_default=False)] = None,
    time: Annotated[str | None, _column("When an event happened.")] = None,
    score: Annotated[str | None, _column("Probability of the positive class, or the predicted number.")] = None,
    prediction: Annotated[str | None, _column("The decision: a class.")] = None,
    label: Annotated[str | None, _column("The truth.")] = None,
    join: Annotated[str | None, _column("The event's id in the labels.")] = None,
    label_time: Annotated[str | None, _column("When the truth became known, in the labels.")] = None,
    positive: Annotated[str | None, typer.Option(metavar="LABEL", help="The label that counts as positive.", show_default=False)] = None,
    version_column: Annotated[str | None, _column("The model's version.")] = None,
    latency: Annotated[str | None, _column("How long a prediction took: milliseconds, unless its name ends with another unit.")] = None,
    segments: Annotated[str | None, typer.Option(metavar="A,B", help="Columns to look at value by value.", show_default=False)] = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Draft a monitor and its expectation suites from data, and say what was guessed and why."""
    from watchkeeper.operations.add import Ask, Given
    from watchkeeper.operations.add import add as draft
    from watchkeeper.operations.drafting import Said

    said = Said(
        owner=owner,
        task=task,
        id=id_,
        time=time,
        score=score,
        prediction=prediction,
        label=label,
        join=join,
        label_time=label_time,
        positive=positive,
        segments=segments.split(",") if segments else None,
        version_column=version_column,
        latency=latency,
    )

    def given(file: Path | None, query: str | None, option: str) -> Given | None:
        if file is not None and query is not None:
            raise UsageError("give either a file or a query, not both", where=option)
        if query is not None and connection is None:
            raise UsageError("a query goes to a database", where=option, then="Name it by --connection.")
        return file if query is None or connection is None else Ask(sql=query, connection=connection, watermark=watermark)

    predictions = given(events, sql, "--sql")
    if predictions is None:
        raise UsageError("there is nothing to learn from", where="add", then="Name a file by --events, or a query by --sql and --connection.")
    added = draft(open_home(ctx, home), model, events=predictions, labels=given(labels, labels_sql, "--labels-sql"), said=said)
    if as_json:
        show_json(added)
    else:
        show(added.guesses, as_json=False, columns=("key", "value", "why"), title=f"What the data say about {model}")
        for sentence in added.left_out:
            say(f"{sentence[:1].upper()}{sentence[1:]}.")
    if added.questions:
        asked = "\n".join(f"  {q.option}: {q.what}" for q in added.questions)
        raise UsageError(f"the data do not say everything, and nothing was written. Please add:\n{asked}")
    if not as_json:
        say("\n".join([*(f"Wrote {file}" for file in added.files), *(f"Kept {file}, which was there" for file in added.kept)]))
        say("Next: read them, correct what is wrong, and run `watchkeeper check`.")


def check(ctx: typer.Context, *, now: NowOption = None, home: HomeOption = None, as_json: JsonOption = False) -> None:
    """Check all monitors and suites, and the columns they name against the newest data. Exits with 3 on a mistake."""
    from watchkeeper.operations.check import check as examine

    place = open_home(ctx, home)
    checked = examine(place, now=moment(now, place))
    if as_json:
        show_json(checked)
    else:
        for finding in checked.findings:
            say(f"{finding.level}: {finding}")
        counts = {"monitor": len(checked.monitors), "suite": len(checked.suites), "mistake": sum(f.level == "mistake" for f in checked.findings)}
        monitors, suites, mistakes = (f"{count} {word}{'' if count == 1 else 's'}" for word, count in counts.items())
        say(f"Checked {monitors} and {suites}: {mistakes}.")
    if not checked.is_sound:
        raise typer.Exit(_FAILED)


def doctor(ctx: typer.Context, *, home: HomeOption = None, as_json: JsonOption = False) -> None:
    """Look at everything around the models that must work, and say how to mend what does not. Exits with 3 on a failure."""
    from watchkeeper.adapters.settings import Settings
    from watchkeeper.operations.doctor import examine

    try:
        found, broken = open_home(ctx, home), ""
    except ConfigurationError as error:
        found, broken = None, str(error)
    looked = examine(found, settings=Settings.from_environment(), now=moment(None), broken=broken)
    show(looked, as_json=as_json, columns=("state", "subject", "what", "mend"))
    failed = [d.subject for d in looked if d.state == "fail"]
    if failed:
        complain(f"{len(failed)} to mend: {', '.join(failed)}.")
        raise typer.Exit(_FAILED)
