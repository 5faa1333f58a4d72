"""Advice: what a model could be had for, what that would save a month, and what is risked. It is shown and never acted on.

Belongs here: the rules, their limits and words. Does not: gathering the evidence (operations/advise.py), what cards can do (measures/gpu_cards.py).

A rule speaks only of what was measured: where something that it needs is not known it says what, and advises nothing. GPUs are to be busy for 70 %
of the busiest hours at most (their 95th percentile), and latency keeps 30 % of its limit. Savings are estimates: the last weeks, at today's way of
spending, on a month of 30.44 days.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from watchkeeper.judgement.budget import money
from watchkeeper.judgement.policy import rules_of
from watchkeeper.measures.gpu_cards import Card, card_of, slower_by
from watchkeeper.monitor import Monitor
from watchkeeper.words import metric_text, number_text, percent

Kind = Literal["scale_down", "batch", "smaller_card", "cheaper_version"]
State = Literal["advised", "not advised", "not known"]
DAYS_OF_MONTH = 30.44
LEAST_DAYS = 7
MOST_BUSY, MOST_OF_LIMIT, MOST_OF_MEMORY = 0.7, 0.7, 0.8
LEAST_SAVED, MATERIAL = 0.05, 0.1
"""Share of a model's cost below which nothing is advised, and below which a digest does not tell it."""
LEAST_OF_VERSION = 1000
_SHARED, _CHEAPER = 0.5, 0.9
_GB = 1e9


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """One kind of card that a model was served on: hours held, the price of one, and the most memory that any such device had in use."""

    name: str
    gpu_hours: float
    price: float | None
    memory_gb: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class OfVersion:
    """A version: what a thousand of its predictions cost, and how good it was, with the 95 % interval."""

    version: str
    predictions: int
    per_1000: float | None
    estimated_ratio: float
    metric: str = ""
    direction: str = ""
    value: float | None = None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is known of a model's serving over the last weeks; None is not known. Busy GPUs of an hour are those that would do if each were always busy."""

    days: float
    currency: str
    is_synthetic: bool = False
    cost: float | None = None
    """Of serving on GPUs, training left out."""
    pricing: str = ""
    gpu_hours: float = 0.0
    devices: float = 0.0
    """GPUs held, in the mean of the hours with readings."""
    busy: float | None = None
    busy_peak: float | None = None
    """GPUs that were busy, in the mean and in the busiest hours (95th percentile)."""
    busy_share_peak: float | None = None
    """The busy share of the GPUs that were held, in the busiest hours."""
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

    @property
    def per_month(self) -> float:
        """By what the sum of these days is multiplied to be that of a month."""
        return DAYS_OF_MONTH / self.days if self.days else 0.0


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


def advice(monitor: Monitor, facts: Facts) -> list[Advice]:
    """Return what each rule says, those that save most first."""
    made = [_scale_down(monitor, facts), _batch(monitor, facts), _smaller_card(monitor, facts), _cheaper_version(monitor, facts)]
    return sorted(made, key=lambda a: (a.state != "advised", -(a.saving_per_month or 0.0)))


def material(found: Sequence[Advice]) -> Advice | None:
    """Return the advice that a digest tells: the one that saves most, where that is at least a tenth of the model's cost; nothing of a made-up trace."""
    return next((a for a in found if a.state == "advised" and (a.share_of_cost or 0.0) >= MATERIAL and not a.is_synthetic), None)


def saving_text(found: Advice) -> str:
    """Return an advice as a digest tells it."""
    return f"about {money(found.saving_per_month)} {found.currency} a month, an estimate: {found.text} Risk: {found.risk} `watchkeeper advise {found.model}` shows the numbers."


