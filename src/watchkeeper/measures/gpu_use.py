"""GPU time into hours, energy, CO2 and money: sums of whole units first, one division last.

Belongs here: arithmetic on what GPUs did for somebody. Does not: how readings become such rows (adapters/sql/gpu_hours.sql), which price fits a
device (prices.py), scores (cost.py). What no sampler saw is unknown, not idle.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from fractions import Fraction
from typing import Literal

from watchkeeper.measures.prices import BOOK, Price, Quotes
from watchkeeper.windows import Window
from watchkeeper.words import percent

Account = Literal["model", "unattributed", "idle"]
TRAINING = "training"
IDLE, BY_REQUESTS = "idle", "requests"
_HOUR_US = 3_600_000_000
_KWH_UJ = 3_600_000_000_000
_KG = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """What one GPU did for one model (None: for none that is known) in one window, in one way of knowing it; `_us` microseconds, `_uj` microjoules.

    Time is that of whole GPUs: of a MIG slice its fraction counts.
    """

    window_start: datetime
    priced_on: date
    host: str
    device_uuid: str
    device_name: str
    model: str | None
    version: str = ""
    team: str = ""
    purpose: str = "serving"
    how: str = ""
    """How the model is known: process, container, environment, sampler (told with --model), host or requests; else unattributed or idle."""
    is_synthetic: bool
    samples: int
    sampled_us: int
    busy_known_us: int
    busy_us: int
    still_us: int = 0
    """Time of readings in which nothing ran at all."""
    energy_known_us: int
    energy_uj: int
    energy_counted_uj: int = 0
    """Of the energy what the driver's own counter told; the rest is power times time."""
    device_us: int
    """Sampled time of the GPU in the window, for whomever."""

    @property
    def account(self) -> Account:
        """On which account it goes: that of a model, of what no model accounts for, or of what nobody held."""
        return "model" if self.model is not None else "idle" if self.how == IDLE else "unattributed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """The sum of some uses in one window, with its price; what could not be known is None."""

    is_synthetic: bool
    samples: int
    gpu_us: int
    busy_ratio: float | None
    wasted_ratio: float | None
    """Share of the time held in whose readings nothing ran."""
    energy_kwh: float | None
    energy_coverage: float
    energy_counted_ratio: float | None
    """Share of the energy that the driver's own counter told; the rest is an estimate."""
    co2_kg: float | None
    co2_note: str
    """The factors that were used; without CO2, what is missing for it."""
    coverage: float
    estimated_ratio: float
    """Share of the time that is an estimate: split by requests."""
    priced: "Priced"
    """What has a price, which is all of it where there is a cost."""

    @property
    def gpu_hours(self) -> float:
        """Hours of whole GPUs."""
        return self.gpu_us / _HOUR_US

    @property
    def cost(self) -> Fraction | None:
        """The cost of all of it, None while a part has no price."""
        return self.priced.whole

    @property
    def pricing(self) -> str:
        """The prices that were used; without a cost, what is missing for one."""
        return self.priced.missing or self.priced.prices


@dataclass(frozen=True, slots=True, kw_only=True)
class Priced:
    """The part of some uses that has a price: its cost, None where none has one, the prices used, and the time without one with the reasons."""

    cost: Fraction | None
    prices: str
    missing_us: int = 0
    missing: str = ""

    @property
    def whole(self) -> Fraction | None:
        """The cost, None when any device has no price."""
        return None if self.missing else self.cost


def usage(uses: Sequence[Use], window: Window, quote: Quotes) -> Usage:
    """Return the sum of uses of one window, at the prices of `quote`."""
    sampled, busy_known, energy_known, energy = (
        sum(getattr(u, f) for u in uses) for f in ("sampled_us", "busy_known_us", "energy_known_us", "energy_uj")
    )
    co2_kg, co2_note = _co2(uses, quote)
    return Usage(
        is_synthetic=any(u.is_synthetic for u in uses),
        samples=sum(u.samples for u in uses),
        gpu_us=sampled,
        busy_ratio=sum(u.busy_us for u in uses) / busy_known if busy_known else None,
        wasted_ratio=sum(u.still_us for u in uses) / busy_known if busy_known else None,
        energy_kwh=energy / _KWH_UJ if energy_known else None,
        energy_coverage=energy_known / sampled if sampled else 0.0,
        energy_counted_ratio=sum(u.energy_counted_uj for u in uses) / energy if energy else None,
        co2_kg=co2_kg,
        co2_note=co2_note,
        coverage=_coverage(uses, window),
        estimated_ratio=sum(u.sampled_us for u in uses if u.how == BY_REQUESTS) / sampled if sampled else 0.0,
        priced=priced(uses, quote),
    )


