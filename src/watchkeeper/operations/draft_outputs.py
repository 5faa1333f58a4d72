"""Drafts what the model says: its task, and the columns of its score, decision and probabilities.

Belongs here: which of these are settled by which, and what is asked where nothing tells. Does not: single guesses
(guesses.py, halves.py, truths.py), or the other answers (draft.py).
"""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from watchkeeper.errors import UsageError
from watchkeeper.monitor import Monitor
from watchkeeper.operations import guesses, halves, truths
from watchkeeper.operations.convert import text_of
from watchkeeper.operations.drafting import SAID, Draft, Question
from watchkeeper.operations.traits import is_number, is_share
from watchkeeper.words import listed

_MOST, _FEW_SHOWN = 0.5, 20


def outputs(told: Draft, events: pa.Table, truth: pa.ChunkedArray | None) -> None:
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
        return _alone(told, events, truth, guess)
    if told.said.positive is None and truth[1] is not None and truths.positive(truth[1]) is None:
        return None  # which label is positive is asked for, and the answer may settle this too
    outcome = halves.Outcome.of(*truth, _positive_label(told, truth[1]))
    found = next((g for other in others if (g := halves.of_positive(events, (score, other), outcome, told.said.prediction))), None)
    if found is None:
        both = listed([f"`{n}`" for n in (score, *others)])
        told.questions.append(Question("--score", f"which of {both} is the probability of the positive label; they add up to 1"))
    return found


def _alone(told: Draft, events: pa.Table, truth: tuple[str, pa.ChunkedArray | None], guess: guesses.Guess) -> guesses.Guess | None:
    """Return the guess; None, and a question, where it is named like the probability of the negative label: every KPI would be turned upside down."""
    score, positive = str(guess[0]), _positive_label(told, truth[1])
    if not halves.is_of_negative(events, score, halves.Outcome.of(*truth, positive), told.said.prediction):
        return guess
    named = f"`{score}` is named like that of another label than {text_of(positive)}"
    then = f"--score {score} where it is nevertheless; else log 1 - `{score}`, or name its label with --positive"
    told.questions.append(Question("--score", f"which column is the probability of the positive label; {named}: {then}"))
    return None


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
