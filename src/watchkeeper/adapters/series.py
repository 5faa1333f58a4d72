"""Series that can be told apart: values with the labels that they lost, and which of them may be kept.

Belongs here: that no value stands for several series. Does not: which labels are kept (otlp_attributes.py), or whether a value has
landed before (operations/take_telemetry.py).
"""

import json
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from watchkeeper.redaction import without_secrets
from watchkeeper.samples import MetricSample

Labels = frozenset[tuple[str, str]]
"""Names and values as they came; they live as long as one file or answer is read, and go nowhere."""

_NAMED = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """One value as a source tells it, and what its labels lack: of the series' own (`lost`), and of the program's that tells it (`teller`)."""

    sample: MetricSample
    lost: Labels = frozenset()
    teller: Labels = frozenset()


def apart(told: Iterable[Told], *, named: Collection[str] = (), private: Collection[str] = ()) -> tuple[list[MetricSample], list[str]]:
    """Return the values of series that what is kept tells apart, and a clause about those of each metric that it does not: of these none is kept.

    Of one file or answer. Series that differ in a label of their own are several; those of two programs are, unless one began when the
    other had ended, as after a restart. `named` and `private` are the labels that are kept or dropped whatever their names say.
    """
    series: dict[tuple[str, str], list[Told]] = {}
    for one in told:
        series.setdefault((one.sample.name, one.sample.labels), []).append(one)
    kept: list[MetricSample] = []
    mixed: dict[str, list[list[Told]]] = {}
    for (name, _), found in series.items():
        if _is_one(found):
            kept += [one.sample for one in found]
        else:
            mixed.setdefault(name, []).append(found)
    return kept, [_clause(name, found, {*named, *private}) for name, found in mixed.items()]


def _is_one(found: Sequence[Told]) -> bool:
    """Tell whether values that have the same labels left are of one series."""
    if len({one.lost for one in found}) > 1:
        return False
    tellers: dict[Labels, list[Told]] = {}
    for one in found:
        tellers.setdefault(one.teller, []).append(one)
    spans = sorted((min(t.sample.at for t in of), max(t.sample.at for t in of)) for of in tellers.values())
    return all(before[1] < after[0] for before, after in pairwise(spans))


def _clause(name: str, mixed: Sequence[Sequence[Told]], decided: Collection[str]) -> str:
    several = sum(len({one.lost | one.teller for one in found}) for found in mixed)
    names = sorted({label for found in mixed for label in _differing(found)})
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    told = ", ".join(without_secrets(n) for n in names[:_NAMED]) + more
    there = {label for found in mixed for label in json.loads(found[0].sample.labels)}  # of these the value is what was not kept
    can_be_named = {*names}.isdisjoint({*decided, *there})
    helped = "naming these in `telemetry.attributes` keeps them" if can_be_named else "have the source add them up"
    return f"{several:,} series of {name!r} differ only in labels that are not kept ({told}), and so none of them is; {helped}"


def _differing(found: Sequence[Told]) -> Iterator[str]:
    """Yield the names of the labels in which series differ."""
    every = [one.lost | one.teller for one in found]
    yield from {label for label, _ in frozenset.union(*every) - frozenset.intersection(*every)}
