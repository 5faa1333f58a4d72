"""Inputs that no longer go together while each alone is as it was: values of other rows, of another day, or in another order.

Belongs here: which pairs have parted as an incident began, and the cause that they are. Does not: the correlation itself (measures/), what is noticed
(charts.py), other causes (causes.py).

A pair has parted where it is noticed that less than half of its usual correlation is left: from the first bad windows on, or up to ten days before, when
the notice has settled since (settling.py). Where an input moved by itself, that may be why a correlation changed; then nothing is said.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime

from watchkeeper.judgement.evidence import Evidence
from watchkeeper.judgement.settling import AMONG, SETTLED
from watchkeeper.profiles.pairs import parts_of
from watchkeeper.records import Signal
from watchkeeper.story import Cause
from watchkeeper.words import listed, moment_text, number_text

PARTED = "inputs no longer go together: "
_LEFT, _NAMED = 0.5, 3
_FOLLOWS_NO_MORE = "the outcome no longer follows the "


def parted_since(signals: Iterable[Signal], start: datetime, first_end: datetime) -> list[Signal]:
    """Return of each pair that has parted by the end of the first bad window, and not been as usual since, its first signal."""
    by_pair: dict[str, list[Signal]] = {}
    for s in sorted(signals, key=lambda s: s.window_start):
        if s.metric == "correlation" and s.family == "covariate" and s.window_start >= start - AMONG and abs(s.value) < _LEFT * abs(s.expected):
            by_pair.setdefault(s.feature, []).append(s)
    return [
        mine[0] for mine in by_pair.values() if mine[0].window_start < first_end and (mine[-1].window_start >= start or SETTLED in mine[-1].reason)
    ]


def with_parted(evidence: Evidence, found: Sequence[Cause]) -> list[Cause]:
    """Return causes with inputs that have parted: they come before an outcome that follows the model no more, or scores that moved, which is what they lead to."""
    if not evidence.parted or evidence.moved:
        return list(found)
    cause = _of(evidence)
    explained = [c for c in found if c.kind == "model" or c.subject.startswith(_FOLLOWS_NO_MORE)]
    rest = [c for c in found if c not in explained]
    if any(c.kind in ("data", "labels") for c in rest) or (rest and not explained):
        return [*found, cause]
    return [replace(cause, evidence_for=[*cause.evidence_for, *(text for c in explained for text in c.evidence_for)]), *rest]


def _of(evidence: Evidence) -> Cause:
    pairs = sorted(evidence.parted, key=lambda s: abs(s.value) - abs(s.expected))
    since = min(s.window_start for s in pairs)
    told = [f"{listed(parts_of(s.feature))} {number_text(s.value)}, usually {number_text(s.expected)}" for s in pairs[:_NAMED]]
    day = moment_text(since, evidence.timezone).removesuffix(", 00:00")
    return Cause(
        kind="data",
        subject=f"{PARTED}{_names(pairs)}",
        onset=since,
        evidence_for=[
            f"correlation since {day}: {'; '.join(told)}",
            "each of them alone is as it was, so look at how they are joined: rows may have values of others, or of another day",
        ],
        columns=sorted({name for s in pairs for name in parts_of(s.feature)}),
    )


def _names(pairs: Sequence[Signal]) -> str:
    """Return what has parted from what: the input that all pairs have in common first, where there is just one."""
    count = Counter(name for s in pairs for name in parts_of(s.feature))
    common = [name for name, n in count.items() if n == len(pairs)]
    if len(common) == 1:
        return f"{common[0]} with {listed([name for name in count if name != common[0]][:_NAMED])}"
    return "; ".join(" and ".join(parts_of(s.feature)) for s in pairs[:_NAMED])
