"""Criteria of fairness: what each compares, of which rows, and where nothing is wrong.

Belongs here: their definitions, in words and as names in a tally. Does not: reckoning them (fairness.py).
"""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Criterion:
    """One way to be fair: what is compared, of which rows, and between which limits it lies where nothing is wrong."""

    name: str
    title: str
    meaning: str
    rows: str
    low: float
    high: float
    shares: tuple[tuple[str, str], ...] = ()
    """Names in a tally of hits and of rows; of several the worst counts."""
    needs_labels: bool = True

    @property
    def is_ratio(self) -> bool:
        """Tell whether shares are divided and not subtracted."""
        return self.low > 0

    @property
    def tolerance(self) -> float:
        """How far from no gap at all the lower limit lies."""
        return 1 - self.low if self.is_ratio else -self.low


_SELECTED, _FOUND, _ACCUSED, _RIGHT = ("flagged", "decided"), ("found", "positives"), ("accused", "negatives"), ("found", "known_flagged")

BINARY = (
    Criterion(
        "demographic_parity",
        "Demographic parity, difference",
        "How much more often members of the group are flagged than all others.",
        "decisions",
        -0.05,
        0.05,
        (_SELECTED,),
        needs_labels=False,
    ),
    Criterion(
        "demographic_parity_ratio",
        "Demographic parity, ratio (four fifths)",
        "The group's share of flagged divided by that of all others; less than four fifths either way is out of line.",
        "decisions",
        0.8,
        1.25,
        (_SELECTED,),
        needs_labels=False,
    ),
    Criterion(
        "equal_opportunity",
        "Equal opportunity",
        "Of those whose truth is positive, how many more of the group are flagged (true positive rate).",
        "positives",
        -0.05,
        0.05,
        (_FOUND,),
    ),
    Criterion(
        "equalised_odds",
        "Equalised odds",
        "The worse of two gaps: of those whose truth is positive, and of those whose truth is negative, how many more of the group are flagged.",
        "positives or negatives",
        -0.05,
        0.05,
        (_FOUND, _ACCUSED),
    ),
    Criterion(
        "predictive_parity",
        "Predictive parity",
        "Of those who were flagged, how many more of the group are truly positive (precision).",
        "flagged, with a label",
        -0.05,
        0.05,
        (_RIGHT,),
    ),
    Criterion(
        "calibration",
        "Calibration within groups",
        "How much more often it comes true in the group than its scores say (mean of truth minus score), beside all others.",
        "scored, with a label",
        -0.05,
        0.05,
    ),
)
REGRESSION = (
    Criterion(
        "mean_error",
        "Mean error",
        "How much higher the group is predicted (mean of prediction minus truth) than all others, in parts of the others' mean absolute error.",
        "predictions with a label",
        -0.1,
        0.1,
    ),
)
CRITERIA: Mapping[str, tuple[Criterion, ...]] = {"binary": BINARY, "regression": REGRESSION}
"""By task; what fairness means for other tasks is not agreed on."""

SIDES: Mapping[tuple[str, str], str] = {_FOUND: "of those whose truth is positive", _ACCUSED: "of those whose truth is negative"}
"""Which of several shares a statement is about, in words."""