@dataclass(frozen=True, slots=True)
class _Rule:
    """Makes the answers of one rule."""

    monitor: Monitor
    facts: Facts
    kind: Kind
    evidence: Mapping[str, float | str | None]

    def unknown(self, what: str) -> Advice:
        return self._made("not known", f"not known: {what}.")

    def no(self, why: str) -> Advice:
        return self._made("not advised", f"{why}.")

    def yes(self, text: str, saved: float, risk: str) -> Advice:
        """Advise, with what the days looked at would have cost less."""
        facts, month = self.facts, saved * self.facts.per_month
        share = saved / facts.cost if facts.cost else None
        if share is not None and share < LEAST_SAVED:
            return self.no(f"it would save {percent(max(0.0, share))} of the cost, which is not worth it")
        return self._made("advised", text, month, share, risk)

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
            evidence={"days": self.facts.days, **self.evidence},
            is_synthetic=self.facts.is_synthetic,
        )


def _of_gpus(facts: Facts) -> str:
    """Say what is missing for any advice about GPUs; empty where nothing is."""
    if not facts.gpu_hours:
        return "no reading of a GPU that served this model: `watchkeeper sample-gpus` takes them"
    if facts.days < LEAST_DAYS:
        return f"{LEAST_DAYS} days of GPU readings are needed, {facts.days:.0f} are there"
    if facts.busy is None or facts.busy_peak is None or facts.busy_share_peak is None:
        return "no reading of how busy its GPUs were"
    if facts.estimated_ratio > _SHARED:
        return f"{percent(facts.estimated_ratio)} of its GPU time is an estimate, shared out by predictions: sample by process"
    return "" if facts.cost is not None else facts.pricing or "no price"


def _latency(facts: Facts) -> str:
    """Say what is missing to know how much slower answers may become; empty where nothing is."""
    if facts.latency_p95 is None:
        return "how long answers take is not measured: it needs `columns.latency`"
    return "" if facts.latency_limit is not None else "how long answers may take is not said: it needs `service.latency_limit`"


def _has_room(facts: Facts, slower: float = 1.0) -> bool:
    return facts.latency_p95 is not None and facts.latency_limit is not None and facts.latency_p95 * slower <= MOST_OF_LIMIT * facts.latency_limit


def _of_limit(facts: Facts) -> str:
    return f"latency p95 is {number_text(facts.latency_p95, 'ms')} of {number_text(facts.latency_limit, 'ms')}"


def _scale_down(monitor: Monitor, facts: Facts) -> Advice:
    rule = _Rule(
        monitor,
        facts,
        "scale_down",
        {
            "gpus_held": facts.devices,
            "gpus_busy": facts.busy,
            "gpus_busy_peak": facts.busy_peak,
            "latency_p95_ms": facts.latency_p95,
            "latency_limit_ms": facts.latency_limit,
            "cost": facts.cost,
        },
    )
    if missing := _of_gpus(facts):
        return rule.unknown(missing)
    held, needed = round(facts.devices), max(1, math.ceil((facts.busy_peak or 0.0) / MOST_BUSY - 1e-9))
    if held < 2:  # noqa: PLR2004 - one GPU cannot become fewer
        return rule.no(f"{number_text(facts.devices)} GPUs are held in the mean: there is none to do without")
    if needed >= held:
        return rule.no(f"in the busiest hours {number_text(facts.busy_peak)} of {held} GPUs are busy")
    if missing := _latency(facts):
        return rule.unknown(f"{missing}. By how busy they are {needed} of {held} GPUs would do")
    if not _has_room(facts):
        return rule.no(f"{_of_limit(facts)}: there is no room for queues")
    text = f"hold {needed} of {held} GPUs: in the busiest hours {number_text(facts.busy_peak)} are busy, and {_of_limit(facts)}."
    risk = f"the busiest hours load {percent((facts.busy_peak or 0.0) / needed)} of what is left: a burst beyond them queues, and one GPU that fails takes more with it."
    return rule.yes(text, (facts.cost or 0.0) * (1 - needed / facts.devices), risk)


