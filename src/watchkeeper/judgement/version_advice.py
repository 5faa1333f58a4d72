"""Advice about versions: a cheaper one that is as good.

Belongs here: when a version counts as good as another, and the words. Does not: GPUs (gpu_advice.py), comparing two versions closely
(operations/compare.py).

Costs are compared on days on which both answered, so that another price, or another load, is no difference of versions; what is saved is a share of
what the dearer one cost in its newest days. As good is one that is worse, with 95 % certainty, by no more than the change of its KPI that is no matter to an alarm either (policy.py).
"""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from watchkeeper.judgement.advice import LEAST_DAYS, MOSTLY, Advice, Facts, OfVersion, Rule, in_order
from watchkeeper.judgement.budget import money
from watchkeeper.judgement.policy import rules_of
from watchkeeper.monitor import Monitor
from watchkeeper.words import counted, listed, metric_text, number_text

LEAST_PREDICTIONS = 1000
_CHEAPER = 0.9
_SHOWN = 3
_WEEK = 7


def version_advice(monitor: Monitor, facts: Facts) -> Advice:
    """Return whether a version is cheaper than one that still answers, and as good; of several such the one that saves most."""
    many = [v for v in facts.versions if v.version and v.predictions >= LEAST_PREDICTIONS]
    rule = Rule(monitor, facts, "cheaper_version", {})
    asked = _asked(facts)
    if missing := _missing(facts, asked, many):
        return rule.unknown(missing)
    if len(asked) < 2:  # noqa: PLR2004 - one has nothing beside it
        return rule.no(f"no two versions answered {LEAST_PREDICTIONS:,} requests each in the last weeks")
    newest = _newest(facts.versions)
    still = sorted((v for v in many if _answers(v, newest)), key=lambda v: -_answers(v, newest))
    if not still:
        return rule.no(f"{_named([v.version for v in many])} answered nothing in the last {counted(len(newest), 'day')}")
    return in_order([_instead_of(monitor, facts, now, [v for v in many if v is not now], newest) for now in still])[0]


def _newest(versions: Sequence[OfVersion]) -> list[date]:
    """Return the days of the last week in which any of them answered."""
    days = [day for v in versions for day, of in v.days.items() if of.predictions]
    last, first = max(days), min(days)
    return [last - timedelta(days=k) for k in range(min(_WEEK, (last - first).days + 1))]


def _answers(version: OfVersion, days: Sequence[date]) -> int:
    return sum(version.days[day].predictions for day in days if day in version.days)


def _instead_of(monitor: Monitor, facts: Facts, now: OfVersion, others: Sequence[OfVersion], newest: Sequence[date]) -> Advice:
    """Return whether one of the others would do what a version does."""
    rule = Rule(monitor, facts, "cheaper_version", {})
    beside = [found for v in others if (found := _beside(now, v)) is not None]
    if not beside:
        return rule.unknown(
            f"what version {now.version} costs beside another: none answered {LEAST_PREDICTIONS:,} requests on {LEAST_DAYS} days on which it did too"
        )
    cheaper = [b for b in beside if b.best_per_1000 < _CHEAPER * b.per_1000]
    if not cheaper:
        return rule.no(f"no version is cheaper by a tenth than {now.version}, at {money(beside[0].per_1000)} {facts.currency} per 1,000 predictions")
    tolerance = _tolerance(monitor, now)
    known = [(b, worse) for b in cheaper if (worse := _worse_at_most(now, b.best)) is not None]
    if not known:
        return rule.unknown("how good the cheaper versions are: no final labels of both")
    good = [pair for pair in known if pair[1] <= tolerance]
    if not good:
        return rule.no(f"no cheaper version is surely as good as {now.version}, to within {number_text(tolerance)} of {metric_text(now.metric)}")
    return _change(monitor, facts, newest, *min(good, key=lambda pair: pair[0].best_per_1000 / pair[0].per_1000))


@dataclass(frozen=True, slots=True)
class _Beside:
    """Two versions on the days on which both answered: what a thousand predictions cost, each day weighed by what the first of them answered."""

    now: OfVersion
    best: OfVersion
    days: int
    per_1000: float
    best_per_1000: float


def _beside(now: OfVersion, other: OfVersion) -> _Beside | None:
    """Return two versions on the days on which both answered, so that prices and load were the same; None where these are too few."""
    both = [(of, other.days[day]) for day, of in now.days.items() if of.predictions and day in other.days and other.days[day].predictions]
    known = [(mine, its, mine.per_1000, its.per_1000) for mine, its in both if mine.per_1000 is not None and its.per_1000 is not None]
    n, its_n = sum(mine.predictions for mine, *_ in known), sum(its.predictions for _, its, *_ in known)
    if len(known) < LEAST_DAYS or min(n, its_n) < LEAST_PREDICTIONS:
        return None
    each = (sum(mine.predictions * costs[place] for mine, _, *costs in known) / n for place in (0, 1))
    return _Beside(now, other, len(known), *each)


