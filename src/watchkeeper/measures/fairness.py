"""Fairness: how a model treats each group of people beside all the others, with an interval and one of three verdicts.

Belongs here: groups' counts in, statements out. Does not: where the counts come from (operations/fairness.py), the intervals
(stats/differences.py), or how an audit looks (site/fairness_page.py).
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from math import ceil, inf, isfinite
from typing import Literal

from scipy.special import stdtrit

from watchkeeper.measures.criteria import CRITERIA, SIDES, Criterion
from watchkeeper.measures.views import BinaryView, RegressionView
from watchkeeper.profiles.labelled import NEGATIVE, PENDING, POSITIVE
from watchkeeper.spelling import segment_of, segment_pairs
from watchkeeper.stats.differences import POWER, difference, prior_strength, ratio, rows_needed, shrunk, z_of
from watchkeeper.stats.intervals import OVERFLOW, Estimate, proportion, undefined
from watchkeeper.words import counted

Verdict = Literal["violation", "none", "cannot tell"]
View = BinaryView | RegressionView
Tally = Mapping[str, float]
"""What is counted of a group, by name; tallies of groups add up."""

LEAST = 30
"""Rows that a share must rest on, of the group and of all others."""
LEVEL, STATEMENTS = 0.99, 30
"""Each interval's level in an audit of so many statements; with more it rises, so that the chance of a false one per audit does not."""
FEW = 10
"""Below so many hits, or misses, a group's share is drawn towards what is expected of it."""
COVERAGE_GAP = 0.1
_NEAR = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """What an audit says of one group and criterion; numbers are None where they cannot be had.

    `rate` and `rest_rate` are as counted (of calibration and errors they are means and no rates), `value`, `low` and `high` are the gap between them (or their ratio), where `is_shrunk` of the
    share drawn towards what is expected. `needed` is how many rows like the `n` there are an answer takes.
    """

    attribute: str
    group: str
    metric: str
    verdict: Verdict
    n: int | None
    rest_n: int | None
    rate: float | None = None
    rest_rate: float | None = None
    value: float | None = None
    low: float | None = None
    high: float | None = None
    needed: int | None = None
    is_shrunk: bool = False
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Audit:
    """All statements, the level of their intervals, and what to know before reading them."""

    statements: tuple[Statement, ...]
    level: float
    warnings: tuple[str, ...] = ()

    @property
    def verdict(self) -> Verdict:
        """The worst of all verdicts."""
        return min((s.verdict for s in self.statements), key=_ORDER.index, default="cannot tell")


_ORDER: tuple[Verdict, ...] = ("violation", "cannot tell", "none")


@dataclass(frozen=True, slots=True)
class _Compared:
    """A group beside all others of its attribute, for one gap: both sides, and what follows from the rows."""

    ours: Estimate
    theirs: Estimate
    rate: float
    variance: float
    """Of one row, in the unit of the gap."""
    scale: float = 1.0
    is_shrunk: bool = False
    side: str = ""

    @property
    def least(self) -> int:
        """Rows of the smaller side."""
        return min(self.ours.n, self.theirs.n)


def audit(task: str, attributes: Mapping[str, Mapping[str, View]], *, has_labels: bool = True) -> Audit:
    """Audit the groups of each attribute (sex, or sex&region for both together), each beside all others of it.

    `attributes` holds the view of each group by its name as in `sex=f&region=north`; every row is in one group of each attribute.
    """
    criteria = [c for c in CRITERIA[task] if has_labels or not c.needs_labels]
    tallies = {attribute: {group: tally(view) for group, view in groups.items()} for attribute, groups in attributes.items()}
    answerable = sum(_answerable(criteria, groups) for groups in tallies.values())
    level = 1 - (1 - LEVEL) * min(1.0, STATEMENTS / max(1, answerable))
    single = {group: part for attribute, groups in tallies.items() if "&" not in attribute for group, part in groups.items()}
    said = [s for attribute, groups in tallies.items() for c in criteria for s in _statements(c, attribute, groups, single, level)]
    return Audit(tuple(sorted(said, key=_worst_first)), level, tuple(_warnings(task, tallies, has_labels=has_labels)))


