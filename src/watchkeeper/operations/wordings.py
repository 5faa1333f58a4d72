"""What messages should call the things a model is about, by the names of its files and of its label, each with the reason in words.

Belongs here: one guess about one word. Does not: columns (guesses.py, truths.py), the order of the questions (draft.py). Without a word
of its own a message says "predictions were positive", which reads as if that were what the model said.
"""

import re

from watchkeeper.operations.guesses import Guess

_GENERAL = {
    "events",
    "predictions",
    "scores",
    "rows",
    "records",
    "logs",
    "files",
    "features",
    "inputs",
    "requests",
    "samples",
    "results",
    "responses",
}
_UNSAID = {"label", "labels", "target", "truth", "outcome", "actual", "y", "class", "result", "value", "positive", "true", "yes", "1"}
_UNITS = {"minutes", "seconds", "hours", "days", "weeks", "km", "kg", "kwh", "eur", "usd", "gbp", "chf", "percent"}


def rows(files: str) -> Guess | None:
    """Return what one row is called, in the plural, by the name of the files; None where that is as general as `events`.

    >>> rows("inbox/flights-*.parquet")
    ('flights', 'by the name of the files')
    >>> rows("inbox/events-*.csv"), rows("inbox/data.csv")
    (None, None)
    """
    word = re.split(r"[^a-z]", files.rpartition("/")[2].lower())[0]
    is_plural = len(word) > 3 and word.endswith("s") and not word.endswith("ss")  # noqa: PLR2004 - shorter ones are no plural
    return (word, "by the name of the files") if is_plural and word not in _GENERAL else None


def positive(label: str, value: object = None) -> Guess | None:
    """Return what a positive one is called: by the label's own word, else by its column.

    >>> positive("was_late"), positive("outcome", "fraud")
    (('late', 'by the name of `was_late`'), ('fraud', 'the label that counts as positive'))
    >>> positive("label"), positive("y", 1)
    (None, None)
    """
    if isinstance(value, str) and value.lower() not in _UNSAID:
        return value.replace("_", " "), "the label that counts as positive"
    word = re.sub(r"^(was|is|has|did|will|got|became)_+", "", label.lower()).replace("_", " ")
    return (word, f"by the name of `{label}`") if word not in _UNSAID else None


def unit(label: str) -> Guess | None:
    """Return the unit of what is predicted, where the label is named like one.

    >>> unit("minutes"), unit("price_eur"), unit("rating")
    (('minutes', 'by the name of `minutes`'), ('EUR', 'by the name of `price_eur`'), None)
    """
    word = label.lower().rpartition("_")[2]
    said = word.upper() if word in ("eur", "usd", "gbp", "chf") else word
    return (said, f"by the name of `{label}`") if word in _UNITS else None
