"""The parts of a row of the bill: by version, team, purpose, how its GPUs are known, and segment; with what is in none of them they add up to the row.

Belongs here: how a row is parted, and its cents. Does not: the rows (bill.py), splitting uses (measures/gpu_parts.py).
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Literal

from watchkeeper.adapters.requests import Asked
from watchkeeper.measures.cost import Spent
from watchkeeper.measures.gpu_parts import columns_of, grouped
from watchkeeper.measures.gpu_use import Use, shared_out, usage
from watchkeeper.measures.prices import Quotes
from watchkeeper.monitor import Monitor
from watchkeeper.operations.spending import Books, segment_shares, spent_by_version
from watchkeeper.windows import Window

Per = Literal["version", "team", "purpose", "attributed_by", "segment"]
OF_GPUS: Sequence[Per] = ("team", "purpose", "attributed_by")
"""What readings of GPUs tell, and tokens do not."""
TOKENS, NONE_OF_THESE = "tokens", "none of these"
_HOUR_US = 3_600_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A part of a row: its parts in one respect add up to it, of segments those of each column."""

    per: Per
    of: str
    gpu_hours: float
    cost: float | None
    predictions: int | None = None
    """Of segments all of its requests, answered or not."""
    cost_per_1000_predictions: float | None = None
    estimated_ratio: float = 0.0
    """Share of it that is an estimate: shared out by what was asked."""
    columns: str = ""
    """Of segments the columns: the parts of each add up to the row."""
    is_rest: bool = False
    """Whether it is what the others leave: tokens, or requests of no segment that is counted."""
    cents: int | None = None
    """The cost in whole hundredths, which add up to those of the row; None where its cost is not known."""


def parts_of_uses(uses: Sequence[Use], window: Window, quotes: Quotes, per: Per, default: str = "") -> Iterator[Part]:
    """Yield the parts of GPU time by what readings say of it."""
    names: dict[str, Callable[[Use], str]] = {
        "team": lambda u: u.team or default,
        "purpose": lambda u: u.purpose,
        "attributed_by": lambda u: u.how,
    }
    for name, mine in grouped(uses, names[per]).items():
        used = usage(mine, window, quotes)
        cost = None if used.priced.cost is None else float(used.priced.cost)
        yield Part(per=per, of=name, gpu_hours=used.gpu_hours, cost=cost, estimated_ratio=used.estimated_ratio)


def part_of_tokens(spent: Spent, per: Per) -> Iterator[Part]:
    """Yield what no reading of a GPU tells anything of, where there is any: the tokens."""
    if spent.tokens:
        yield Part(per=per, of=TOKENS, gpu_hours=0.0, cost=float(spent.tokens), is_rest=True)


def parts_of_versions(monitor: Monitor, uses: Sequence[Use], window: Window, books: Books, asked: Asked, *, with_tokens: bool) -> Iterator[Part]:
    """Yield the parts by version, tokens included."""
    for version, spent, estimated in spent_by_version(monitor, uses, window, books, asked, with_tokens=with_tokens):
        yield Part(
            per="version",
            of=version,
            gpu_hours=spent.gpu.gpu_hours if spent.gpu else 0.0,
            cost=None if spent.priced is None else float(spent.priced),
            predictions=spent.predictions,
            cost_per_1000_predictions=spent.per_1000,
            estimated_ratio=estimated,
        )


def parts_of_segments(spent: Spent, rows: Mapping[str, int], asked: Asked) -> Iterator[Part]:
    """Yield the parts by segment, shares of the whole by their rows, an estimate; and of each column what is of no segment that is counted."""
    by_columns: dict[str, dict[str, Fraction]] = {}
    for segment, share in segment_shares(rows, asked).items():
        by_columns.setdefault(columns_of(segment), {})[segment] = share
    for columns, shares in by_columns.items():
        for segment, share in shares.items():
            yield replace(_share(spent, segment, share), predictions=rows[segment], columns=columns)
        if rest := 1 - sum(shares.values(), Fraction(0)):
            yield replace(_share(spent, f"{columns}: {NONE_OF_THESE}", rest), columns=columns, is_rest=True)


def _share(spent: Spent, name: str, share: Fraction) -> Part:
    hours = float(Fraction(spent.gpu.gpu_us) * share / _HOUR_US) if spent.gpu else 0.0
    cost = None if spent.priced is None else float(spent.priced * share)
    return Part(per="segment", of=name, gpu_hours=hours, cost=cost, estimated_ratio=1.0)


def in_whole_cents(parts: Iterable[Part], cents: int | None) -> list[Part]:
    """Return the parts of a row with cents, those in each respect with the row's as their sum; none where its cost is not known."""
    found: dict[tuple[Per, str], list[Part]] = {}
    for part in parts:
        found.setdefault((part.per, part.columns), []).append(part)
    return [part for mine in found.values() for part in _shared(mine, cents)]


def _shared(parts: Sequence[Part], cents: int | None) -> Iterator[Part]:
    known = [p for p in parts if p.cost is not None]
    each = iter(shared_out(cents, [Fraction(p.cost or 0.0) for p in known]) if cents is not None and known else [None] * len(known))
    return (replace(p, cents=next(each)) if p.cost is not None else p for p in parts)
