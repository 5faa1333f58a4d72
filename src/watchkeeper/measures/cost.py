"""The scores of what a model cost in a window: hours, energy, money, and what a prediction and a correct one come to.

Belongs here: figures as scores, each with its reason. Does not: sums of GPU time and prices (gpu_use.py, token_prices.py), which windows are due
(operations/costs.py).
"""

import dataclasses
import itertools
from dataclasses import dataclass, field
from datetime import datetime
from fractions import Fraction
from typing import Any

from watchkeeper.measures.gpu_use import Usage, energy_source
from watchkeeper.monitor import Monitor
from watchkeeper.records import Score
from watchkeeper.windows import Window
from watchkeeper.words import counted, percent

ALWAYS = (
    "gpu_hours",
    "gpu_busy_ratio",
    "gpu_wasted_ratio",
    "gpu_energy_kwh",
    "gpu_cost",
    "total_cost",
    "cost_per_1000_predictions",
    "cost_per_correct_prediction",
)
"""What is said of every window in which a model used a GPU."""
COST_METRICS = (*ALWAYS, "gpu_co2_kg", "gpu_training_hours", "gpu_training_cost", "token_cost")
LEAST_SAMPLED = 30
"""Predictions of sampled time from which on the cost of one is told, where they are not all: their number is off by a fifth by chance then."""
SYNTHETIC = "synthetic trace, not a bill"
SHARED_OUT = "an estimate: shared out by predictions"
_BY_ROWS = "an estimate: shared out by requests, answered or not"
UNDEFINED = "no answer of a regression or a ranking is right or wrong: make a KPI of what counts (`kpis`), and compare it with the cost"
_SAMPLED, _TOKENS = "gpu_samples", "token_prices"


@dataclass(frozen=True, slots=True, kw_only=True)
class Right:
    """How many decisions were right, as the accuracy of the same window tells; `why_none` where it tells nothing."""

    accuracy: float | None = None
    low: float | None = None
    high: float | None = None
    bound_low: float | None = None
    bound_high: float | None = None
    labelled: int = 0
    state: str = "mature"
    why_none: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """What a model cost in a window: its GPUs (None: it used none), the training among that, its tokens, and what was had for it.

    `unsampled` says that it has GPUs of which nothing was read: what they cost is not known, and it is not nothing.
    """

    gpu: Usage | None
    unsampled: str = ""
    training: Usage | None = None
    tokens: Fraction | None = None
    token_note: str = ""
    pays_tokens: bool = False
    predictions: int = 0
    sampled: int = 0
    """Of the predictions those of the time in which its GPUs were sampled."""
    right: Right = field(default_factory=Right)
    currency: str = "USD"

    @property
    def total(self) -> Fraction | None:
        """All of it; None while a part has no price, or is not known."""
        if self.unsampled:
            return None
        return _added(self.gpu.cost if self.gpu else Fraction(0), self.tokens if self.pays_tokens else Fraction(0))

    @property
    def priced(self) -> Fraction | None:
        """What has a price of it, which is all where there is a total; None where nothing has."""
        parts = [self.gpu.priced.cost if self.gpu else None, self.tokens if self.pays_tokens else None]
        known = [p for p in parts if p is not None]
        return sum(known, Fraction(0)) if known else self.total

    @property
    def serving(self) -> Fraction | None:
        """What predictions cost: all but training."""
        total, training = self.total, self.training.cost if self.training else Fraction(0)
        return None if total is None or training is None else total - training

    @property
    def of_gpus(self) -> Fraction | None:
        """What the GPUs that served cost in the time that was sampled, None where none did or they have no price."""
        if self.gpu is None or self.gpu.gpu_us == (self.training.gpu_us if self.training else 0):
            return None
        return _added(self.gpu.cost, -self.training.cost if self.training and self.training.cost is not None else Fraction(0))

    @property
    def per_1000(self) -> float | None:
        """The cost of a thousand predictions: GPUs over those of the time that was sampled, tokens over all; None where too few tell."""
        if self.serving is None or not self.predictions or self._too_few:
            return None
        of_tokens = self.serving - (self.of_gpus or Fraction(0))
        each = of_tokens / self.predictions + (self.of_gpus / self.sampled if self.of_gpus is not None else Fraction(0))
        return float(each * 1000)

    @property
    def _too_few(self) -> bool:
        """Whether the predictions of sampled time are so few of all that chance would decide what each costs."""
        return self.of_gpus is not None and self.sampled < min(self.predictions, LEAST_SAMPLED)

    @property
    def divided_by(self) -> str:
        """Which predictions the GPUs' cost is divided by, where these are not all; or why it is divided by none."""
        if self.of_gpus is None or self.sampled == self.predictions or self.gpu is None:
            return ""
        part = f"GPUs were sampled for {percent(self.gpu.coverage)} of the time, in which"
        if self._too_few:
            return f"{part} {self.sampled:,} of {counted(self.predictions, 'prediction')} fall; the cost of one is told from {LEAST_SAMPLED} on"
        return f"{part} {self.sampled:,} of {counted(self.predictions, 'prediction')} fall: GPUs' cost is divided by these"

    @property
    def per_correct(self) -> float | None:
        """The cost of a prediction over the share of predictions that are right."""
        each, share = self.per_1000, self.right.accuracy
        return each / 1000 / share if each is not None and share else None

    @property
    def pricing(self) -> str:
        """The prices that were used, or what is missing for one."""
        return "; ".join(filter(None, (self.unsampled, self.gpu.pricing if self.gpu else "", self.token_note)))

    @property
    def is_synthetic(self) -> bool:
        """Whether it comes from a made-up trace."""
        return self.gpu is not None and self.gpu.is_synthetic


