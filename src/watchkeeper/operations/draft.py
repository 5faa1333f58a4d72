"""Drafts a monitor from data files: asks each question in turn, takes what a person said or what the data suggest.

Belongs here: the order of the questions, and what remains to be asked. Does not: single guesses (guesses.py), reading and
writing files (add.py), or how the draft is written down (monitor_text.py).
"""

import re
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, get_args
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from watchkeeper.adapters.monitor_files import nearest
from watchkeeper.errors import UsageError
from watchkeeper.judgement.normal import LEAST_WINDOWS
from watchkeeper.monitor import Task
from watchkeeper.operations import guesses, truths, wordings
from watchkeeper.operations.draft_outputs import outputs
from watchkeeper.operations.drafting import SAID, Draft, Question, Said, Source, require
from watchkeeper.operations.latency_units import doubt, measured_of, unit_of_name, unusable
from watchkeeper.operations.times import READABLE, to_utc
from watchkeeper.words import counted, listed

_DIGITS = re.compile(r"\d[\d\-_T]*\d|\d+")
_APART = re.compile(r"(?<![^\W_\d])(?<!\d)(?:\d[\d\-_T]*\d|\d+)|(?<!\d)\d{4}(?:[\d\-_T]*\d)?")
"""Digits that do not follow a letter, or are four and more, as of a year."""
_SAID_ROLES = {"version": "version-column", "latency": "latency"}  # role -> option
_LONGEST_REFERENCE_DAYS = 90
_WEEKLY_BELOW, _WEEKLY_FROM_DAYS = 30, 56


def _require_task(task: str | None) -> None:
    if task is not None and task not in get_args(Task):
        hint = nearest(task, get_args(Task))
        raise UsageError(f"there is no task '{task}'", where="--task", then=f"{hint[:1].upper()}{hint[1:]}")


def draft(model: str, events: Source, labels: Source | None, *, said: Said, timezone: str) -> Draft:
    """Return the draft of a monitor; when it has questions left it is not whole."""
    _require_task(said.task)
    told = Draft(said)
    told.tell("model", model, SAID)
    told.tell("owner", said.owner or "", SAID if said.owner else "nobody yet: name a person or a channel")
    event_id = told.column(
        "columns.id", "id", guesses.id_column(events.rows, labels.rows if labels else None), events.rows, "which column tells events apart"
    )
    time = told.column(
        "columns.time", "time", guesses.time_column(events.rows, timezone, told.taken()), events.rows, "which column says when an event happened"
    )
    told.tell("timezone", timezone, "the workspace's")
    _place(told, "events", events)
    truth = _labels(told, events, labels, event_id=event_id, timezone=timezone)
    outputs(told, events.rows, truth)
    _rest(told, events, time=time, timezone=timezone, in_events=labels is None and truth is not None)
    _words(told, events)
    return told


def _place(told: Draft, section: str, source: Source) -> None:
    for name, value in source.place.items():
        told.tell(f"{section}.{name}", value, source.why)


def glob_of(path: Path, root: Path, model: str = "", *, is_tight: bool = False) -> tuple[str, str]:
    """Return the glob for files like `path`, relative to the workspace where it lies in it, and why.

    Digits of the model's name stay, and with `is_tight` up to three that follow a letter where other ones come later.

    >>> glob_of(Path("/home/w/inbox/flights-2013-04-01.csv.gz"), Path("/home/w"))
    ('inbox/flights-*.csv.gz', 'the digits in the name stand for any')
    >>> glob_of(Path("/w/fraud2-2025-01-01.csv"), Path("/w"), "fraud2")[0], glob_of(Path("/w/fraud2-2025-01-01.csv"), Path("/w"), is_tight=True)[0]
    ('fraud2-*.csv', 'fraud2-*.csv')
    """
    place = Path(named(path, root))
    stem, dot, suffixes = place.name.partition(".")
    own = re.search(rf"{re.escape(model)}(?!\d)", stem) if model else None
    begun, rest = (stem[: own.end()], stem[own.end() :]) if own else ("", stem)
    tight = begun + _APART.sub("*", rest)
    loose = tight if is_tight and tight != stem else begun + _DIGITS.sub("*", rest)
    loose = loose if loose != stem else _DIGITS.sub("*", stem)
    why = "the digits in the name stand for any" if loose != stem else "this file alone; put * where the names of later files differ"
    return str(place.with_name(f"{loose}{dot}{suffixes}").as_posix()), why


def named(path: Path, root: Path) -> str:
    """Return a path as a monitor file names it: relative to the workspace where it lies in it."""
    return (path.relative_to(root) if path.is_relative_to(root) else path).as_posix()