def _asked(facts: Facts) -> list[str]:
    """Return the versions that answered enough to be compared, the one that answered most first, whether or not their costs are known."""
    counts = Counter(dict(facts.answered)) | Counter({v.version: v.predictions for v in facts.versions})
    return [name for name, n in counts.most_common() if name and n >= LEAST_PREDICTIONS]


def _missing(facts: Facts, asked: Sequence[str], many: Sequence[OfVersion]) -> str:
    """Say what is not known of the costs of versions, and what to add; empty where nothing is missing, or there is nothing to compare."""
    if not facts.names_versions:
        return "versions are not told apart: it needs `columns.version`"
    priced = {v.version for v in many if v.is_priced}
    if len(asked) > 1 and (asked[0] not in priced or len(priced) < 2):  # noqa: PLR2004 - one has nothing beside it
        without = [name for name in asked if name not in priced]
        return f"what predictions of {_named(without)} cost: {_to_add(facts)}"
    if max((v.estimated_ratio for v in many), default=0.0) > MOSTLY:
        return "the cost of versions is shared out by their predictions: no reading says which version a GPU served"
    return ""


def _named(versions: Sequence[str]) -> str:
    names = [*versions[:_SHOWN], *([f"{len(versions) - _SHOWN:,} more"] if len(versions) > _SHOWN else [])]
    return f"{counted(len(versions), 'version')} ({listed(names)})"


def _to_add(facts: Facts) -> str:
    """Say what would tell the costs of versions."""
    if not facts.gpu_hours:
        return "no reading of a GPU that served this model: `watchkeeper sample-gpus` takes them; where tokens are paid for, `cost.llm` says their prices"
    if facts.cost is None:
        return facts.pricing or "no price"
    return f"fewer than {LEAST_PREDICTIONS:,} of their requests each came while a GPU that served them was read by `watchkeeper sample-gpus`"


def _change(monitor: Monitor, facts: Facts, newest: Sequence[date], found: _Beside, worse: float) -> Advice:
    now, best = found.now, found.best
    told = Rule(
        monitor,
        facts,
        "cheaper_version",
        {
            "days": len(newest),
            "predictions": _answers(now, newest),
            "days_of_both": found.days,
            "version": now.version,
            "cost_per_1000_predictions": found.per_1000,
            "to_version": best.version,
            "to_cost_per_1000_predictions": found.best_per_1000,
            "metric": now.metric,
            "value": now.value,
            "to_value": best.value,
            "worse_by_at_most": worse,
        },
    )
    text = (
        f"let version {best.version} answer what {now.version} does: {money(found.best_per_1000)} against {money(found.per_1000)} {facts.currency} per 1,000 predictions "
        f"on the {found.days} days on which both answered, with "
        f"{metric_text(now.metric)} {number_text(best.value, beside=[now.value])} against {number_text(now.value, beside=[best.value])}."
    )
    risk = f"it may be worse by {number_text(max(0.0, worse))} (95 %), and the two did not answer the same requests: `watchkeeper versions compare {monitor.model} {now.version} {best.version}` compares them closer."
    saved = _cost([now], newest, found.per_1000) * (1 - found.best_per_1000 / found.per_1000)
    return told.yes(text, saved, _cost(facts.versions, newest, found.per_1000), float(len(newest)), risk)


def _cost(versions: Sequence[OfVersion], days: Sequence[date], otherwise: float) -> float:
    """Return what all predictions of some days cost; those of which it is not known as many as a price `otherwise` tells."""
    every = [v.days[day] for v in versions for day in days if day in v.days]
    return sum(of.predictions / 1000 * (otherwise if of.per_1000 is None else of.per_1000) for of in every)


def _tolerance(monitor: Monitor, now: OfVersion) -> float:
    """Return by how much a version may be worse and still be called as good: the change of its KPI that is no matter to an alarm either."""
    rule = next((r for r in rules_of(monitor) if r.metric == now.metric), None)
    return 0.0 if rule is None else rule.tolerance * (abs(now.value or 0.0) if rule.is_relative else 1.0)


def _worse_at_most(now: OfVersion, other: OfVersion) -> float | None:
    """Return by how much another version is worse at most (95 %), None where an interval or a direction is missing."""
    ends = (now.value, now.low, now.high, other.value, other.low, other.high)
    if any(e is None for e in ends) or now.direction not in ("higher_is_better", "lower_is_better", "closer_to_zero"):
        return None
    value, low, high, other_value, other_low, other_high = (float(e or 0.0) for e in ends)
    wide = math.hypot((high - low) / 2, (other_high - other_low) / 2)
    if now.direction == "closer_to_zero":
        return abs(other_value) - abs(value) + wide
    return (value - other_value if now.direction == "higher_is_better" else other_value - value) + wide