def priced(uses: Iterable[Use], quote: Quotes) -> Priced:
    """Return what the uses of devices with a price cost, exactly, and how long the others were held."""
    held: dict[tuple[str, str, date], int] = {}
    for use in uses:
        place = (use.device_name, use.host, use.priced_on)
        held[place] = held.get(place, 0) + use.sampled_us
    found = {place: quote(*place) for place in sorted(held)}
    missing = dict.fromkeys(price for price in found.values() if isinstance(price, str))
    amounts = [us * Fraction(price.price) for place, us in held.items() if isinstance(price := found[place], Price)]
    return Priced(
        cost=sum(amounts, Fraction(0)) / _HOUR_US if amounts or not missing else None,
        prices="; ".join(dict.fromkeys(f"{name} at {price}" for (name, _, _), price in found.items() if isinstance(price, Price))),
        missing_us=sum(us for place, us in held.items() if isinstance(found[place], str)),
        missing="; ".join(missing),
    )


def _co2(uses: Sequence[Use], quote: Quotes) -> tuple[float | None, str]:
    """Return the CO2 of the energy drawn, and the factors used; None, with the reason, where a line has no factor."""
    grams, said = Fraction(0), dict[str, None]()
    for use in uses:
        price = quote(use.device_name, use.host, use.priced_on)
        if isinstance(price, str):
            return None, price
        if price.co2_g_per_kwh is None:
            return None, f"no CO2 factor for {use.device_name!r}: give line {price.line} of {BOOK} a `co2_g_per_kwh`"
        grams += Fraction(use.energy_uj, _KWH_UJ) * Fraction(price.pue or Decimal(1)) * Fraction(price.co2_g_per_kwh)
        building = f"PUE {price.pue}" if price.pue else "without the building's own, no PUE is given"
        said[f"{price.co2_g_per_kwh} g of CO2 per kWh {price.region}".rstrip() + f", {building}"] = None
    if not any(u.energy_known_us for u in uses):
        return None, "no reading of the power drawn"
    return float(grams / _KG), "; ".join(said)


def energy_source(counted_ratio: float | None) -> str:
    """Return how an energy is known, by the share of it that counters told; empty where it is not known.

    >>> energy_source(1.0), energy_source(0.0), energy_source(0.62)
    ("by the GPUs' energy counters", 'an estimate: power times time', "62 % by the GPUs' energy counters, the rest an estimate: power times time")
    """
    counted, estimated = "by the GPUs' energy counters", "an estimate: power times time"
    if counted_ratio is None:
        return ""
    return counted if counted_ratio >= 1 else f"{percent(counted_ratio)} {counted}, the rest {estimated}" if counted_ratio > 0 else estimated


def shared_out(total: int, weights: Sequence[int | Fraction]) -> list[int]:
    """Return whole parts of a total in proportion to some weights (largest remainders), whose sum is the total; equal ones without any weight.

    >>> shared_out(100, [1, 1, 1]), shared_out(7, [5, 0, 2]), shared_out(5, [0, 0])
    ([34, 33, 33], [5, 0, 2], [3, 2])
    """
    every = sum(weights) or 0
    given = weights if every else [1] * len(weights)
    exact = [Fraction(total) * w / (every or len(weights)) for w in given]
    parts = [int(e // 1) for e in exact]
    order = sorted(range(len(parts)), key=lambda i: (parts[i] - exact[i], i))
    for i in order[: total - sum(parts)]:
        parts[i] += 1
    return parts


def in_cents(amounts: Sequence[Fraction]) -> list[int]:
    """Return amounts in whole cents that add up to their sum in whole cents.

    >>> in_cents([Fraction(1, 3), Fraction(1, 3), Fraction(1, 3)])
    [34, 33, 33]
    """
    return shared_out(round(sum(amounts, Fraction(0)) * 100), amounts)


def _coverage(uses: Sequence[Use], window: Window) -> float:
    devices = {(u.device_uuid, u.is_synthetic): u.device_us for u in uses}
    span = (window.end - window.start).total_seconds() * 1e6
    return sum(devices.values()) / (len(devices) * span) if devices else 0.0