def _added(*parts: Fraction | None) -> Fraction | None:
    return None if any(p is None for p in parts) else sum((p for p in parts if p is not None), Fraction(0))


def right_of(monitor: Monitor, accuracy: Score | None) -> Right:
    """Return how many decisions were right by a window's accuracy; None where it has none."""
    if monitor.task not in ("binary", "multiclass"):
        return Right(why_none=UNDEFINED)
    if monitor.labels is None:
        return Right(why_none="no labels tell which answers were right")
    if accuracy is None:
        return Right(why_none="the window's accuracy is not measured yet")
    if accuracy.value is None:
        return Right(why_none=accuracy.reason or "the window has no accuracy", state=accuracy.state)
    fields = ("low", "high", "bound_low", "bound_high", "state")
    return Right(accuracy=accuracy.value, labelled=accuracy.n, **{f: getattr(accuracy, f) for f in fields})


def method(*, is_synthetic: bool, is_of_tokens: bool = False) -> str:
    """Return the method of a cost score, which tells a made-up trace from a measured one."""
    return _TOKENS if is_of_tokens else f"{_SAMPLED}_synthetic" if is_synthetic else _SAMPLED


def withdrawn(score: Score, now: datetime) -> Score:
    """Return a score without its number, because what it told of counts for something else now."""
    reason = "it is attributed otherwise now"
    return dataclasses.replace(
        score, value=None, bound_low=None, n=0, coverage=None, state="insufficient", reason=reason, revision=score.revision + 1, computed_at=now
    )


def cost_scores(spent: Spent, monitor: Monitor, window: Window, *, now: datetime) -> list[Score]:
    """Return the scores of what a model cost in one window; those without a number say why."""
    of_gpus = (_hours(spent.gpu) | _energy(spent.gpu) | _training(spent)) if spent.gpu else {}
    return [_score(spent, monitor, window, metric, found, now) for metric, found in (of_gpus | _money(spent)).items()]


def share_score(spent: Spent, monitor: Monitor, window: Window, segment: str, share: Fraction, *, now: datetime) -> Score:
    """Return a segment's share of the total cost, shared out by requests, which is an estimate."""
    total = spent.total
    found = _number(spent, None if total is None else float(total * share), spent.currency.lower(), "lower_is_better", why_none=spent.pricing)
    if total is not None:
        found["reason"] = _said(spent, _BY_ROWS)
    return dataclasses.replace(_score(spent, monitor, window, "total_cost", found, now), segment=segment)


def version_scores(spent: Spent, monitor: Monitor, window: Window, *, version: str, estimated_ratio: float, now: datetime) -> list[Score]:
    """Return hours, cost and the cost of a thousand predictions of one version, whose share the caller has found."""
    made = cost_scores(spent, monitor, window, now=now)
    note = f"{percent(estimated_ratio)} of it is {SHARED_OUT}" if estimated_ratio > 0 else ""
    kept = [s for s in made if s.metric in ("gpu_hours", "gpu_cost", "total_cost", "cost_per_1000_predictions")]
    return [dataclasses.replace(s, version=version, reason="; ".join(filter(None, (note, s.reason)))) for s in kept]


def _score(spent: Spent, monitor: Monitor, window: Window, metric: str, found: dict[str, Any], now: datetime) -> Score:
    gpu = spent.gpu
    return Score(
        model=monitor.model,
        environment=monitor.environment,
        metric=metric,
        method=method(is_synthetic=spent.is_synthetic, is_of_tokens=gpu is None),
        window_start=window.start,
        window_end=window.end,
        grain=monitor.window,
        computed_at=now,
        **{"coverage": gpu.coverage if gpu else None, "n": gpu.samples if gpu else spent.predictions} | found,
    )


