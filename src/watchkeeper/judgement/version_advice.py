"""Advice about versions: a cheaper one that is as good.

Belongs here: when a version counts as good as another, and the words. Does not: GPUs (gpu_advice.py), comparing two versions closely
(operations/compare.py).

As good is one that is worse, with 95 % certainty, by no more than the change of its KPI that is no matter to an alarm either (policy.py).
"""

import math
from collections import Counter
from collections.abc import Sequence

from watchkeeper.judgement.advice import MOSTLY, Advice, Facts, OfVersion, Rule
from watchkeeper.judgement.budget import money
from watchkeeper.judgement.policy import rules_of
from watchkeeper.monitor import Monitor
from watchkeeper.words import counted, listed, metric_text, number_text

LEAST_PREDICTIONS = 1000
_CHEAPER = 0.9
_SHOWN = 3


def version_advice(monitor: Monitor, facts: Facts) -> Advice:
    """Return whether a version that answered in the last weeks is cheaper than the one that answers most, and as good."""
    many = sorted((v for v in facts.versions if v.version and v.predictions >= LEAST_PREDICTIONS), key=lambda v: -v.predictions)
    rule = Rule(monitor, facts, "cheaper_version", {})
    asked = _asked(facts)
    if missing := _missing(facts, asked, many):
        return rule.unknown(missing)
    if len(asked) < 2:  # noqa: PLR2004 - one has nothing beside it
        return rule.no(f"no two versions answered {LEAST_PREDICTIONS:,} requests each in the last weeks")
    now, others = many[0], [v for v in many[1:] if v.per_1000 is not None]
    cheaper = [v for v in others if (v.per_1000 or 0.0) < _CHEAPER * (now.per_1000 or 0.0)]
    if not cheaper:
        return rule.no(f"no version is cheaper by a tenth than {now.version}, at {money(now.per_1000)} {facts.currency} per 1,000 predictions")
    tolerance = _tolerance(monitor, now)
    known = [(v, worse) for v in cheaper if (worse := _worse_at_most(now, v)) is not None]
    if not known:
        return rule.unknown("how good the cheaper versions are: no final labels of both")
    good = [pair for pair in known if pair[1] <= tolerance]
    if not good:
        return rule.no(f"no cheaper version is surely as good as {now.version}, to within {number_text(tolerance)} of {metric_text(now.metric)}")
    return _change(monitor, facts, now, *min(good, key=lambda pair: pair[0].per_1000 or 0.0))


def _asked(facts: Facts) -> list[str]:
    """Return the versions that answered enough to be compared, the one that answered most first, whether or not their costs are known."""
    counts = Counter(dict(facts.answered)) | Counter({v.version: v.predictions for v in facts.versions})
    return [name for name, n in counts.most_common() if name and n >= LEAST_PREDICTIONS]


def _missing(facts: Facts, asked: Sequence[str], many: Sequence[OfVersion]) -> str:
    """Say what is not known of the costs of versions, and what to add; empty where nothing is missing, or there is nothing to compare."""
    if not facts.names_versions:
        return "versions are not told apart: it needs `columns.version`"
    priced = {v.version for v in many if v.per_1000 is not None}
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


def _change(monitor: Monitor, facts: Facts, now: OfVersion, best: OfVersion, worse: float) -> Advice:
    told = Rule(
        monitor,
        facts,
        "cheaper_version",
        {
            "days": facts.days_asked,
            "version": now.version,
            "cost_per_1000_predictions": now.per_1000,
            "to_version": best.version,
            "to_cost_per_1000_predictions": best.per_1000,
            "metric": now.metric,
            "value": now.value,
            "to_value": best.value,
            "worse_by_at_most": worse,
        },
    )
    text = (
        f"let version {best.version} answer what {now.version} does: {money(best.per_1000)} against {money(now.per_1000)} {facts.currency} per 1,000 predictions, with "
        f"{metric_text(now.metric)} {number_text(best.value, beside=[now.value])} against {number_text(now.value, beside=[best.value])}."
    )
    risk = f"it may be worse by {number_text(max(0.0, worse))} (95 %), and the two did not answer the same requests: `watchkeeper versions compare {monitor.model} {now.version} {best.version}` compares them closer."
    saved = now.predictions / 1000 * ((now.per_1000 or 0.0) - (best.per_1000 or 0.0))
    return told.yes(text, saved, _cost(facts.versions, now), facts.days_asked, risk)


def _cost(versions: Sequence[OfVersion], now: OfVersion) -> float:
    """Return what all predictions cost by what each version's do; those of a version of which that is not known as those of the one that answers most."""
    return sum(v.predictions / 1000 * ((now.per_1000 or 0.0) if v.per_1000 is None else v.per_1000) for v in versions)


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
