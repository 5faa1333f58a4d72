"""What the truth seems to be: its column, how it joins the events, how long it takes, and the task it makes.

Belongs here: guesses from labels. Does not: the events' own columns (guesses.py), the order of the questions (draft.py).
"""

import re
from collections.abc import Collection, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from watchkeeper.operations.convert import as_text
from watchkeeper.operations.guesses import Guess, families, prediction_column, score_column
from watchkeeper.operations.traits import distinct, is_measured, is_share, is_text
from watchkeeper.words import counted, percent

_FEW_CLASSES = 20
_TRUTH = re.compile(r"label|target|truth|true|actual|outcome|(^|_)y$|^(was|is|did|has)_|observed|result", re.IGNORECASE)
_POSITIVES = ("yes", "y", "true", "1", "positive", "pos", "bad", "late", "fraud", "churned", "default", "fail", "failed")


def task(label: tuple[str, pa.ChunkedArray] | None, events: pa.Table) -> Guess | None:
    """Return the kind of task that the truth, or without one the model's output, points to."""
    if label is not None:
        return _task_of_truth(*label, events)
    found = prediction_column(events, "multiclass", (), ())
    if found and is_text(events[found[0]]) and distinct(events[found[0]]) > 2:  # noqa: PLR2004 - more than two are many
        return "multiclass", f"`{found[0]}` holds {distinct(events[found[0]])} classes"
    if classes := families(events):
        return "multiclass", f"{', '.join(f'`{column}`' for column in classes.values())} add up to 1"
    if found := score_column(events, "binary", ()):
        return "binary", f"`{found[0]}` lies between 0 and 1"
    if found := score_column(events, "regression", ()):
        return "regression", f"`{found[0]}` holds numbers beyond 0 and 1"
    return None


def label_column(labels: pa.Table, taken: Collection[str]) -> Guess | None:
    """Return the column that holds the truth: the only one left, or the one named so."""
    left = [n for n in labels.column_names if n not in taken]
    if len(left) == 1:
        return left[0], "the only column that is neither id nor time"
    named = [n for n in left if _TRUTH.search(n)]
    return (named[0], "named like a truth") if len(named) == 1 else None


def truth_among_events(events: pa.Table, taken: Collection[str]) -> Guess | None:
    """Return a column of the events that already is the truth; only plain names count, since a wrong one would be circular."""
    plain = re.compile(r"^(label|target|truth|actual|y_true|ground_?truth)$", re.IGNORECASE)
    named = [n for n in events.column_names if n not in taken and plain.search(n)]
    return (named[0], "named like a truth, in the events themselves") if len(named) == 1 else None


def join_column(events: pa.Table, event_id: str, labels: pa.Table) -> Guess | None:
    """Return the labels' column of event ids: the same name, or the one whose values are found among the ids."""
    if event_id in labels.column_names:
        return event_id, "the id's name"
    ids = pc.unique(as_text(events[event_id]))
    shares = {n: _share_in(labels[n], ids) for n in labels.column_names if is_text(labels[n]) or pa.types.is_integer(labels[n].type)}
    best = max(shares, key=lambda n: shares[n], default=None)
    return (best, f"{percent(shares[best])} of its values are event ids") if best and shares[best] >= 0.5 else None  # noqa: PLR2004 - most of them


def positive(label: pa.ChunkedArray) -> Guess | None:
    """Return the label that counts as positive, where it is neither true nor 1."""
    values = pc.unique(pc.drop_null(label)).to_pylist()
    if {str(v).lower() for v in values} <= {"true", "false", "1", "0", "1.0", "0.0"}:
        return 1, "true or 1"
    named = [v for v in values if str(v).lower() in _POSITIVES]
    return (named[0], f"of {_listed(values)}") if len(named) == 1 else None


def _task_of_truth(name: str, truth: pa.ChunkedArray, events: pa.Table) -> Guess | None:
    """Return the task; None where a few whole numbers may be classes, and no output tells."""
    count = distinct(truth)
    if pa.types.is_boolean(truth.type) or (count <= 2 and not is_measured(truth)):  # noqa: PLR2004 - two outcomes are binary
        return "binary", f"`{name}` holds {_listed(pc.unique(pc.drop_null(truth)).to_pylist())}"
    if is_text(truth):
        return "multiclass", f"`{name}` holds {counted(count, 'class')}"
    predicted = prediction_column(events, "multiclass", (), ())
    if count <= _FEW_CLASSES and not is_measured(truth) and predicted and distinct(events[predicted[0]]) <= _FEW_CLASSES:
        return "multiclass", f"`{name}` holds {counted(count, 'whole number')}, and so does `{predicted[0]}`"
    values = {str(value) for value in pc.unique(pc.drop_null(truth)).to_pylist()} if count <= _FEW_CLASSES and not is_measured(truth) else set()
    if values and values <= families(events).keys():
        return "multiclass", f"`{name}` holds {counted(count, 'whole number')}, each with a probability"
    return _of_number(name, count, events, are_few_whole=bool(values))


def _of_number(name: str, count: int, events: pa.Table, *, are_few_whole: bool) -> Guess | None:
    """Return the task of labels that are numbers: a few whole ones are classes, unless a number is foretold."""
    said = score_column(events, "regression", ())
    if are_few_whole and said is None:
        return "multiclass", f"`{name}` holds {counted(count, 'whole number')}, and no output is a number"
    if are_few_whole and said is not None and is_share(events[said[0]]):
        return None  # a number between 0 and 1 foretells none of these: neither classes nor numbers
    return "regression", f"`{name}` holds {counted(count, 'different number')}"


def _share_in(column: pa.ChunkedArray, ids: pa.Array) -> float:
    return float(pc.mean(pc.cast(pc.is_in(as_text(column), value_set=ids), pa.float64())).as_py() or 0.0)


def _listed(values: Sequence[Any]) -> str:
    return ", ".join(sorted(str(v) for v in values))
