"""Which of two columns that add up to 1 is the probability of the positive label, and whether one that stands alone is that of the other.

Belongs here: the clues, from the surest on, and None where they say nothing or contradict each other. Does not: whether there is a score
at all (guesses.py), or asking a person (draft.py). The other column taken for the score would turn every KPI of a model upside down.
"""

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from watchkeeper.operations.classes import opposite_spellings, spellings
from watchkeeper.operations.convert import text_of
from watchkeeper.operations.guesses import Guess, adds_up, is_named_score, prediction_column, score_of_decision
from watchkeeper.operations.traits import is_share

_WORDS = frozenset({"probability", "probabilities", "prob", "proba", "score", "p"})
_POSITIVE, _NEGATIVE, _NOT = frozenset({"pos", "positive"}), frozenset({"neg", "negative"}), frozenset({"not", "no", "non", "never"})
_ASIDE = frozenset({"was", "did", "has", "is", "label", "target", "truth", "true", "actual", "outcome", "y", "ground", "result"})
_CHOICE = re.compile(r"decision|decided", re.IGNORECASE)  # what was done; it need not be what was expected
_SHORTEST_STEM = 4
_FIRST = "0"  # of two classes; where they have names it is not known which of them that is


@dataclass(frozen=True, slots=True)
class Outcome:
    """What is known of the truth: the name of its column ("" without one), its positive label, and its other labels as texts."""

    column: str
    positive: object
    others: frozenset[str] = frozenset()

    @classmethod
    def of(cls, column: str, truth: pa.ChunkedArray | None, positive: object) -> "Outcome":
        """Return the outcome that a column of labels tells; None for labels that have not come."""
        texts = {text_of(v).lower() for v in pc.unique(pc.drop_null(truth)).to_pylist()} if truth is not None else set()
        return cls(column, positive, frozenset(texts) - spellings(positive))


def complements(events: pa.Table, score: str, taken: Collection[str]) -> list[str]:
    """Return the columns, named like scores too, that add up to 1 with a score in nearly every row."""
    free = [n for n in events.column_names if n != score and n not in taken and is_named_score(n)]
    return [n for n in free if is_share(events[n]) and adds_up(events, [score, n])]


def of_positive(events: pa.Table, pair: tuple[str, str], outcome: Outcome, said: str | None = None) -> Guess | None:
    """Return the column of the positive label: by the labels' names, the name of the truth, or the prediction (`said`, else one named so).

    >>> rows = pa.table({"prob_0": [0.9, 0.2], "prob_1": [0.1, 0.8]})
    >>> of_positive(rows, ("prob_0", "prob_1"), Outcome("was_late", 1))
    ('prob_1', 'adds up to 1 with `prob_0`, and by the names it is that of the positive label')
    """
    for clue in (_by_label, _by_word, _by_truth):
        ours, theirs = clue(pair[0], pair[1], outcome), clue(pair[1], pair[0], outcome)
        if ours != theirs:
            best, other = pair if ours > theirs else pair[::-1]
            return best, f"adds up to 1 with `{other}`, and by the names it is that of the positive label"
    return _by_prediction(events, pair, outcome, said)


def is_of_negative(events: pa.Table, column: str, outcome: Outcome, said: str | None = None) -> bool:
    """Tell whether a score that stands alone is by its name that of the negative label, and no prediction follows it upwards.

    >>> rows = pa.table({"prob_0": [0.9, 0.2]})
    >>> is_of_negative(rows, "prob_0", Outcome("was_late", 1)), is_of_negative(rows, "prob_0", Outcome("was_late", 0))
    (True, False)
    """
    return _names_negative(column, outcome) and _by_prediction(events, (column,), outcome, said) is None


def _names_negative(column: str, outcome: Outcome) -> bool:
    tokens = _tokens(column)
    places = [place for place, token in enumerate(tokens) if token in _WORDS]
    sides = (tokens[: places[0]], tokens[places[-1] + 1 :]) if places else (tokens,)
    names = {"".join(t for t in tokens if t not in _WORDS), *map("".join, sides)} - {""}
    if names & _plain(spellings(outcome.positive)):
        return False
    if names & (_plain(outcome.others | opposite_spellings(outcome.positive)) | _NEGATIVE | {_FIRST}):
        return True
    return (_by_truth(column, "", outcome) or -bool(_NOT & set(tokens))) < 0


def _by_label(column: str, other: str, outcome: Outcome) -> int:
    """Tell by the labels: 1 where a column is named after the positive one, -1 after another, else 0."""
    names = _names(column, other)
    ours, theirs = spellings(outcome.positive), outcome.others | opposite_spellings(outcome.positive)
    return bool(names & _plain(ours)) - bool(names & _plain(theirs))


def _by_word(column: str, other: str, outcome: Outcome) -> int:  # noqa: ARG001 - a clue
    names = _names(column, other)
    return bool(names & _POSITIVE) - bool(names & _NEGATIVE)


def _by_truth(column: str, other: str, outcome: Outcome) -> int:  # noqa: ARG001 - a clue
    """Tell by the name of the truth, where true is positive: `p_late` is that of `was_late`, and `p_not_late` is not."""
    if "true" not in spellings(outcome.positive):
        return 0
    told = [t for t in _tokens(outcome.column) if t not in _ASIDE]
    tokens = _tokens(column)
    if not any(_akin(a, b) for a in told for b in tokens):
        return 0
    return 1 if bool(_NOT & set(tokens)) == bool(_NOT & set(told)) else -1


def _by_prediction(events: pa.Table, pair: tuple[str, ...], outcome: Outcome, said: str | None) -> Guess | None:
    truth = [outcome.column] if outcome.column else []
    found = prediction_column(events, "binary", {*pair, *truth}, truth)
    named = said or (found[0] if found and not _CHOICE.search(found[0]) else None)
    if named is None or named not in events.column_names:
        return None
    return score_of_decision(events.select([*pair, named]), named, (), outcome.positive)


def _names(column: str, other: str) -> set[str]:
    """Return what a column is named after: its name without words such as `prob`, and the piece by which two names differ.

    >>> sorted(_names("predict_proba_0", "predict_proba_1")), sorted(_names("p_on_time", "p_late"))
    (['0', 'predict0'], ['ontime'])
    """
    ours, theirs = _tokens(column), _tokens(other)
    whole = "".join(t for t in ours if t not in _WORDS)
    start = next((i for i, (a, b) in enumerate(zip(ours, theirs, strict=False)) if a != b), min(len(ours), len(theirs)))
    ours, theirs = ours[start:], theirs[start:]
    while ours and theirs and ours[-1] == theirs[-1]:
        ours, theirs = ours[:-1], theirs[:-1]
    return {name for name in (whole, "".join(ours) if theirs else "") if name}


def _tokens(name: str) -> list[str]:
    """Return the words and numbers of a name: `probOnTime_1` is prob, on, time, 1."""
    return re.findall(r"[^\W\d_]+|\d+", re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower())


def _plain(labels: Iterable[str]) -> set[str]:
    """Return labels as `_names` spells them; numbers with a sign or a fraction are left out."""
    return {"".join(_tokens(label)) for label in labels if label.isdigit() or re.search(r"[^\W\d_]", label)}


def _akin(word: str, other: str) -> bool:
    return word == other or (min(len(word), len(other)) >= _SHORTEST_STEM and (word.startswith(other) or other.startswith(word)))
