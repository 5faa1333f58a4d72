"""The GPUs that a model has for itself: whole ones that nobody else used, and what it costs to hold more than so many of them.

Belongs here: which uses are of such GPUs, and their cost. Does not: whether fewer would do (judgement/gpu_advice.py), reading uses (adapters/gpu_hours.py).
"""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from fractions import Fraction

from watchkeeper.measures.gpu_use import BY_REQUESTS, IDLE, TRAINING, Use
from watchkeeper.measures.prices import Price, Quotes

_HOUR_US = 3_600_000_000


def uses_alone(model: str, uses: Iterable[Use], every: Iterable[Use], cut: Collection[str]) -> list[Use]:
    """Return those of a model's uses that are of GPUs which `every` use says are its own, for serving; GPUs that are `cut` into slices are not."""
    shared = {(u.device_uuid, u.is_synthetic) for u in every if u.how != IDLE and (u.model != model or u.purpose == TRAINING or u.how == BY_REQUESTS)}
    return [u for u in uses if u.device_uuid not in cut and (u.device_uuid, u.is_synthetic) not in shared]


def costs_beyond(uses: Iterable[Use], quote: Quotes) -> list[float]:
    """Return what was paid in each hour for more than none, one, two ... of the GPUs used in it, summed; of unlike ones the cheapest are those too many."""
    hours: dict[datetime, dict[str, tuple[Fraction, int]]] = {}
    for use in uses:
        price, held = quote(use.device_name, use.host, use.priced_on), hours.setdefault(use.window_start, {})
        each = Fraction(price.price) if isinstance(price, Price) else Fraction(0)
        held[use.device_uuid] = (each, held.get(use.device_uuid, (each, 0))[1] + use.sampled_us)
    dearest_first = [sorted(held.values(), reverse=True) for held in hours.values()]
    return [float(sum((_cost(held[n:]) for held in dearest_first), Fraction(0))) for n in range(max(map(len, dearest_first), default=0))]


def _cost(held: Sequence[tuple[Fraction, int]]) -> Fraction:
    return sum((price * us for price, us in held), Fraction(0)) / _HOUR_US
