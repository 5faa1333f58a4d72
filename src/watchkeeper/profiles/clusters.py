"""Rows by whom they are about: what intervals of KPIs take when the rows of one customer are not independent of each other.

Belongs here: rows of entities -> the parts of each KPI that is a mean over rows. Does not: what follows from them (stats/clusters.py),
or where the entities are read (operations/entities.py).

Such a part holds moments over the entities of its rows: `n` entities (of which `nulls` are rows of nobody, each by itself), as `sum`
and `sum2` the sums of x d and of x^2 for entities of d rows that add up to x, and as counts of two cells the sums of d and of d^2. Moments
add up as if an entity were another one in each part. So a third cell counts the parts, and of the whole further ones hold the rows and the
total of each of 64 groups: an entity is in the same group everywhere, so that these add up whoever comes again (a random-groups variance,
Wolter 2007, chapter 2).
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from watchkeeper.profiles.counted import NULL, Counted, of_counters
from watchkeeper.profiles.counts import Counts
from watchkeeper.profiles.labelled import ERROR, KNOWN, OWN, SYMMETRIC, Labelled, Piece
from watchkeeper.stats.clusters import Clusters, clusters

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
BY_ENTITY = "entity:"
"""What the name of such a part begins with; the KPI's follows."""
GROUPS = 64
"""Into how many groups entities are put, by a hash of what names them."""
_ROWS, _SIZES, _PARTS = 0, 1, 2
_FIRST = 3
_KPIS = {
    "log_loss": "log_loss",
    "brier": "brier",
    "abs_error": "mae",
    "squared_error": "rmse",
    ERROR: "bias",
    "truth": "truth_mean",
    "abs_error_ratio": "mape",
    SYMMETRIC: "smape",
}
"""The KPI of each quantity whose mean it is, or the root of it."""


@dataclass(frozen=True, slots=True)
class Entities:
    """Whom each row is about: a code, -1 for nobody; and the group 0 .. 63 of each row, the same for all rows of an entity wherever they are."""

    codes: Ints
    groups: Ints
    _pairs: dict[int, tuple[Any, "_Pairs"]] = field(default_factory=dict, repr=False)

    def pairs(self, group: NDArray[np.integer[Any]]) -> "_Pairs":
        """Return each group's entities, found once for all that is counted of the same groups."""
        if id(group) not in self._pairs:
            self._pairs[id(group)] = (group, _paired(self.codes, self.groups, np.asarray(group, np.int64)))
        return self._pairs[id(group)][1]


@dataclass(frozen=True, slots=True)
class _Pairs:
    """Entities by group: the pair of each row, and the group of each pair, whether it is a row of nobody, and which of the 64 its entity is in."""

    of_row: Ints
    group: Ints
    is_nobody: Bools
    place: Ints


