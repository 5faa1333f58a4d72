"""Advice: what could be saved on a model, by how much a month, and what is risked. It is shown and never acted on.

Belongs here: what the rules ask, how an answer is made, which of them a digest tells. Does not: the rules (gpu_advice.py, version_advice.py),
gathering the facts (operations/advise.py).

A rule speaks only of what was measured: where something that it needs is not known it says what, and advises nothing. GPUs are to be busy for 70 %
of the busiest hours at most (their 95th percentile), and latency keeps 30 % of its limit. Savings are estimates: the last weeks, at today's way of
spending, on a month of 30.44 days.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Literal

from watchkeeper.judgement.budget import money
from watchkeeper.monitor import Monitor
from watchkeeper.words import counted, percent

Kind = Literal["scale_down", "batch", "smaller_card", "cheaper_version"]
State = Literal["advised", "not advised", "not known"]
DAYS_OF_MONTH = 30.44
LEAST_DAYS = 7
LEAST_SAVED, MATERIAL = 0.05, 0.1
"""Share of a model's cost below which nothing is advised, and below which a digest does not tell it."""
MOSTLY = 0.5
"""Share of an estimate in GPU time beyond which it is no evidence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """One kind of card that a model was served on: hours held, the price of one, and the most memory that any such device had in use."""

    name: str
    gpu_hours: float
    price: float | None
    memory_gb: float | None
    alone_ratio: float = 1.0
    """Share of these cards' sampled time that was the model's, in the windows in which it had any."""
    is_cut: bool = False
    """Whether some of them are cut into slices (MIG)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Alone:
    """Of the GPUs held the whole ones that nobody else used, which alone can be given up: as many and as busy as `Facts` tells of all."""

    devices: float = 0.0
    busy: float | None = None
    busy_peak: float | None = None
    costs_beyond: Sequence[float] = ()
    """What was paid for more than none of them, for more than one, and so on."""


@dataclass(frozen=True, slots=True)
class OfDay:
    """What a version answered on one day, and what a thousand of these predictions cost."""

    predictions: int
    per_1000: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class OfVersion:
    """A version: what it answered each day, and how good it was, with the 95 % interval."""

    version: str
    days: Mapping[date, OfDay] = field(default_factory=dict)
    estimated_ratio: float
    metric: str = ""
    direction: str = ""
    value: float | None = None
    low: float | None = None
    high: float | None = None

    @property
    def predictions(self) -> int:
        """Those of all days."""
        return sum(of.predictions for of in self.days.values())

    @property
    def is_priced(self) -> bool:
        """Whether it is known of any day what its predictions cost."""
        return any(of.per_1000 is not None for of in self.days.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is known of a model's serving over the last weeks; None is not known. Busy GPUs of an hour are those that would do if each were always busy."""

    days: float
    """Days on which its GPUs were read, from the first on: what they tell is taken for the others of a month."""
    days_unread: float = 0.0
    """The others since the first."""
    currency: str
    is_synthetic: bool = False
    cost: float | None = None
    """Of serving on GPUs, training left out."""
    whole_cost: float | None = None
    """Of all that the model cost in the same days: serving, training, tokens. None while a part of it has no price."""
    pricing: str = ""
    is_bound: bool = False
    """Whether some of its GPUs are reserved, or own: given up they cost as much until they serve something else."""
    gpu_hours: float = 0.0
    devices: float = 0.0
    """GPUs held, in the mean of the hours with readings."""
    busy: float | None = None
    busy_peak: float | None = None
    """GPUs that were busy, in the mean and in the busiest hours (95th percentile)."""
    busy_share_peak: float | None = None
    """The busy share of the GPUs that were held, in the busiest hours."""
    alone: Alone = field(default_factory=Alone)
    estimated_ratio: float = 0.0
    predictions: int = 0
    hours_asked: float = 0.0
    """Share of the hours in which anything was asked."""
    peak_to_mean: float | None = None
    """Predictions of the busiest hours (95th percentile) over those of the mean hour."""
    latency_p95: float | None = None
    """Of the slow windows (95th percentile), ms."""
    latency_limit: float | None = None
    held: Sequence[Held] = ()
    offers: Sequence[tuple[str, float]] = ()
    """Cards of the price book in the model's currency, with the price of an hour."""
    versions: Sequence[OfVersion] = ()
    names_versions: bool = False
    answered: Mapping[str, int] = field(default_factory=dict)
    """Version -> rows of the same days, also where nothing is known of their costs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    """One thing that could be done, or why it is not advised; `evidence` holds the numbers it rests on."""

    model: str
    kind: Kind
    state: State
    text: str
    saving_per_month: float | None = None
    share_of_cost: float | None = None
    currency: str
    risk: str = ""
    evidence: Mapping[str, float | str | None] = field(default_factory=dict)
    is_synthetic: bool = False


def in_order(found: Iterable[Advice]) -> list[Advice]:
    """Return advice that is given before what is not, what saves most first."""
    return sorted(found, key=lambda a: (a.state != "advised", -(a.saving_per_month or 0.0)))


def material(found: Sequence[Advice]) -> Advice | None:
    """Return the advice that a digest tells: the one that saves most, where that is at least a tenth of the model's cost; nothing of a made-up trace."""
    return next((a for a in found if a.state == "advised" and (a.share_of_cost or 0.0) >= MATERIAL and not a.is_synthetic), None)


def saving_text(found: Advice) -> str:
    """Return an advice as a digest tells it."""
    return f"about {money(found.saving_per_month)} {found.currency} a month, an estimate: {found.text} Risk: {found.risk} `watchkeeper advise {found.model}` shows the numbers."


@dataclass(frozen=True, slots=True)
class Rule:
    """Makes the answers of one rule, each with the evidence it rests on."""

    monitor: Monitor
    facts: Facts
    kind: Kind
    evidence: Mapping[str, float | str | None]

    def unknown(self, what: str) -> Advice:
        """Say what is missing for an answer."""
        return self._made("not known", f"not known: {what}.")

    def no(self, why: str) -> Advice:
        """Say why nothing is advised."""
        return self._made("not advised", f"{why}.")

    def yes(self, text: str, saved: float, cost: float | None, days: float, risk: str) -> Advice:
        """Advise, with what some days would have cost less, and the cost of the same days that this is a share of, None where that is not known."""
        if self.facts.is_bound and self._is_of_gpus:
            risk += " Some of its GPUs are reserved or own: what is given up goes on costing as much until it serves something else."
        if self.facts.days_unread and self._is_of_gpus:
            text += (
                f" By {counted(round(self.facts.days), 'day')} of readings: on {round(self.facts.days_unread)} more since the first none was taken."
            )
        share = None if cost is None else saved / cost if cost else 0.0
        if share is not None and share < LEAST_SAVED:
            return self.no(f"it would save {percent(max(0.0, share))} of the cost, which is not worth it")
        return self._made("advised", text, saved * DAYS_OF_MONTH / days, share, risk)

    @property
    def _is_of_gpus(self) -> bool:
        return self.kind != "cheaper_version"

    def _made(self, state: State, text: str, saving: float | None = None, share: float | None = None, risk: str = "") -> Advice:
        return Advice(
            model=self.monitor.model,
            kind=self.kind,
            state=state,
            text=text,
            saving_per_month=saving,
            share_of_cost=share,
            currency=self.facts.currency,
            risk=risk,
            evidence={"days": self.facts.days, **({"days_unread": self.facts.days_unread} if self._is_of_gpus else {}), **self.evidence},
            is_synthetic=self.facts.is_synthetic,
        )
