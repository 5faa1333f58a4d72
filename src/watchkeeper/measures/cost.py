"""GPU time into hours, energy, money and scores: sums of whole units first, one division last.

Belongs here: arithmetic on what devices did. Does not: how readings become such rows (adapters/sql/gpu_hours.sql), which
price fits a device (prices.py), which windows are due (operations/costs.py). What no sampler saw is unknown, not idle.
"""

import dataclasses
import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from watchkeeper.measures.prices import Price, price_of
from watchkeeper.monitor import Monitor
from watchkeeper.records import Score
from watchkeeper.windows import Window
from watchkeeper.words import percent

COST_METRICS = ("gpu_hours", "gpu_busy_ratio", "gpu_energy_kwh", "gpu_cost", "cost_per_1000_predictions")
SYNTHETIC = "synthetic trace, not a bill"
_HOUR_US = 3_600_000_000
_KWH_UJ = 3_600_000_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """What one device did for one model (None: unattributed) in one window; `_us` microseconds, `_uj` microjoules."""

    window_start: datetime
    host: str
    device_uuid: str
    device_name: str
    model: str | None
    is_synthetic: bool
    samples: int
    sampled_us: int
    busy_known_us: int
    busy_us: int
    energy_known_us: int
    energy_uj: int
    device_us: int
    """Sampled time of the device in the window, for whichever model."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """The sum of some uses in one window, with its price; what could not be known is None."""

    is_synthetic: bool
    samples: int
    gpu_hours: float
    busy_ratio: float | None
    energy_kwh: float | None
    energy_coverage: float
    coverage: float
    cost: Decimal | None
    currency: str
    pricing: str
    """The prices that were used; without a cost, what is missing for one."""


def usage(uses: Sequence[Use], window: Window, book: Sequence[Price] | str, currency: str) -> Usage:
    """Return the sum of uses of one window; `book` is the price book, or the reason why there is none."""
    sampled, busy_known, energy_known = (sum(getattr(u, f) for u in uses) for f in ("sampled_us", "busy_known_us", "energy_known_us"))
    cost, pricing = charge(uses, book, currency)
    return Usage(
        is_synthetic=any(u.is_synthetic for u in uses),
        samples=sum(u.samples for u in uses),
        gpu_hours=sampled / _HOUR_US,
        busy_ratio=sum(u.busy_us for u in uses) / busy_known if busy_known else None,
        energy_kwh=sum(u.energy_uj for u in uses) / _KWH_UJ if energy_known else None,
        energy_coverage=energy_known / sampled if sampled else 0.0,
        coverage=_coverage(uses, window),
        cost=cost,
        currency=currency,
        pricing=pricing,
    )


def charge(uses: Iterable[Use], book: Sequence[Price] | str, currency: str) -> tuple[Decimal | None, str]:
    """Return what some uses cost and the prices used; (None, why) when any device has no price."""
    if isinstance(book, str):
        return None, book
    by_name: dict[str, int] = {}
    for use in uses:
        by_name[use.device_name] = by_name.get(use.device_name, 0) + use.sampled_us
    quotes = {name: price_of(name, book, currency) for name in sorted(by_name)}
    missing = [quote for quote in quotes.values() if isinstance(quote, str)]
    if missing:
        return None, "; ".join(missing)
    amount = sum((by_name[name] * quote.price for name, quote in quotes.items() if isinstance(quote, Price)), Decimal(0))
    return amount / _HOUR_US, "; ".join(f"{name} at {quote}" for name, quote in quotes.items())


def per_1000(cost: Decimal | None, predictions: int) -> float | None:
    """Return the cost of a thousand predictions, None when either side is not known or there were none."""
    return float(cost * 1000 / predictions) if cost is not None and predictions else None


def _coverage(uses: Sequence[Use], window: Window) -> float:
    devices = {(u.host, u.device_uuid, u.is_synthetic): u.device_us for u in uses}
    span = (window.end - window.start).total_seconds() * 1e6
    return sum(devices.values()) / (len(devices) * span) if devices else 0.0


def method(*, is_synthetic: bool) -> str:
    """Return the method of a cost score, which tells a made-up trace from a measured one."""
    return "gpu_samples_synthetic" if is_synthetic else "gpu_samples"


def withdrawn(score: Score, now: datetime) -> Score:
    """Return a score without its number, because its readings count for another model now."""
    reason = "its GPU readings belong to another model now"
    return dataclasses.replace(
        score, value=None, n=0, coverage=None, state="insufficient", reason=reason, revision=score.revision + 1, computed_at=now
    )


def cost_scores(used: Usage, monitor: Monitor, window: Window, *, predictions: int, now: datetime) -> list[Score]:
    """Return the five scores of a model's GPUs in one window; those without a number say why."""
    found = _hours(used) | _energy(used) | _money(used, predictions)
    return [
        Score(
            model=monitor.model,
            environment=monitor.environment,
            metric=metric,
            method=method(is_synthetic=used.is_synthetic),
            window_start=window.start,
            window_end=window.end,
            grain=monitor.window,
            computed_at=now,
            **{"coverage": used.coverage, "n": used.samples} | found[metric],
        )
        for metric in COST_METRICS
    ]


def _hours(used: Usage) -> dict[str, dict[str, Any]]:
    unseen = "" if used.busy_ratio is not None else "no reading of how busy the GPU was"
    return {
        "gpu_hours": _number(used, used.gpu_hours, "hours", "none"),
        "gpu_busy_ratio": _number(used, used.busy_ratio, "ratio", "none", why_none=unseen),
    }


def _energy(used: Usage) -> dict[str, dict[str, Any]]:
    partly = (
        f"power was read for {percent(used.energy_coverage)} of the sampled time, and the energy is that part's" if used.energy_coverage < 1 else ""
    )
    energy = _number(used, used.energy_kwh, "kWh", "lower_is_better", note=partly, why_none="no reading of the power drawn")
    return {"gpu_energy_kwh": energy | {"coverage": used.coverage * used.energy_coverage}}


def _money(used: Usage, predictions: int) -> dict[str, dict[str, Any]]:
    unit = used.currency.lower()
    cost = None if used.cost is None else float(used.cost)
    each = _number(used, per_1000(used.cost, predictions), unit, "lower_is_better", note=used.pricing, why_none=used.pricing)
    if used.cost is not None and not predictions:
        each |= {"state": "insufficient", "reason": _said(used, "no predictions in this window")}
    return {
        "gpu_cost": _number(used, cost, unit, "lower_is_better", note=used.pricing, why_none=used.pricing),
        "cost_per_1000_predictions": each | {"n": predictions},
    }


def _number(used: Usage, value: float | None, unit: str, direction: str, *, note: str = "", why_none: str = "") -> dict[str, Any]:
    state, reason = ("not_evaluated", why_none) if value is None else ("done", note)
    return {"value": value, "unit": unit, "direction": direction, "state": state, "reason": _said(used, reason)}


def _said(used: Usage, reason: str) -> str:
    return "; ".join(itertools.chain([SYNTHETIC] if used.is_synthetic else [], [reason] if reason else []))