def _paired(codes: Ints, places: Ints, group: Ints) -> _Pairs:
    """Number the pairs of group and entity; a row of nobody is an entity of its own."""
    people = int(codes.max(initial=-1)) + 1
    own = np.where(codes < 0, people + np.arange(len(codes)), codes)
    size = people + len(codes) + 1
    names, first, of_row = np.unique(group * size + own, return_index=True, return_inverse=True)
    return _Pairs(of_row.astype(np.int64), names // size, names % size >= people, places[first])


@dataclass(frozen=True, slots=True)
class EntityPiece:
    """A KPI as the mean of some values over some rows, by whom the rows are about."""

    feature: str
    rows: Bools
    values: Floats
    entities: Entities
    outcome: str = KNOWN
    is_of_whole: bool = False
    is_exact: bool = True
    """Whether moments keep all their digits in segments too: what is reckoned from them is a small difference of large numbers."""

    def count(self, group: NDArray[np.integer[Any]], groups: int, *, is_whole: bool = True) -> Counted:
        """Return the moments of each group 0 .. groups-1 over its entities, of the whole those of 64 groups of them; rows of group -1 belong to none."""
        pairs, mine = self.entities.pairs(group), self.rows & (np.asarray(group) >= 0)
        place, pairs_there = pairs.of_row[mine], len(pairs.group)
        sizes = np.bincount(place, minlength=pairs_there)
        with np.errstate(over="ignore", invalid="ignore"):  # a total beyond all floats leaves no interval
            totals = np.bincount(place, weights=self.values[mine], minlength=pairs_there)
            some = sizes > 0
            of, d, x = pairs.group[some], sizes[some].astype(np.int64), totals[some]
            moments = np.zeros((groups, 4))
            moments[:, 0], moments[:, 1] = (np.bincount(of, weights=w, minlength=groups) for w in (x * d, x * x))
        moments[:, 2:] = (np.inf, -np.inf)
        odd = np.zeros((groups, 4), np.int64)
        odd[:, NULL] = np.bincount(of[pairs.is_nobody[some]], minlength=groups)
        n = np.bincount(of, minlength=groups)
        width = _FIRST + GROUPS * is_whole
        counts, sums = np.zeros((groups, width), np.int64), np.zeros((groups, width) if is_whole else 0)
        np.add.at(counts[:, _ROWS], of, d)
        np.add.at(counts[:, _SIZES], of, d * d)
        counts[:, _PARTS] = n > 0
        if is_whole:
            where = (of, _FIRST + pairs.place[some])
            np.add.at(counts, where, d)
            np.add.at(sums, where, x)
        return of_counters(n, width, counts.ravel(), sums.ravel(), moments, odd)


def clusters_of(part: Counts) -> Clusters:
    """Return the sums over entities that a part holds."""
    rows, sizes, _ = part.dense(_FIRST + GROUPS)[:_FIRST].tolist()
    return Clusters(part.n, float(rows), float(sizes), part.sum, part.sum2)


def is_of_one_part(part: Counts) -> bool:
    """Tell whether no entity can be in it twice: it is no sum of several windows, or of several versions."""
    return int(part.dense(_FIRST + GROUPS)[_PARTS]) <= 1


def clusters_by_group(part: Counts) -> Clusters | None:
    """Return the sums over groups of entities, each of which is in one; None where a part does not have them, as those of segments do not."""
    if not len(part.sums):
        return None
    return clusters(part.dense_sums(_FIRST + GROUPS)[_FIRST:], part.dense(_FIRST + GROUPS)[_FIRST:].astype(float))


def with_entities(counted: Iterable[Piece], task: str, rows: Labelled, entities: Entities | None) -> Iterator[Piece | EntityPiece]:
    """Yield the pieces of a task, and with entities those of each KPI that is a mean over rows, of people's own ones too."""
    if entities is None:
        yield from counted
        return
    for one in counted:
        yield one
        name = one.feature.removeprefix(OWN) if one.feature.startswith(OWN) else _KPIS.get(one.feature, "")
        if name and one.outcome == KNOWN and one.coded.values is not None:
            yield EntityPiece(BY_ENTITY + name, one.rows, one.coded.values, entities)
    for name, (mask, values) in _of_decisions(task, rows).items():
        yield EntityPiece(BY_ENTITY + name, mask, values, entities)


def _of_decisions(task: str, rows: Labelled) -> Mapping[str, tuple[Bools, Floats]]:
    """Return the KPIs that are the mean of what no other part adds up: over which rows, and of what."""
    if task == "multiclass":
        return {"accuracy": (rows.truth >= 0, (rows.decision == rows.truth).astype(float))}
    if task != "binary":
        return {}
    known, scored, decided = np.isfinite(rows.truth), np.isfinite(rows.score), rows.decision >= 0
    positive, flagged = rows.truth == 1, rows.decision == 1
    return {
        "calibration_gap": (known & scored, np.where(known & scored, rows.truth - rows.score, 0.0)),
        "positive_rate": (known, positive.astype(float)),
        "score_mean": (scored, np.where(scored, rows.score, 0.0)),
        "flagged_ratio": (decided, flagged.astype(float)),
        "accuracy": (known & decided, (flagged == positive).astype(float)),
        "precision": (known & flagged, positive.astype(float)),
        "recall": (positive & decided, flagged.astype(float)),
        "specificity": (known & ~positive & decided, 1.0 - flagged),
    }
