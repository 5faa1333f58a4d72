"""Drafts a monitor from data files: asks each question in turn, takes what a person said or what the data suggest.

Belongs here: the order of the questions, and what remains to be asked. Does not: single guesses (guesses.py), reading and
writing files (add.py), or how the draft is written down (monitor_text.py).
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
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
from watchkeeper.monitor import Monitor, Task
from watchkeeper.operations import guesses, halves, truths, wordings
from watchkeeper.operations.times import READABLE, to_utc
from watchkeeper.operations.traits import is_number, is_share
from watchkeeper.words import listed

SAID = "you said so"
_MOST, _FEW_SHOWN = 0.5, 20
_SAID_ROLES = {"version": "version-column", "latency": "latency"}  # role -> option
_LONGEST_REFERENCE_DAYS = 90
_WEEKLY_BELOW, _WEEKLY_FROM_DAYS = 30, 56


@dataclass(frozen=True, slots=True)
class Answer:
    """One thing the draft says: the key of the monitor file, its value, and why."""

    key: str
    value: Any
    why: str


@dataclass(frozen=True, slots=True)
class Question:
    """One thing that must be said by a person: the option that says it, and what it is."""

    option: str
    what: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What a person said on the command line; None is left to the data."""

    owner: str | None = None
    task: str | None = None
    id: str | None = None
    time: str | None = None
    score: str | None = None
    prediction: str | None = None
    label: str | None = None
    join: str | None = None
    label_time: str | None = None
    positive: str | None = None
    segments: list[str] | None = None
    version_column: str | None = None
    latency: str | None = None


@dataclass(frozen=True, slots=True)
class Source:
    """Rows to learn from, and where rows like them will come from: the keys of the monitor file that say so, and why."""

    rows: pa.Table
    place: Mapping[str, Any]
    why: str
    others: Callable[[Sequence[str]], pa.Table] | None = None
    every: Callable[[str], tuple[pa.ChunkedArray, str]] | None = None
    unused: tuple[str, ...] = ()
    """Columns of the files that are not among the rows, and that no model was given."""

    def times(self, column: str) -> tuple[pa.ChunkedArray, str]:
        """Return the column of times of all there is, and whose days these are."""
        return (self.whole([column])[column], "the files'") if self.every is None else self.every(column)

    def whole(self, columns: Sequence[str]) -> pa.Table:
        """Return columns of all there is, or of these rows alone."""
        return self.rows.select(list(dict.fromkeys(columns))) if self.others is None else self.others(columns)


@dataclass(slots=True)
class Draft:
    """The answers so far, in the order of the monitor file, and the questions left."""

    said: Said
    answers: list[Answer] = field(default_factory=list)
    questions: list[Question] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    """Sentences about what a model of this task could have and this draft has not."""

    def tell(self, key: str, value: Any, why: str) -> None:
        """Add an answer."""
        self.answers.append(Answer(key, value, why))

    def column(self, key: str, option: str, guess: guesses.Guess | None, rows: pa.Table, ask: str = "") -> str | None:
        """Settle a column: as said, else as guessed, else it is asked for (`ask`) or left out."""
        said = getattr(self.said, option.replace("-", "_"), None)
        if said is not None:
            require(said, rows, option)
            guess = said, SAID
        if guess is not None:
            self.tell(key, *guess)
            return str(guess[0])
        if ask:
            self.questions.append(Question(f"--{option}", f"{ask} (columns: {', '.join(rows.column_names)})"))
        return None

    def taken(self) -> set[str]:
        """Return the columns that have a role already."""
        roles = [a.value for a in self.answers if a.key.startswith(("columns.", "labels."))]
        return {column for role in roles for column in (role.values() if isinstance(role, dict) else [role])}


def require(column: str, rows: pa.Table, option: str) -> None:
    """Raise UsageError, naming the nearest column, when there is no such column."""
    if column not in rows.column_names:
        hint = nearest(column, rows.column_names)
        raise UsageError(f"there is no column '{column}'", where=f"--{option}", then=f"{hint[:1].upper()}{hint[1:]}")


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
    _outputs(told, events.rows, truth)
    _rest(told, events, time=time, timezone=timezone, in_events=labels is None and truth is not None)
    _words(told, events)
    return told


def _place(told: Draft, section: str, source: Source) -> None:
    for name, value in source.place.items():
        told.tell(f"{section}.{name}", value, source.why)


