"""Which signal tells an episode best.

Belongs here: that choice. Does not: which signals belong together (episodes.py), the words (story.py).
"""

from collections.abc import Sequence

from watchkeeper.judgement.service_story import place_that_leads
from watchkeeper.records import Signal

_CLEARLY = 1.5
"""So many times as far from what is expected as its usual limit lies a number that is clearly out of line."""


def lead_of(signals: Sequence[Signal]) -> Signal:
    """Return the signal that tells an episode best: a calibration gap before other KPIs, of a service the place that stands out; then the least likely, then the first.

    A gap that is hardly more than usual gives way to a KPI that is far beyond it, and one that alarmed in few windows to what is surer and alarmed in more than twice as many.
    """
    place = place_that_leads(signals)
    mine = signals if place is None else [s for s in signals if (s.metric, s.segment) == place]
    gaps = [s for s in mine if s.metric in ("calibration_gap", "calibration_gap_to_rest")]
    rest = [s for s in mine if s not in gaps]
    reach = max((_reach(s) for s in gaps), default=0.0)
    is_faint = reach < _CLEARLY and max((_reach(s) for s in rest), default=0.0) >= max(_CLEARLY, 2 * reach)
    is_rare = bool(gaps) and any(
        2 * len(gaps) < len([s for s in rest if s.metric == other.metric]) and other.p < min(s.p for s in gaps) for other in rest
    )
    return min((rest if is_faint or is_rare else gaps) or mine, key=lambda s: (s.p, s.window_start))


def _reach(signal: Signal) -> float:
    """Return how far a number lies from what is expected, where its usual limit on that side lies at 1; 0 where none is known."""
    limit = signal.normal_high if signal.value > signal.expected else signal.normal_low
    room = 0.0 if limit is None else abs(limit - signal.expected)
    return abs(signal.value - signal.expected) / room if room else 0.0
