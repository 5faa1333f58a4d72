"""The burden of alarms: how much a model flags, and how much of that is right, where it flags far more than it used to.

Belongs here: when that is said beside what a model finds, and its words. Does not: measuring it (measures/performance.py), what is out of line
(charts.py). A model that flags everything finds everything: what it finds says nothing good then.
"""

from watchkeeper.monitor import Monitor
from watchkeeper.records import Score
from watchkeeper.words import percent

_MORE, _TIMES = 0.05, 1.5
_HALF = 0.5


def is_heavier(flagged: Score | None) -> bool:
    """Tell whether surely five points more of the rows, and half as many again, are flagged as in the reference; of an unknown one, whether most are."""
    if flagged is None or flagged.value is None:
        return False
    least = flagged.value if flagged.low is None else flagged.low
    usual = flagged.reference_value
    return least > _HALF if usual is None else least > max(usual + _MORE, usual * _TIMES)


def burden_text(monitor: Monitor, flagged: Score | None, precision: Score | None) -> str:
    """Return which share of the rows is flagged and how much of these are positives, both beside the reference; empty where it is not heavier than usual."""
    if flagged is None or not is_heavier(flagged):
        return ""
    said = f"{percent(flagged.value)} of {monitor.wording.rows} were flagged{_usual(flagged)}"
    right = None if precision is None or precision.value is None else precision
    return said if right is None else f"{said}; {percent(right.value)} of these were {monitor.wording.positive}{_usual(right)}"


def _usual(score: Score) -> str:
    return "" if score.reference_value is None else f", over the whole reference {percent(score.reference_value)}"