def glob_of(path: Path, root: Path) -> tuple[str, str]:
    """Return the glob for files like `path`, relative to the workspace where it lies in it, and why.

    >>> glob_of(Path("/home/w/inbox/flights-2013-04-01.csv.gz"), Path("/home/w"))
    ('inbox/flights-*.csv.gz', 'the digits in the name stand for any')
    """
    place = Path(named(path, root))
    stem, dot, suffixes = place.name.partition(".")
    loose = re.sub(r"\d[\d\-_T]*\d|\d+", "*", stem)
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


def _outputs(told: Draft, events: pa.Table, truth: pa.ChunkedArray | None) -> None:
    """Settle the task and the columns that hold what the model said."""
    name = next((a.value for a in told.answers if a.key == "labels.column"), "")
    found = (told.said.task, SAID) if told.said.task else truths.task((name, truth) if truth is not None else None, events)
    if found is None:
        values = [] if truth is None else sorted(pc.unique(pc.drop_null(truth)).to_pylist())
        held = f" (`{name}` holds {', '.join(str(v) for v in values)})" if 0 < len(values) <= _FEW_SHOWN else ""
        told.questions.append(Question("--task", f"what kind of task it is: binary, multiclass, regression{held}"))
        return
    task = str(found[0])
    told.tell("task", task, found[1])
    score, is_open = _score(told, events, task, (name, truth))
    kin = [n for n in (score, name) if n]
    decided = guesses.prediction_column(events, task, told.taken(), kin) if task in ("binary", "multiclass") else None
    if task == "multiclass" and decided is None:
        is_other = name in events.column_names and truth is not None and not events[name].equals(truth)  # named as the truth is in the labels
        decided = guesses.most_probable(events, guesses.families(events), told.taken() - ({name} if is_other else set()))
    if task == "binary" and decided is None:
        decided = guesses.decision_column(events, score, told.taken(), _positive_label(told, truth))
    prediction = told.column("columns.prediction", "prediction", decided, events)
    if not is_open:
        _ask_for_output(told, events, task, score, prediction)
    if task == "binary" and truth is not None:
        _positive(told, truth)
    if task == "binary" and score and prediction is None:
        told.tell("threshold", Monitor.model_fields["threshold"].default, "assumed: no decision column found")
    if task == "binary" and score is None and prediction and not is_open:
        _without_score(told, events, prediction)
    if task == "multiclass" and prediction:
        _probabilities(told, events, prediction, truth)


def _score(told: Draft, events: pa.Table, task: str, truth: tuple[str, pa.ChunkedArray | None]) -> tuple[str | None, bool]:
    """Settle the column of the score; tell whether a person must say first which of two it is."""
    is_binary = task == "binary"
    named_already = told.taken() | {n for n in (told.said.prediction,) if n and is_binary}
    guess = guesses.score_column(events, task, named_already) if task in ("binary", "regression") else None
    if is_binary and guess is None and told.said.prediction in events.column_names:
        guess = guesses.score_of_decision(events, str(told.said.prediction), named_already, _positive_label(told, truth[1]))
    of_positive = _of_positive(told, events, truth, guess) if is_binary and guess is not None and told.said.score is None else guess
    score = told.column("columns.score", "score", of_positive, events)
    if is_binary and score:
        _require_chances(score, events)
    return score, guess is not None and of_positive is None


def _of_positive(told: Draft, events: pa.Table, truth: tuple[str, pa.ChunkedArray | None], guess: guesses.Guess) -> guesses.Guess | None:
    """Return the guess, or of two columns that add up to 1 that of the positive label; None, and a question, where nothing tells which it is."""
    score = str(guess[0])
    others = halves.complements(events, score, told.taken() | {n for n in (told.said.prediction,) if n})
    if not others:
        return guess
    if told.said.positive is None and truth[1] is not None and truths.positive(truth[1]) is None:
        return None  # which label is positive is asked for, and the answer may settle this too
    outcome = halves.Outcome.of(*truth, _positive_label(told, truth[1]))
    found = next((g for other in others if (g := halves.of_positive(events, (score, other), outcome, told.said.prediction))), None)
    if found is None:
        both = listed([f"`{n}`" for n in (score, *others)])
        told.questions.append(Question("--score", f"which of {both} is the probability of the positive label; they add up to 1"))
    return found


def _without_score(told: Draft, events: pa.Table, prediction: str) -> None:
    """Say that there are decisions alone, and which columns could be the score."""
    numbers = [n for n in events.column_names if n not in told.taken() and is_number(events[n]) and is_share(events[n])]
    could = f" ({', '.join(f'`{n}`' for n in numbers)} {'lies' if len(numbers) == 1 else 'lie'} between 0 and 1)" if numbers else ""
    told.left_out.append(
        f"no column was found with the probability behind `{prediction}`, so that AUC, log loss and estimates are left out; name it by --score{could}"
    )