def _labels(told: Draft, events: Source, labels: Source | None, *, event_id: str | None, timezone: str) -> pa.ChunkedArray | None:
    """Settle where the truth comes from; return it."""
    if labels is None:
        return _labels_among_events(told, events, event_id)
    rows = labels.rows
    _place(told, "labels", labels)
    found = truths.join_column(events.rows, event_id, rows) if event_id else None
    join = told.column("labels.join", "join", found, rows, "which column of the labels holds the event's id")
    late = told.column("labels.time", "label-time", guesses.time_column(rows, timezone, {join or ""}), rows)
    column = told.column(
        "labels.column", "label", truths.label_column(rows, {join or "", late or ""}), rows, "which column of the labels holds the truth"
    )
    return rows[column] if column else None


def _labels_among_events(told: Draft, events: Source, event_id: str | None) -> pa.ChunkedArray | None:
    given = told.said.label is not None
    found = None if given else truths.truth_among_events(events.rows, told.taken())
    if event_id is None or not (given or found):
        return None
    _place(told, "labels", replace(events, why="no labels were named, and the events hold the truth"))
    told.tell("labels.join", event_id, "the id")
    column = told.column("labels.column", "label", found, events.rows)
    told.tell("labels.mature_after", "1h", "the truth comes with the events")
    return events.rows[column] if column else None


def _rest(told: Draft, source: Source, *, time: str | None, timezone: str, in_events: bool) -> None:
    events = source.rows
    found = guesses.by_name(events, told.taken() | {n for n in (told.said.version_column, told.said.latency) if n})
    for role, option in _SAID_ROLES.items():
        told.column(f"columns.{role}", option, found.pop(role, None), events)
    for role, guess in found.items():
        told.tell(f"columns.{role}", *guess)
    _unit(told, events)
    if time is not None:
        _reference(told, time, *source.times(time), timezone)
    taken = told.taken()
    if in_events or source.unused:
        without = listed([*(["the truth"] if in_events else []), *(f"`{name}`" for name in source.unused)])
        told.tell("features", [n for n in events.column_names if n not in taken], f"every other column, without {without}")
    given = told.said.segments
    for column in given or ():
        require(column, events, "segments")
    if split := ((given, SAID) if given else guesses.segments(events, taken)):
        told.tell("segments", *split)
    if personal := guesses.private(events, taken | set(given or ())):  # what somebody asks to see by its values is not kept from sight
        told.tell("private", *personal)


def _unit(told: Draft, events: pa.Table) -> None:
    """Settle the unit of latencies by their column's name, and say what is doubtful about their values."""
    column = next((a.value for a in told.answers if a.key == "columns.latency"), None)
    if column is None:
        return
    unit = unit_of_name(column)
    if unit in ("s", "us"):
        told.tell("columns.latency_unit", unit, "by the name of the latency's column")
    measured = measured_of(events[column], {"s": 1e3, "us": 1e-3}.get(unit or "ms", 1.0))
    said = filter(None, (doubt(measured, unit or "ms"), unusable(measured)))
    told.left_out += [f"`{column}`: {each}" for each in said]


def _words(told: Draft, events: Source) -> None:
    """Settle what messages call the rows, and what came true of them."""
    said = {a.key: a.value for a in told.answers}
    label, task = str(said.get("labels.column", "")), said.get("task")
    guessed = {
        "rows": wordings.rows(str(events.place.get("files", ""))),
        "positive": wordings.positive(label, said.get("positive")) if task == "binary" and label else None,
        "unit": wordings.unit(label) if task == "regression" and label else None,
    }
    for name, guess in guessed.items():
        if guess is not None:
            told.tell(f"wording.{name}", *guess)


def _reference(told: Draft, name: str, column: pa.ChunkedArray, whose: str, timezone: str) -> None:
    """Settle what is usual: the first half of the days there are, at most ninety of them."""
    times = pc.drop_null(to_utc(column, timezone))
    if len(times) == 0:
        told.questions.append(Question("--time", f"which column says when an event happened; `{name}` holds no time that can be read: {READABLE}"))
        return
    first, last = (_day(pc.min_max(times)[end].as_py(), timezone) for end in ("min", "max"))
    span = (last - first).days + 1
    rate = float(np.asarray(len(times) / span))
    window = 7 if rate < _WEEKLY_BELOW and span >= _WEEKLY_FROM_DAYS else 1
    least = LEAST_WINDOWS * window
    days = max(1, min(max((span + 1) // 2, least), max(_LONGEST_REFERENCE_DAYS, least), span))
    told.tell("reference.from", first, "the first day of the files")
    short = "" if days >= least else f": too short to judge by, which takes {least} days. Name a later one when there are more"
    told.tell("reference.to", first + timedelta(days=days), f"{_days(days)} of {whose} {span}{short}" if span > 1 else f"{whose} only day{short}")
    if window > 1:
        told.tell("window", "week", f"only {counted(round(rate), 'row')} a day")


def _days(count: int) -> str:
    return "1 day" if count == 1 else f"the first {count} days"


def _day(moment: datetime, timezone: str) -> Any:
    return moment.astimezone(ZoneInfo(timezone)).date()
