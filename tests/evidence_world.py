"""Evidence worked by hand: a bad Monday of parcels, with numbers round enough to check in one's head.

Belongs here: one story's evidence and its scores. Does not: gathering evidence from a lake (operations/test_judge.py).
"""

from datetime import timedelta
from typing import Any

from watchkeeper.judgement.episodes import Episode
from watchkeeper.judgement.evidence import Evidence
from watchkeeper.monitor import Monitor
from watchkeeper.records import Score, Signal
from worlds import DAY, START, watched

MONDAY = START + 7 * DAY
WORDS = {"wording": {"rows": "parcels", "positive": "late"}, "owner": "#parcels"}


def monitor(**changes: Any) -> Monitor:
    """Return the parcels monitor with its words."""
    return watched(7, **{**WORDS, **changes})


def score(metric: str, value: float | None, *, day: int = 7, days: int = 1, **more: Any) -> Score:
    """Return one figure of one day or more."""
    fields = {"method": "hand", "unit": "ratio", "direction": "none", "grain": "day", "n": 900, "state": "mature"} | more
    return Score(
        model="parcels",
        metric=metric,
        window_start=START + day * DAY,
        window_end=START + (day + days) * DAY,
        value=value,
        computed_at=START + 30 * DAY,
        **fields,
    )


def signal(metric: str = "calibration_gap", value: float = 0.4, *, day: int = 7, days: int = 1, **more: Any) -> Signal:
    """Return a page of one day or more."""
    about = {"feature": "", "segment": "", "family": "kpi", "rule": "sudden", "state": "mature", "expected": 0.0, "p": 1e-9} | more
    limits = {"normal_low": -0.13, "normal_high": 0.21} if "normal_low" not in about else {}
    return Signal(
        signal_id=f"{metric} {about['feature']} {about['segment']} {day}",
        model="parcels",
        environment="production",
        level="page",
        metric=metric,
        window_start=START + day * DAY,
        window_end=START + (day + days) * DAY,
        value=value,
        computed_at=START + 30 * DAY,
        **limits,
        **about,
    )


def episode(*signals: Signal, is_over: bool = False) -> Episode:
    """Return signals as one episode."""
    found = signals or (signal(),)
    first = found[0]
    subject = first.segment if first.family == "segment" else first.family
    return Episode(subject, first.family, list(found), is_over)


def evidence(*signals: Signal, rate: float = 0.5, gap: float = 0.4, usual_rate: float = 0.2, usual_gap: float = 0.0, **more: Any) -> Evidence:
    """Return the evidence of a day on which `rate` were late, `gap` more than the model expected."""
    found = signals or (signal(value=gap),)
    known: dict[str, Any] = {
        "is_provisional": False,
        "coverage": (900, 1000),
        "observed": score("positive_rate", rate, low=rate - 0.03, high=rate + 0.03, reference_value=usual_rate, coverage=0.9),
        "gap": score("calibration_gap", gap, se=0.01, reference_value=usual_gap, coverage=0.9),
        "expected": rate - gap,
        "usual_observed": usual_rate,
        "usual_expected": usual_rate - usual_gap,
        "usual_gap": usual_gap,
        "missed": (405, 450),
        "usual_recall": 0.4,
        "moved": [],
        "compared": 5,
    }
    windows = sorted({s.window_start for s in found})
    return Evidence(
        windows=windows, first_end=found[0].window_end, end=max(s.window_end for s in found), lead=found[0], signals=found, **(known | more)
    )


HOUR = timedelta(hours=1)
