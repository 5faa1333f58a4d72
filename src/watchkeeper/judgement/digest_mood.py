"""The word of a digest's headline: what kind of period it was.

Belongs here: this word, and what alone forbids to call a period quiet: trouble in a segment, a main number worse than any of the reference. Does not: the lines of a digest (digest.py),
how grave an incident was in a period (verdict.py).
"""

from watchkeeper.judgement.developments import LASTING
from watchkeeper.judgement.digest_facts import DigestFacts
from watchkeeper.judgement.incidents import Incident
from watchkeeper.monitor import Monitor
from watchkeeper.records import SEVERITIES

_MAIN = {"binary": "log_loss", "regression": "mae", "multiclass": "accuracy"}


def main_of(monitor: Monitor) -> str:
    """Return the KPI that a digest leads with: of a model that logs no probabilities one of its decisions."""
    return "accuracy" if monitor.decides_alone else _MAIN.get(monitor.task, "")


def mood(monitor: Monitor, facts: DigestFacts) -> str:
    """Return what kind of period it was: by the gravest incident about the whole model; without one, no period is quiet in which something else was plainly wrong."""
    if facts.failed:
        return "not all measured"
    if not facts.scores:
        return "nothing to measure"
    if not facts.is_judged:
        return "not judged"
    worst = max((SEVERITIES.index(i.severity) for i in facts.incidents), default=0)
    if worst == 0 and (facts.is_mostly_aside or facts.blind):
        return "most rows set aside" if facts.is_mostly_aside else "not judged"
    if worst == 0 and (segments_in_trouble(facts) or is_out_of_range(monitor, facts)):
        worst = 1
    if worst == 0 and facts.scores_moved and "label_coverage" not in facts.scores:
        return "its scores moved, and no label tells whether that is harm"
    return ("quiet", "some trouble", "bad", "very bad")[worst]


def is_out_of_range(monitor: Monitor, facts: DigestFacts) -> bool:
    """Tell whether the main number is worse than in any of the reference's periods, with its interval, as these may be few; better is no trouble."""
    return _is_worse(monitor, facts, is_sure=True)


def is_worse_within_interval(monitor: Monitor, facts: DigestFacts) -> bool:
    """Tell whether the main number itself is worse than in any of the reference's periods, and its interval reaches back to them: that is no trouble yet."""
    return _is_worse(monitor, facts, is_sure=False) and not is_out_of_range(monitor, facts)


def _is_worse(monitor: Monitor, facts: DigestFacts, *, is_sure: bool) -> bool:
    main = main_of(monitor)
    score, usual = facts.scores.get(main), facts.usual.get(main)
    if score is None or score.value is None or usual is None or not facts.is_judged:
        return False
    is_lower_better = score.direction == "lower_is_better"
    end = (score.low if is_lower_better else score.high) if is_sure else None
    value = score.value if end is None else end
    return value > usual[1] if is_lower_better else value < usual[0]


def segments_in_trouble(facts: DigestFacts) -> list[Incident]:
    """Return the incidents of segments that were bad in the period or are open, the gravest first, without those that had lasted for long before it ended."""
    lately = [i for i in facts.segments if i.is_open or i.window_end > facts.start]
    news = [i for i in lately if i.state != "lasting" or facts.end <= i.opened_at + LASTING]
    return sorted(news, key=lambda i: -SEVERITIES.index(i.severity))
