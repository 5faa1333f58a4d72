"""A draft while it is made: what was said, what rows there are to learn from, the answers so far and the questions left.

Belongs here: settling one answer. Does not: which answers a draft has, and their order (draft.py, draft_outputs.py).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from watchkeeper.adapters.monitor_files import nearest
from watchkeeper.errors import UsageError
from watchkeeper.operations import guesses

SAID = "you said so"


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
        roles = [a.value for a in self.answers if a.key.startswith(("columns.", "labels.")) and a.key != "columns.latency_unit"]
        return {column for role in roles for column in (role.values() if isinstance(role, dict) else [role])}


def require(column: str, rows: pa.Table, option: str) -> None:
    """Raise UsageError, naming the nearest column, when there is no such column."""
    if column not in rows.column_names:
        hint = nearest(column, rows.column_names)
        raise UsageError(f"there is no column '{column}'", where=f"--{option}", then=f"{hint[:1].upper()}{hint[1:]}")