def _batch(monitor: Monitor, facts: Facts) -> Advice:
    rule = _Rule(
        monitor,
        facts,
        "batch",
        {
            "gpus_held": facts.devices,
            "gpus_busy": facts.busy,
            "hours_with_requests_ratio": facts.hours_asked,
            "peak_to_mean_predictions": facts.peak_to_mean,
            "latency_limit_ms": facts.latency_limit,
            "cost": facts.cost,
        },
    )
    if missing := _of_gpus(facts):
        return rule.unknown(missing)
    if not facts.predictions or facts.peak_to_mean is None:
        return rule.unknown("when requests arrive: no predictions have landed")
    if facts.latency_limit is not None:
        return rule.no(
            f"answers are promised within {number_text(facts.latency_limit, 'ms')} (`service.latency_limit`), so requests cannot wait for a run"
        )
    share = (facts.busy or 0.0) / facts.devices / MOST_BUSY
    if share >= _SHARED:
        return rule.no(
            f"GPUs are busy for {percent((facts.busy or 0.0) / facts.devices)} of the time they are held: runs would hold them nearly as long"
        )
    a_day = facts.gpu_hours / facts.days
    text = (
        f"answer requests in runs, once a day say: {number_text(a_day * share)} GPU-hours a day would do, {number_text(a_day)} are held. Requests come in "
        f"{percent(facts.hours_asked)} of the hours, in the busiest {number_text(facts.peak_to_mean)} times as many as in the mean."
    )
    risk = "each answer waits for the next run; whether anybody waits for it is measured nowhere."
    return rule.yes(text, (facts.cost or 0.0) * (1 - share), risk)


def _smaller_card(monitor: Monitor, facts: Facts) -> Advice:
    main = max(facts.held, key=lambda h: h.gpu_hours, default=None)
    card = card_of(main.name) if main else None
    known: dict[str, float | str | None] = {
        "card": main.name if main else None,
        "price": main.price if main else None,
        "memory_used_gb": main.memory_gb if main else None,
        "busy_ratio_peak": facts.busy_share_peak,
        "latency_p95_ms": facts.latency_p95,
        "latency_limit_ms": facts.latency_limit,
    }
    rule = _Rule(monitor, facts, "smaller_card", known)
    if missing := _of_gpus(facts):
        return rule.unknown(missing)
    if main is None or card is None:
        return rule.unknown(f"what {main.name if main else 'its card'} can do is not in the table of cards")
    if main.memory_gb is None or main.price is None:
        return rule.unknown("no reading of the memory in use" if main.memory_gb is None else "its card has no price")
    cheaper = sorted((price, name, there) for name, price in facts.offers if price < main.price and (there := card_of(name)) is not None)
    fitting = [(price, name, slower_by(card, there)) for price, name, there in cheaper if _fits(facts, main, card, there)]
    if not fitting:
        many = f"none of the {len(cheaper)} cheaper cards of the price book" if cheaper else "no card of the price book is cheaper and known, so none"
        return rule.no(f"{many} would hold {main.memory_gb:.1f} GB and its load ({percent(facts.busy_share_peak)} busy in the busiest hours)")
    price, name, slower = fitting[0]
    told = _Rule(monitor, facts, "smaller_card", {**known, "to_card": name, "to_price": price, "slower_by_at_most": slower})
    text = (
        f"serve on {name} at {money(price)} {facts.currency} an hour in the place of {main.name} at {money(main.price)}: at most {main.memory_gb:.1f} GB of memory "
        f"were in use, and in the busiest hours it would be busy for {percent((facts.busy_share_peak or 0.0) * slower)} of the time at most."
    )
    by_latency = f"{_of_limit(facts)} now" if not _latency(facts) else "nothing tells how much slower answers may be"
    risk = f"by the data sheets the same work takes up to {number_text(slower)} times as long; {by_latency}. Try it on a part of the traffic first."
    return told.yes(text, main.gpu_hours * (main.price - price), risk)


def _fits(facts: Facts, main: Held, card: Card, other: Card) -> bool:
    """Tell whether another card has the memory, the speed and, where a limit says so, the latency."""
    slower = slower_by(card, other)
    has_room = facts.latency_limit is None or facts.latency_p95 is None or facts.latency_p95 * slower <= facts.latency_limit
    return (main.memory_gb or 0.0) <= MOST_OF_MEMORY * other.memory_gb and (facts.busy_share_peak or 0.0) * slower <= MOST_BUSY and has_room


