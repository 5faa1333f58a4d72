"""What a period cost, as a digest tells it: one line for what everybody asks, and one for what is behind it.

Belongs here: figures -> words. Does not: gathering them (operations/digest_costs.py), the digest's other lines (digest.py).
"""

from collections.abc import Sequence
from dataclasses import dataclass

from watchkeeper.judgement.budget import Outlook
from watchkeeper.measures.gpu_use import energy_source
from watchkeeper.words import listed, number_text, percent, version_text

_NAMED = 3
_ALL = 0.995
"""Share of a period from which on its GPUs count as sampled throughout."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spending:
    """What a model cost in a period, and what else the GPUs of the workspace did in it; None where it is not known."""

    gpu_hours: float
    currency: str = "USD"
    is_synthetic: bool = False
    total_cost: float | None = None
    priced_cost: float | None = None
    """What is known of a cost that is not known as a whole."""
    unpriced_hours: float = 0.0
    """GPU-hours without a price, which are in no cost."""
    unknown_because: str = ""
    """Where nothing is known of the cost, why, and what to add."""
    lacks_tokens: bool = False
    """Whether tokens have no price, and are in no cost."""
    per_1000: float | None = None
    per_correct: float | None = None
    is_provisional: bool = False
    """Whether labels are missing that tell which predictions were correct."""
    busy_ratio: float | None = None
    wasted_ratio: float | None = None
    coverage: float | None = None
    """Share of the period in which its GPUs were sampled."""
    energy_kwh: float | None = None
    energy_counted_ratio: float | None = None
    """Share of the energy that the GPUs' own counters told."""
    co2_kg: float | None = None
    training_hours: float = 0.0
    training_cost: float | None = None
    token_cost: float | None = None
    estimated_ratio: float = 0.0
    team: str = ""
    versions: Sequence[tuple[str, float]] = ()
    segments: Sequence[tuple[str, float]] = ()
    """The dearest, with their cost."""
    idle_hours: float = 0.0
    unattributed_hours: float = 0.0
    """Of all GPUs of the workspace: that nobody held, that no model accounts for."""
    every_hours: float = 0.0
    outlook: Outlook | None = None
    """The month beside its budget, as it was when the period was over."""
    advice: str = ""
    """What could be saved, where that is material."""


def cost_text(found: Spending) -> str:
    """Return what the period cost.

    >>> cost_text(Spending(gpu_hours=12.5, total_cost=30.0, per_1000=4.6, per_correct=0.00542))
    '12.5 GPU-hours, 30.00 USD, 4.60 USD per 1,000 predictions, 0.00542 USD per correct one.'
    >>> cost_text(Spending(gpu_hours=252, priced_cost=153.4, unpriced_hours=98))
    '252 GPU-hours, 153.40 USD without 98.0 GPU-hours that have no price.'
    >>> cost_text(Spending(gpu_hours=252, priced_cost=153.4, unpriced_hours=98, lacks_tokens=True))
    '252 GPU-hours, 153.40 USD without 98.0 GPU-hours and tokens that have no price.'
    >>> cost_text(Spending(gpu_hours=0, unknown_because="no token price for 'some-llm' in USD: add a line for it"))
    "not known: no token price for 'some-llm' in USD: add a line for it."
    """
    said = [f"{number_text(found.gpu_hours)} GPU-hours"] if found.gpu_hours else []
    said += [_total(found)]
    said += [f"{number_text(found.per_1000, found.currency)} per 1,000 predictions"] if found.per_1000 is not None else []
    still = " (provisional)" if found.is_provisional else ""
    said += [f"{number_text(found.per_correct, found.currency)} per correct one{still}"] if found.per_correct is not None else []
    return ", ".join(said) + "."


def _total(found: Spending) -> str:
    if found.total_cost is not None:
        return number_text(found.total_cost, found.currency)
    if found.priced_cost is None:
        cost = "cost not known" if found.gpu_hours else "not known"
        return f"{cost}: {found.unknown_because}" if found.unknown_because else cost
    lacking = [f"{number_text(found.unpriced_hours)} GPU-hours"] if found.unpriced_hours else []
    lacking += ["tokens"] if found.lacks_tokens else []
    known = number_text(found.priced_cost, found.currency)
    return f"{known} without {listed(lacking)} that have no price" if lacking else f"at least {known}"  # GPUs that nobody read


def behind_text(found: Spending) -> str:
    """Return what is behind the cost: how GPUs were used, training and tokens, energy, parts, and what no model had.

    >>> behind_text(Spending(gpu_hours=8, busy_ratio=.3, wasted_ratio=.125, energy_kwh=2.5, co2_kg=1.0, versions=[("2", 20.0), ("3", 10.0)]))
    'GPUs busy 30 % of the time, nothing ran in 12 %; 2.50 kWh, 1.00 kg of CO2. By version: version 2 20.00 USD, version 3 10.00 USD.'
    """
    lines = [
        _sampled(found),
        "; ".join(filter(None, (_use(found), _energy(found)))),
        _money(found),
        _parts("By version", [(version_text(name), cost) for name, cost in found.versions], found.currency),
        _parts("By segment, an estimate", found.segments, found.currency),
        f"Team: {found.team}" if found.team and (found.total_cost or found.gpu_hours) else "",
        _of_others(found),
    ]
    return " ".join(f"{line}." for line in lines if line)


def _sampled(found: Spending) -> str:
    if found.coverage is None or found.coverage >= _ALL:
        return ""
    return f"GPUs were sampled for {percent(found.coverage)} of the time, and the rest is in no sum"


def _use(found: Spending) -> str:
    if found.busy_ratio is None:
        return ""
    wasted = f", nothing ran in {percent(found.wasted_ratio)}" if found.wasted_ratio is not None else ""
    shared = f"; {percent(found.estimated_ratio)} of the hours are an estimate" if found.estimated_ratio else ""
    return f"GPUs busy {percent(found.busy_ratio)} of the time{wasted}{shared}"


def _energy(found: Spending) -> str:
    if found.energy_kwh is None:
        return ""
    source = energy_source(found.energy_counted_ratio)
    known = f"{number_text(found.energy_kwh, 'kWh')}" + (f" ({source})" if source else "")
    return known + (f", {number_text(found.co2_kg)} kg of CO2" if found.co2_kg is not None else "")


def _money(found: Spending) -> str:
    said = [f"training {number_text(found.training_hours)} GPU-hours"] if found.training_hours else []
    said[-1:] = [f"{s}, {number_text(found.training_cost, found.currency)}" if found.training_cost is not None else s for s in said]
    said += [f"tokens {number_text(found.token_cost, found.currency)}"] if found.token_cost is not None else []
    return f"Of it {'; '.join(said)}" if said else ""


def _parts(label: str, parts: Sequence[tuple[str, float]], currency: str) -> str:
    if len(parts) < 2:  # noqa: PLR2004 - one part is the whole
        return ""
    named = ", ".join(f"{name} {number_text(cost, currency)}" for name, cost in parts[:_NAMED])
    return f"{label}: {named}" + (f" and {len(parts) - _NAMED} more" if len(parts) > _NAMED else "")


def _of_others(found: Spending) -> str:
    said = [
        f"{number_text(hours)} ({percent(hours / found.every_hours)}) {what}"
        for hours, what in ((found.idle_hours, "idle"), (found.unattributed_hours, "unattributed"))
        if hours and found.every_hours
    ]
    return f"Of the workspace's {number_text(found.every_hours)} GPU-hours: {', '.join(said)}" if said else ""