def _hours(used: Usage) -> dict[str, dict[str, Any]]:
    unseen = "" if used.busy_ratio is not None else "no reading of how busy the GPU was"
    estimated = f"{percent(used.estimated_ratio)} of it is an estimate: a shared host, split by predictions" if used.estimated_ratio else ""
    return {
        "gpu_hours": _number(used, used.gpu_hours, "hours", "none", note=estimated),
        "gpu_busy_ratio": _number(used, used.busy_ratio, "ratio", "none", why_none=unseen),
        "gpu_wasted_ratio": _number(used, used.wasted_ratio, "ratio", "lower_is_better", why_none=unseen),
    }


def _energy(used: Usage) -> dict[str, dict[str, Any]]:
    partly = f"it is known for {percent(used.energy_coverage)} of the sampled time, and is that part's" if used.energy_coverage < 1 else ""
    how = "; ".join(filter(None, (energy_source(used.energy_counted_ratio), partly)))
    of_part = {"coverage": used.coverage * used.energy_coverage}
    energy = _number(used, used.energy_kwh, "kWh", "lower_is_better", note=how, why_none="no reading of the power drawn")
    made = {"gpu_energy_kwh": energy | of_part}
    if used.co2_kg is not None:
        note = "; ".join(filter(None, (used.co2_note, how)))
        made["gpu_co2_kg"] = _number(used, used.co2_kg, "kg", "lower_is_better", note=note) | of_part
    return made


def _training(spent: Spent) -> dict[str, dict[str, Any]]:
    used = spent.training
    if used is None:
        return {}
    cost = None if used.cost is None else float(used.cost)
    return {
        "gpu_training_hours": _number(used, used.gpu_hours, "hours", "none"),
        "gpu_training_cost": _number(used, cost, spent.currency.lower(), "lower_is_better", note=used.pricing, why_none=used.pricing),
    }


def _money(spent: Spent) -> dict[str, dict[str, Any]]:
    unit = spent.currency.lower()
    made: dict[str, dict[str, Any]] = {}

    def money(amount: Fraction | float | None, note: str) -> dict[str, Any]:
        return _number(spent, None if amount is None else float(amount), unit, "lower_is_better", note=note, why_none=note)

    if spent.gpu is not None:
        made["gpu_cost"] = money(spent.gpu.cost, spent.gpu.pricing)
    if spent.pays_tokens:
        made["token_cost"] = money(spent.tokens, spent.token_note)
    made["total_cost"] = money(spent.total, spent.pricing)
    if spent.total is None and spent.priced is not None:
        made["total_cost"]["bound_low"] = float(spent.priced)
    each = money(spent.per_1000, "; ".join(filter(None, (spent.divided_by, spent.pricing))))
    if spent.serving is not None and spent.per_1000 is None:
        each |= {"state": "insufficient", "reason": _said(spent, spent.divided_by if spent.predictions else "no predictions in this window")}
    made["cost_per_1000_predictions"] = each | {"n": spent.predictions if spent.of_gpus is None else spent.sampled}
    made["cost_per_correct_prediction"] = _per_correct(spent, unit)
    return made


def _per_correct(spent: Spent, unit: str) -> dict[str, Any]:
    """Return the cost of a correct prediction; provisional while labels are missing, with its worst cases over these."""
    right, each = spent.right, spent.per_1000
    if spent.serving is None:
        return _number(spent, None, unit, "lower_is_better", why_none=spent.pricing)
    if right.accuracy is None:
        return _number(spent, None, unit, "lower_is_better", why_none=right.why_none)
    if each is None or not right.accuracy:
        why = "no labelled prediction was right" if each is not None else spent.divided_by if spent.predictions else "no predictions in this window"
        return _number(spent, None, unit, "lower_is_better") | {"state": "insufficient", "reason": _said(spent, why)}
    coverage = min(1.0, right.labelled / spent.predictions)
    assumed = f"labels of {percent(coverage)} of the predictions: the others are taken to be right as often" if coverage < 1 else ""
    at = {name: each / 1000 / share if each is not None and share else None for name, share in _ends(right).items()}
    note = "; ".join(filter(None, (spent.divided_by, assumed)))
    found = _number(spent, spent.per_correct, unit, "lower_is_better", note=note)
    return found | at | {"state": right.state, "n": right.labelled, "coverage": coverage}


def _ends(right: Right) -> dict[str, float | None]:
    """Return which share of right answers makes each end of the cost's interval: the more are right, the less each costs."""
    return {"low": right.high, "high": right.low, "bound_low": right.bound_high, "bound_high": right.bound_low}


def _number(of: Usage | Spent, value: float | None, unit: str, direction: str, *, note: str = "", why_none: str = "") -> dict[str, Any]:
    state, reason = ("not_evaluated", why_none) if value is None else ("done", note)
    return {"value": value, "unit": unit, "direction": direction, "state": state, "reason": _said(of, reason)}


def _said(of: Usage | Spent, reason: str) -> str:
    return "; ".join(itertools.chain([SYNTHETIC] if of.is_synthetic else [], [reason] if reason else []))