def _without_probabilities(told: Draft, events: pa.Table, prediction: str) -> None:
    """Say that there are decisions alone, and which columns could be probabilities."""
    numbers = [n for n in events.column_names if n not in told.taken() and is_share(events[n])]
    could = f" ({listed([f'`{n}`' for n in numbers[:_FEW_SHOWN]])} lie between 0 and 1)" if len(numbers) > 1 else ""
    told.left_out.append(
        f"no columns were found with the probabilities behind `{prediction}`, so that AUC, log loss and estimates are left out; "
        f"name each class's in `columns.probabilities` of the monitor file{could}"
    )


def _probabilities(told: Draft, events: pa.Table, prediction: str, truth: pa.ChunkedArray | None) -> None:
    """Settle the probability of each class that came true, was decided, or has a column beside theirs; say what is left out."""
    decided, true = (
        {str(c) for c in pc.unique(pc.drop_null(column)).to_pylist()} if column is not None else set() for column in (events[prediction], truth)
    )
    classes = sorted(decided | true)
    family = guesses.families(events)
    if set(classes) <= family.keys():
        told.tell("columns.probabilities", dict(family), "one probability for each class, and they add up to 1")
    elif shares := guesses.probabilities(events, classes):
        told.tell("columns.probabilities", *shares)
    elif family and decided <= family.keys() and true & family.keys():
        told.tell("columns.probabilities", dict(family), "one probability for each class that is decided, and they add up to 1")
        without = listed([f"`{c}`" for c in classes if c not in family])
        told.left_out.append(
            f"no column is the probability of {without}, of which there are labels: these rows have no log loss, and classes are not estimated"
        )
    elif family:
        lacking = [c for c in classes if c not in family]
        told.left_out.append(
            f"{', '.join(f'`{n}`' for n in family.values())} look like probabilities of classes, but none is of {listed(lacking)}, so that they are left out; "
            "name each class's in `columns.probabilities` of the monitor file"
        )
    else:
        _without_probabilities(told, events, prediction)


def _require_chances(score: str, events: pa.Table) -> None:
    """Raise UsageError when most of a binary model's scores are no probabilities: intake would set nearly every row aside."""
    values = np.asarray(pc.drop_null(events[score]), dtype=float) if is_number(events[score]) else np.empty(0)
    if len(values) and np.mean((values < 0) | (values > 1)) > _MOST:
        raise UsageError(
            f"most of `{score}` lies outside [0, 1] ({np.nanmin(values):.3g} to {np.nanmax(values):.3g}), and a binary model's score is a probability",
            where="--score",
            then="Name the column with the probability of the positive class, or the decision with --prediction; percentages and margins are to be turned into one first.",
        )


def _ask_for_output(told: Draft, events: pa.Table, task: str, score: str | None, prediction: str | None) -> None:
    if task == "multiclass" and prediction is None:
        told.column("columns.prediction", "prediction", None, events, "which column holds the predicted class")
    elif score is None and prediction is None:
        what = "which column holds the predicted number" if task == "regression" else "which column holds the score"
        told.column("columns.score", "score", None, events, what)


def _positive_label(told: Draft, truth: pa.ChunkedArray | None) -> object:
    """Return the label that counts as positive as far as it is known: true or 1 where nothing says otherwise."""
    return told.said.positive or ((truths.positive(truth) if truth is not None else None) or (1,))[0]


def _positive(told: Draft, truth: pa.ChunkedArray) -> None:
    found = (told.said.positive, SAID) if told.said.positive else truths.positive(truth)
    if found is None:
        values = ", ".join(sorted(str(v) for v in pc.unique(pc.drop_null(truth)).to_pylist()))
        told.questions.append(Question("--positive", f"which label counts as positive (labels: {values})"))
    elif found[0] != 1:
        told.tell("positive", *found)


def _rest(told: Draft, source: Source, *, time: str | None, timezone: str, in_events: bool) -> None:
    events = source.rows
    found = guesses.by_name(events, told.taken() | {n for n in (told.said.version_column, told.said.latency) if n})
    for role, option in _SAID_ROLES.items():
        told.column(f"columns.{role}", option, found.pop(role, None), events)
    for role, guess in found.items():
        told.tell(f"columns.{role}", *guess)
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
        told.tell("window", "week", f"only {rate:.0f} rows a day")


def _days(count: int) -> str:
    return "1 day" if count == 1 else f"the first {count} days"


def _day(moment: datetime, timezone: str) -> Any:
    return moment.astimezone(ZoneInfo(timezone)).date()
