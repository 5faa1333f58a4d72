"""Parts of a model's GPU time: by version, purpose, team or how it is known; where readings do not say, shared out by what was asked.

Belongs here: splitting uses so that parts add up to the whole. Does not: sums (gpu_use.py), counting predictions (adapters/requests.py).
"""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from typing import Any

from watchkeeper.measures.gpu_use import Use, shared_out
from watchkeeper.spelling import segment_pairs

_AMOUNTS = ("sampled_us", "busy_known_us", "busy_us", "still_us", "energy_known_us", "energy_uj", "energy_counted_uj")


def grouped(uses: Sequence[Use], name_of: Callable[[Use], str]) -> dict[str, list[Use]]:
    """Return uses by name, in its order."""
    found: dict[str, list[Use]] = {}
    for use in sorted(uses, key=name_of):
        found.setdefault(name_of(use), []).append(use)
    return found


def by_version(uses: Sequence[Use], predictions: Mapping[str, int]) -> dict[str, tuple[list[Use], float]]:
    """Return version -> its uses, and which share of their time is an estimate.

    Time of which no reading names the version is shared out by the versions' predictions, save training; without any it stays that of no version.
    """
    made = {version: (mine, 0.0) for version, mine in grouped([u for u in uses if u.version], lambda u: u.version).items()}
    rest = [u for u in uses if not u.version]
    shared = [u for u in rest if u.purpose == "serving"] if any(predictions.values()) else []
    kept = [u for u in rest if u not in shared]
    for version, mine in _shared(shared, predictions).items():
        known = made.get(version, ([], 0.0))[0]
        whole = sum(u.sampled_us for u in (*known, *mine))
        made[version] = ([*known, *mine], sum(u.sampled_us for u in mine) / whole if whole else 0.0)
    if kept:
        made[""] = ([*made.get("", ([], 0.0))[0], *kept], made.get("", ([], 0.0))[1])
    return dict(sorted(made.items()))


def _shared(uses: Sequence[Use], predictions: Mapping[str, int]) -> dict[str, list[Use]]:
    names = sorted(name for name, n in predictions.items() if n)
    weights = [predictions[name] for name in names]
    made: dict[str, list[Use]] = {name: [] for name in names} if uses else {}
    for use in uses:
        parts = {amount: shared_out(getattr(use, amount), weights) for amount in _AMOUNTS}
        for place, name in enumerate(names):
            amounts: dict[str, Any] = {amount: found[place] for amount, found in parts.items()}
            made[name].append(dataclasses.replace(use, version=name, **amounts))
    return made


def by_segment(rows: Mapping[str, int], requests: int) -> dict[str, Fraction]:
    """Return segment -> its share of the requests of a window, by its rows; those of one dimension add up to 1 at most.

    >>> shares = by_segment({"shop=a": 300, "shop=b": 300, "region=n": 400}, requests=500)
    >>> shares["shop=a"] + shares["shop=b"], shares["region=n"]
    (Fraction(1, 1), Fraction(4, 5))
    """
    told: dict[str, int] = {}
    for segment, n in rows.items():
        told[columns_of(segment)] = told.get(columns_of(segment), 0) + n
    return {segment: Fraction(n, max(requests, told[columns_of(segment)])) for segment, n in sorted(rows.items()) if n}


def columns_of(segment: str) -> str:
    """Return the columns of a segment as people read them.

    >>> columns_of("shop=H%26M&size=3")
    'shop and size'
    """
    return " and ".join(column for column, _ in segment_pairs(segment))
