"""`run --every`: a watch that goes on, with a line for each step.

Belongs here: its arguments and its lines. Does not: what a step does (operations/follow.py), the clock and the signals that end it (adapters/pace.py).
"""

import json
from collections.abc import Sequence
from datetime import datetime, timedelta

from watchkeeper.adapters.pace import pace
from watchkeeper.adapters.reference_files import dated
from watchkeeper.adapters.workspace import Home, load_monitors
from watchkeeper.cli.output import complain, plain, say
from watchkeeper.errors import UsageError
from watchkeeper.operations.beside import Beside
from watchkeeper.operations.follow import Plan, Step, check_beat, check_clock, follow, line_of
from watchkeeper.operations.newest import told_by_windows
from watchkeeper.operations.spread import in_threads
from watchkeeper.spelling import parse_duration
from watchkeeper.words import counted


def follow_on(home: Home, models: Sequence[str] | None, *, every: str | None, lasting: str | None, now: str | None, as_json: bool) -> None:
    """Follow models until Ctrl-C, SIGTERM or the end of the time asked for; the step that is under way is ended first."""
    if every is None:
        raise UsageError("says how long to go on, and not how often", where="--for", then="Add --every, for example 1m.")
    check_clock(home, asked=now is not None)
    load_monitors(home, models)
    plan = Plan(
        every_s=check_beat(_time(every, "--every")), for_s=None if lasting is None else _time(lasting, "--for").total_seconds(), models=models
    )
    complain(f"A step every {every.strip()}. Ctrl-C ends it.")
    complain("The first step brings everything up to date, which may take minutes.")
    with Beside() as beside:
        is_first = True

        def told(step: Step) -> None:
            nonlocal is_first
            step.failures += beside.missed()
            (_as_json if as_json else _as_line)(step)
            if is_first:
                _say_what_waits(home, models, step.at)
                is_first = False

        steps = follow(home, plan, pace(heeds_signals=True), told=told, show=beside.show, spread=in_threads)
    for failure in beside.missed():
        complain(failure)
    complain(f"{counted(steps, 'step')} taken.")


def _say_what_waits(home: Home, models: Sequence[str] | None, now: datetime) -> None:
    """Say of which models a step tells nothing until a window ends."""
    for model in told_by_windows(home, [dated(home, monitor) for monitor in load_monitors(home, models)[0].values()], now=now):
        complain(
            f"{model}: its newest rows are not looked at, only its whole windows: they are counted by the day, as there are fewer than about "
            "1,000 an hour, or than 200 of a segment value. `window: hour` in the monitor counts them by the hour."
        )


def _time(text: str, where: str) -> timedelta:
    try:
        return parse_duration(text)
    except ValueError as error:
        raise UsageError(str(error), where=where) from error


def _as_line(step: Step) -> None:
    say(line_of(step))
    for failure in step.failures:
        complain(failure)


def _as_json(step: Step) -> None:
    told = {
        "at": step.at,
        "took_s": round(step.took_s, 3),
        "batches": len(step.batches),
        "rows_landed": sum(b.rows_landed for b in step.batches),
        "looked": step.looked,
        "is_whole": step.whole is not None,
        "opened": [e.incident_id for e in step.events if e.event == "opened"],
        "resolved": [e.incident_id for e in step.events if e.event == "resolved"],
        "messages": step.messages,
        "elsewhere": step.elsewhere,
        "skipped": step.skipped,
        "failures": step.failures,
    }
    say(json.dumps(plain(told), ensure_ascii=False))
