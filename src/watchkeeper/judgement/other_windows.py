"""Other windows: what becomes of an incident when its monitor's window or time zone is edited.

Belongs here: telling that an incident's windows are none of the monitor's any more, and why it ends with that. Does not: windows that are
judged as before, and other edits (developments.py).

Numbers of hours say nothing of whether a bad day is over: hours that are in line were never what was out of line. So an incident of
windows that are measured no more ends as no longer judged, unless the new windows bear it out: then it goes on with these.
"""

from collections.abc import Iterable

from watchkeeper.judgement.episodes import Episode
from watchkeeper.monitor import Monitor
from watchkeeper.records import Signal
from watchkeeper.windows import Window, grain_of

UNJUDGED = "no longer judged: "


def unjudged_text(monitor: Monitor, signals: Iterable[Signal], episode: Episode | None) -> str:
    """Return why an incident is no longer judged, by its signals and what the monitor's windows show of it; empty where it is."""
    last = max(signals, key=lambda s: s.window_start, default=None)
    if last is None:
        return ""
    grids = (monitor.grid, *(monitor.promise_grids if last.family == "target" else ()))
    is_of_ours = any(grid.at(last.window_start) == Window(last.window_start, last.window_end) for grid in grids)
    if is_of_ours or (episode is not None and (not episode.is_over or episode.end > last.window_start)):
        return ""
    grain = grain_of(last.window_end - last.window_start)
    if last.family == "target":
        return f"{UNJUDGED}no promise is judged by the {grain} any more"
    if grain == monitor.window:
        return f"{UNJUDGED}the monitor's time zone changed"
    return f"{UNJUDGED}the monitor's window changed from {grain} to {monitor.window}"