def _worst_first(one: Statement) -> tuple[int, bool, float, str, str]:
    """Order statements by verdict, then those with too few rows last, then by how many tolerances the gap is wide."""
    criterion = next(c for criteria in CRITERIA.values() for c in criteria if c.name == one.metric)
    far = 0.0 if one.value is None else abs(one.value - (1.0 if criterion.is_ratio else 0.0)) / criterion.tolerance
    return _ORDER.index(one.verdict), min(one.n or 0, one.rest_n or 0) < LEAST, -far, one.group, one.metric


def tally(view: View) -> Tally:
    """Return what the criteria are reckoned from."""
    return _of_regression(view) if isinstance(view, RegressionView) else _of_binary(view)


def _of_binary(view: BinaryView) -> Tally:
    (found, missed), (accused, spared), (flagged, passed) = (view.decided(o) for o in (POSITIVE, NEGATIVE, PENDING))
    scores = [view.score(o) for o in (POSITIVE, NEGATIVE)]
    return {
        "rows": view.labelled + view.pending,
        "labelled": view.labelled,
        "flagged": found + accused + flagged,
        "decided": found + missed + accused + spared + flagged + passed,
        "found": found,
        "positives": found + missed,
        "accused": accused,
        "negatives": accused + spared,
        "known_flagged": found + accused,
        "known_passed": missed + spared,
        "passed": missed + spared + passed,
        "n": view.scored,
        "total": scores[0].finite - sum(c.sum for c in scores),
        "squares": view.loss("brier").sum,
        "claimed": max(0.0, sum(c.sum - c.sum2 for c in scores)),
    }


def _of_regression(view: RegressionView) -> Tally:
    error, size = view.error, view.of("abs_error")
    whole = error.finite == error.n
    return {
        "rows": view.labelled + view.pending,
        "labelled": view.labelled,
        "n": error.n,
        "total": error.sum if whole else inf,
        "squares": error.sum2 if whole else inf,
        "claimed": 0.0,
        "size": size.sum,
    }


def total(parts: Iterable[Tally]) -> Tally:
    """Add tallies up."""
    out: dict[str, float] = {}
    for part in parts:
        for name, value in part.items():
            out[name] = out.get(name, 0.0) + value
    return out


def _less(whole: Tally, part: Tally) -> Tally:
    return {name: value - part[name] for name, value in whole.items()}


def _answerable(criteria: Iterable[Criterion], groups: Mapping[str, Tally]) -> int:
    """Return how many statements have the rows for an answer; a ratio rests on the counts of the difference and is not another one."""
    whole = total(groups.values())
    sizes = [[n for _, n in c.shares] or ["n"] for c in criteria if not c.is_ratio]
    return sum(any(min(part[n], whole[n] - part[n]) >= LEAST for n in names) for part in groups.values() for names in sizes)


def _statements(criterion: Criterion, attribute: str, groups: Mapping[str, Tally], single: Mapping[str, Tally], level: float) -> Iterator[Statement]:
    whole = total(groups.values())
    priors = {share: _priors(share, groups, single, whole) for share in criterion.shares}
    for group, part in groups.items():
        rest = _less(whole, part)
        compared = [_shares(share, part, rest, priors[share][0][group], priors[share][1], level) for share in criterion.shares]
        gaps = [_stated(criterion, attribute, group, c, level) for c in compared or [_means(part, rest, level)]]
        yield min(gaps, key=lambda s: (_ORDER.index(s.verdict), -abs(s.value or 0.0)))


