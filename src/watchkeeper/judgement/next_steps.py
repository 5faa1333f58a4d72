"""What a person should do about an incident: one or two sentences, by the cause that leads.

Belongs here: cause and place -> advice. Does not: causes (causes.py), the other words of an incident (story.py).
"""

from collections.abc import Sequence
from datetime import timedelta

from watchkeeper.judgement.causes import undecided
from watchkeeper.judgement.data_story import mend_data
from watchkeeper.judgement.episodes import Episode
from watchkeeper.judgement.evidence import Evidence
from watchkeeper.judgement.places import worst_of
from watchkeeper.judgement.spans import span_text
from watchkeeper.monitor import Monitor
from watchkeeper.story import Cause
from watchkeeper.windows import grain_of

_LONG, _LONG_ENOUGH = 3, timedelta(days=14)


def next_steps(monitor: Monitor, episode: Episode, evidence: Evidence, found: Sequence[Cause]) -> list[str]:
    """Return what to do about an episode, given its causes, the likeliest first."""
    owner = monitor.owner or "the owner"
    if episode.family == "data":
        return [mend_data(owner, episode, evidence)]
    steps = []
    kind = found[0].kind if len(undecided(found)) == 1 else ""
    worst = next((s.segment for s in worst_of(evidence)), "")
    if kind == "data":
        steps.append("repair the data first; do not retrain on it.")
    elif kind == "labels":
        steps.append(f"do not distrust the model yet: ask {owner} how these labels were made; do not retrain on them.")
    elif kind in ("infrastructure", "traffic"):
        steps.append(f"look there first: {found[0].subject.partition(';')[0]}.")
    elif kind in ("release", "config"):
        steps.append("look at that change first; roll it back if the figures agree.")
    elif kind == "concept" and evidence.gap is not None:
        side = _doubtful_side(monitor, evidence)
        is_own = episode.family != "target" or any(
            s.metric for s in evidence.segments
        )  # the worst by another number need not be where a promise broke
        place = f" at {worst}" if worst and is_own else f" at {episode.subject}" if episode.family == "segment" else ""
        steps.append(f'distrust "{side}"{place}; ask {owner} what changed.')
    else:
        place = f"{worst}, " if worst and any(s.metric for s in evidence.segments) else ""
        steps.append(f"look closer at {place}{span_text(monitor, episode.start, episode.end, evidence.told_at)}; ask {owner} what changed.")
    if kind not in ("data", "labels", "infrastructure", "traffic") and (time := _too_short(episode)):
        steps.append(f"Do not retrain on {time}.")
    return steps


def _doubtful_side(monitor: Monitor, evidence: Evidence) -> str:
    """Return the answer that is wrong more often than it was: what a recall misses, else by the gap of outcome and model."""
    gap = evidence.gap
    more_came = evidence.lead.metric == "recall" or (gap is not None and (gap.value or 0.0) > (evidence.usual_gap or 0.0))
    return f"not {monitor.wording.positive}" if more_came else monitor.wording.positive


def _too_short(episode: Episode) -> str:
    """Return the bad time of an episode that is too short to learn from: of few windows, and less than two weeks in all; else nothing."""
    lengths = [end - start for start, end in {(s.window_start, s.window_end) for s in episode.signals}]
    before = episode.signals[0].window_start - episode.start
    windows = len(lengths) + round(before / lengths[0])
    if windows >= _LONG or sum(lengths, before) >= _LONG_ENOUGH:
        return ""
    return f"one {grain_of(lengths[0])}" if windows == 1 else f"{windows} {grain_of(lengths[0])}s"