def _cheaper_version(monitor: Monitor, facts: Facts) -> Advice:
    many = sorted((v for v in facts.versions if v.version and v.predictions >= LEAST_OF_VERSION), key=lambda v: -v.predictions)
    rule = _Rule(monitor, facts, "cheaper_version", {})
    if not facts.names_versions:
        return rule.unknown("versions are not told apart: it needs `columns.version`")
    if len(many) < 2:  # noqa: PLR2004 - one has nothing beside it
        return rule.no(f"no two versions answered {LEAST_OF_VERSION:,} requests each in the last weeks")
    now, others = many[0], [v for v in many[1:] if v.per_1000 is not None]
    if now.per_1000 is None or not others:
        return rule.unknown("what predictions of each version cost")
    if max(v.estimated_ratio for v in (now, *others)) > _SHARED:
        return rule.unknown("the cost of versions is shared out by their predictions: no reading says which version a GPU served")
    cheaper = [v for v in others if (v.per_1000 or 0.0) < _CHEAPER * now.per_1000]
    if not cheaper:
        return rule.no(f"no version is cheaper by a tenth than {now.version}, at {money(now.per_1000)} {facts.currency} per 1,000 predictions")
    if now.value is None or all(v.value is None for v in cheaper):
        return rule.unknown("how good each version is: no final labels of both")
    tolerance = _tolerance(monitor, now)
    good = [(v, worse) for v in cheaper if (worse := _worse_at_most(now, v)) is not None and worse <= tolerance]
    if not good:
        return rule.no(f"no cheaper version is surely as good as {now.version}, to within {number_text(tolerance)} of {metric_text(now.metric)}")
    best, worse = min(good, key=lambda pair: pair[0].per_1000 or 0.0)
    told = _Rule(
        monitor,
        facts,
        "cheaper_version",
        {
            "version": now.version,
            "cost_per_1000_predictions": now.per_1000,
            "to_version": best.version,
            "to_cost_per_1000_predictions": best.per_1000,
            "metric": now.metric,
            "value": now.value,
            "to_value": best.value,
            "worse_by_at_most": worse,
        },
    )
    text = (
        f"let version {best.version} answer what {now.version} does: {money(best.per_1000)} against {money(now.per_1000)} {facts.currency} per 1,000 predictions, with "
        f"{metric_text(now.metric)} {number_text(best.value, beside=[now.value])} against {number_text(now.value, beside=[best.value])}."
    )
    risk = f"it may be worse by {number_text(max(0.0, worse))} (95 %), and the two did not answer the same requests: `watchkeeper versions {monitor.model} {now.version} {best.version}` compares them closer."
    return told.yes(text, now.predictions / 1000 * (now.per_1000 - (best.per_1000 or 0.0)), risk)


def _tolerance(monitor: Monitor, now: OfVersion) -> float:
    """Return by how much a version may be worse and still be called as good: the change of its KPI that is no matter to an alarm either."""
    rule = next((r for r in rules_of(monitor) if r.metric == now.metric), None)
    return 0.0 if rule is None else rule.tolerance * (abs(now.value or 0.0) if rule.is_relative else 1.0)


def _worse_at_most(now: OfVersion, other: OfVersion) -> float | None:
    """Return by how much another version is worse at most (95 %), None where an interval or a direction is missing."""
    ends = (now.value, now.low, now.high, other.value, other.low, other.high)
    if any(e is None for e in ends) or now.direction not in ("higher_is_better", "lower_is_better", "closer_to_zero"):
        return None
    value, low, high, other_value, other_low, other_high = (float(e or 0.0) for e in ends)
    wide = math.hypot((high - low) / 2, (other_high - other_low) / 2)
    if now.direction == "closer_to_zero":
        return abs(other_value) - abs(value) + wide
    return (value - other_value if now.direction == "higher_is_better" else other_value - value) + wide