def _priors(share: tuple[str, str], groups: Mapping[str, Tally], single: Mapping[str, Tally], whole: Tally) -> tuple[dict[str, float], float]:
    """Return the share expected of each group, and how many rows that is worth: of all rows, or where two attributes meet as both add up."""
    hits, rows = share
    every = _share_of(whole, share)
    expected = {}
    for group in groups:
        pairs = segment_pairs(group)
        sides = [single[side] for pair in pairs if (side := segment_of([pair])) in single] if len(pairs) > 1 else []
        guess = sum(_share_of(s, share) - every for s in sides if s[rows]) + every
        expected[group] = min(max(guess, 1e-3), 1 - 1e-3)
    some = [g for g, part in groups.items() if part[rows] > 0]
    strength = prior_strength([groups[g][hits] for g in some], [int(groups[g][rows]) for g in some], [expected[g] for g in some])
    return expected, strength


def _share_of(part: Tally, share: tuple[str, str]) -> float:
    hits, rows = share
    return part[hits] / part[rows] if part[rows] else 0.0


def _shares(share: tuple[str, str], part: Tally, rest: Tally, prior: float, strength: float, level: float) -> _Compared:
    """Compare two shares; that of a group with few hits or few misses is drawn towards what is expected, by no more rows than its own."""
    hits, n = part[share[0]], int(part[share[1]])
    ours, theirs = proportion(hits, n, z_of(level)), proportion(rest[share[0]], int(rest[share[1]]), z_of(level))
    is_shrunk = n >= LEAST and min(hits, n - hits) < FEW
    whole = n + theirs.n
    middle = (hits + rest[share[0]] + 0.5) / (whole + 1)
    rate = ours.value
    if is_shrunk:
        ours = shrunk(hits, n, prior, min(strength, n), level)
    return _Compared(ours, theirs, rate, middle * (1 - middle), is_shrunk=is_shrunk, side=SIDES.get(share, ""))


def _means(part: Tally, rest: Tally, level: float) -> _Compared:
    """Compare two means; those of errors in parts of the others' mean absolute error."""
    scale = rest["size"] / rest["n"] if "size" in rest and rest["n"] else 1.0
    ours, theirs = _mean(part, level), _mean(rest, level)
    return _Compared(ours, theirs, ours.value, (ours.se / scale) ** 2 * ours.n if scale else inf, scale)


def _mean(part: Tally, level: float) -> Estimate:
    """Return a mean with Student's interval; the variance is at least the one that the scores themselves claim."""
    n = int(part["n"])
    if n < 2:  # noqa: PLR2004 - one row has no variance
        return undefined("no rows", n)
    value = part["total"] / n
    if not isfinite(part["squares"]) or not isfinite(value * value):
        return undefined(OVERFLOW, n)
    se = (max(0.0, (part["squares"] - n * value * value) / (n - 1), part["claimed"] / n) / n) ** 0.5
    half = float(stdtrit(n - 1, (1 + level) / 2)) * se
    return Estimate(value, se, value - half, value + half, n)


def _stated(criterion: Criterion, attribute: str, group: str, found: _Compared, level: float) -> Statement:
    """Say what follows from two sides."""
    n, rest_n = found.ours.n, found.theirs.n
    gap = _gap(criterion, found) if found.least else undefined("nobody to compare with" if n else "no rows")
    formula = _needed(criterion, found, level)
    verdict, needed, reason = _judged(criterion, gap, found, formula, z_of(level))
    return Statement(
        attribute=attribute,
        group=group,
        metric=criterion.name,
        verdict=verdict,
        n=n,
        rest_n=rest_n,
        rate=_or_none(found.rate),
        rest_rate=_or_none(found.theirs.value),
        value=_or_none(gap.value),
        low=_or_none(gap.low),
        high=_or_none(gap.high),
        needed=needed,
        is_shrunk=found.is_shrunk,
        reason="; ".join(r for r in (found.side if len(criterion.shares) > 1 else "", reason) if r),
    )


