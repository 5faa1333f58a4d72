"""Label classes: whether labels are of one class only, or of a class that the reference never had.

Belongs here: the rule and its words. Does not: reading the labels (operations/label_classes.py). KPIs say nothing of either by themselves: with
one class they are not measured, and an average over classes is over one more without a word.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from watchkeeper.monitor import Monitor
from watchkeeper.windows import Window
from watchkeeper.words import counted, listed, moment_text, percent

LEAST = 20
"""So many labels of one class at least are worth a word."""
UNLIKELY = 1e-6
"""How unlikely it must be that labels as they were in the reference happen to be of one class only."""
_NAMED = 3
_POSITIVE, _NEGATIVE = "1", "0"


@dataclass(frozen=True, kw_only=True)
class LabelClasses:
    """Labels by class: of the reference, and later ones by the start of the hour or day of their predictions.

    Those before `due` have all come, without it all have. `foreign` holds the later labels of classes that the reference never had: of a binary model by their
    texts, since `later` tells positive (1) and negative (0) alone.
    """

    reference: Mapping[str, int] = field(default_factory=dict)
    later: Mapping[datetime, Mapping[str, int]] = field(default_factory=dict)
    foreign: Mapping[datetime, Mapping[str, int]] = field(default_factory=dict)
    due: datetime | None = None


def one_class_text(monitor: Monitor, found: LabelClasses, window: Window | None = None) -> str:
    """Say that the newest labels that are due, or those of the reference, are of one class only; empty where they are not, or may be by chance.

    Of a window it tells what goes on at its end.
    """
    of_reference = sum(found.reference.values())
    if len(found.reference) == 1 and of_reference >= LEAST:
        return f"all {of_reference:,} labels of the reference are {_called(monitor, next(iter(found.reference)))}; {_HARM}"
    name, labels, since = _newest_run(found, window)
    share = found.reference.get(name, 0) / of_reference if of_reference else 1.0
    if labels < LEAST or share**labels > UNLIKELY:
        return ""
    when, usual = moment_text(since, monitor.timezone), percent(share) if share else "none"
    return f"all {labels:,} labels since {when} are {_called(monitor, name)}, of the reference {usual} were; {_HARM}"


_HARM = "numbers that need another class are not measured. See that the labels of the other classes are delivered"


def _newest_run(found: LabelClasses, window: Window | None) -> tuple[str, int, datetime | None]:
    """Return the one class that the newest labels that are due have, how many there are in a row, and since when."""
    name, labels, since = "", 0, None
    for start in sorted(found.later, reverse=True):
        if (found.due is not None and start >= found.due) or (window is not None and start >= window.end):
            continue
        there = found.later[start]
        if len(there) != 1 or (name and name not in there) or (window is not None and not name and start < window.start):
            break
        name, labels, since = next(iter(there)), labels + sum(there.values()), start
    return name, labels, since


def new_classes_text(monitor: Monitor, found: LabelClasses, window: Window) -> str:
    """Say of which classes that the reference never had labels came in a window: how many in all, and since when; empty where of none."""
    every: Counter[str] = Counter()
    first: dict[str, datetime] = {}
    lately: set[str] = set()
    for start in sorted(found.foreign):
        if start < window.end:
            every.update(found.foreign[start])
            first = dict.fromkeys(found.foreign[start], start) | first
            lately |= found.foreign[start].keys() if start >= window.start else set()
    if not lately:
        return ""
    names = sorted(lately, key=lambda n: (-every[n], n))
    said = [f"{counted(every[n], 'label')} of class `{n}` since {moment_text(first[n], monitor.timezone)}" for n in names[:_NAMED]]
    more = [f"{len(names) - _NAMED:,} more"] if len(names) > _NAMED else []
    return f"{listed([*said, *more])}, which the reference never had; {_meaning(monitor, names)}"


def _meaning(monitor: Monitor, names: list[str]) -> str:
    one = len(names) == 1
    if monitor.task == "binary":
        return f"{'it counts' if one else 'they count'} as not `{monitor.positive}`"
    lacking = monitor.columns.probabilities and [n for n in names if n not in monitor.columns.probabilities]
    unsaid = f", and the model gives {'it' if one else listed([f'`{n}`' for n in lacking[:_NAMED]])} no probability" if lacking else ""
    return f"averages over classes count {'it' if one else 'them'} too{unsaid}"


def _called(monitor: Monitor, name: str) -> str:
    if monitor.task != "binary":
        return f"of class `{name}`"
    return {_POSITIVE: "positive", _NEGATIVE: "negative"}[name]