def _gap(criterion: Criterion, found: _Compared) -> Estimate:
    if criterion.is_ratio:
        return ratio(found.ours, found.theirs)
    if found.scale <= 0:
        return undefined("the others' errors are all zero", found.ours.n)
    made = difference(found.ours, found.theirs)
    return Estimate(made.value / found.scale, made.se / found.scale, made.low / found.scale, made.high / found.scale, made.n)


def _needed(criterion: Criterion, found: _Compared, level: float) -> int | None:
    """Return how many rows an answer takes where there is no gap at all; a ratio's tolerance is a part of the others' share."""
    tolerance = criterion.tolerance * (found.theirs.value if criterion.is_ratio else 1.0)
    if not isfinite(found.variance) or not tolerance > 0:
        return None
    return max(LEAST, rows_needed(found.variance, tolerance, level))


def _judged(criterion: Criterion, gap: Estimate, found: _Compared, formula: int | None, z: float) -> tuple[Verdict, int | None, str]:
    if found.least < LEAST:
        side = counted(found.ours.n, "row") if found.ours.n < LEAST else f"{counted(found.theirs.n, 'row')} of others"
        return "cannot tell", formula, f"{side}, at least {LEAST} are needed"
    if not gap.is_defined:
        return "cannot tell", formula, gap.reason
    if gap.low > criterion.high or gap.high < criterion.low:
        return "violation", None, ""
    if criterion.low <= gap.low and gap.high <= criterion.high:
        return "none", None, ""
    return "cannot tell", *_more(criterion, gap, formula, z)


def _more(criterion: Criterion, gap: Estimate, formula: int | None, z: float) -> tuple[int | None, str]:
    """Return how many rows it takes when those of the formula are there and are not enough: the gap lies near a limit."""
    if formula is None or gap.n < formula:
        return formula, ""
    limit = criterion.low if abs(gap.value - criterion.low) < abs(gap.value - criterion.high) else criterion.high
    distance, reach = abs(gap.value - limit), gap.high - gap.value if gap.value < limit else gap.value - gap.low
    if not isfinite(reach) or distance < _NEAR * criterion.tolerance:
        return None, "the gap lies on the limit, so that more rows hardly help"
    return ceil(gap.n * (max(1.0, reach / distance) * (1 + POWER / z)) ** 2), "the gap lies near the limit"


def _or_none(value: float) -> float | None:
    return float(value) if isfinite(value) else None


def _warnings(task: str, tallies: Mapping[str, Mapping[str, Tally]], *, has_labels: bool) -> Iterator[str]:
    if not has_labels:
        yield "There are no labels: only who is flagged was audited, not who is flagged rightly."
        return
    for attribute, groups in tallies.items():
        if "&" in attribute:
            continue
        whole = total(groups.values())
        if task == "binary" and attribute == next(iter(tallies)):
            yield from _selective(whole)
        for group, part in groups.items():
            ours, others = _share_of(part, ("labelled", "rows")), _share_of(_less(whole, part), ("labelled", "rows"))
            if part["rows"] >= LEAST and whole["rows"] - part["rows"] >= LEAST and others - ours > COVERAGE_GAP:
                yield f"{ours:.0%} of {group} have a label and {others:.0%} of all others: what rests on labels may not hold for those without."


def _selective(whole: Tally) -> Iterator[str]:
    """Warn when who has a label depends on the decision: a loan that was refused never shows whether it would have been paid back."""
    flagged, passed = _share_of(whole, ("known_flagged", "flagged")), _share_of(whole, ("known_passed", "passed"))
    if min(whole["flagged"], whole["passed"]) >= LEAST and abs(flagged - passed) > COVERAGE_GAP:
        yield (
            f"Labels are selective: {flagged:.0%} of the flagged have one and {passed:.0%} of the others. "
            "Equal opportunity, equalised odds, predictive parity and calibration hold for those with a label only."
        )
