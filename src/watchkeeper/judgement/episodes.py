"""Episodes: signals about one subject with no long pause between them, and how grave each is.

Belongs here: what a signal is about, and which signals are one story. Does not: which scores are signals (signals.py), what
becomes of an episode (developments.py).

The rules: page signals about one subject form an episode while no more than `GAP` evaluated windows lie clear between two of
them; three clear windows end it. A window for which nothing was measured is neither: silence is no sign of health. What alarmed in three windows and
comes again within `AGAIN` of its end is the same story, which goes on, and so is what was out of line again sooner than it alarmed (onset.py). Hours tell less: what comes within a day, or before they are back
(recovery.py), goes on.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from watchkeeper.judgement.breaks import BROKEN
from watchkeeper.judgement.odd_inputs import EXCHANGED
from watchkeeper.records import SEVERITIES, Severity, Signal
from watchkeeper.windows import Window

GAP = 2
GAP_OF_HOURS = 23
CLEAR = 3
AGAIN = timedelta(days=7)
MISSING_ROWS, MISSING_LABELS, MISSING_SEGMENTS = "missing rows", "missing labels", "missing segments"
_FAULTS = {
    "null_ratio": "missing values",
    "unseen_ratio": "new categories",
    EXCHANGED: "exchanged codes",
    BROKEN: "broken expectations",
    "rows": MISSING_ROWS,
    "label_coverage": MISSING_LABELS,
}
WITHOUT_LABELS = ("data", "service")


AreBack = Callable[[Sequence[Signal], Sequence[datetime]], bool]
"""Tells of a run of signals and the measured windows since whether these are in line."""


@dataclass(frozen=True, slots=True)
class Episode:
    """Signals about one subject with no long pause between them; `onset` is since when their numbers were out of line, where that was earlier.

    `since` is when the era began that it is judged in, None for the first. One that went on until the next era began, and not in that, is
    over with it; `ended` says so.
    """

    subject: str
    family: str
    signals: list[Signal]
    is_over: bool
    onset: datetime | None = None
    since: datetime | None = None
    ended: str = ""

    @property
    def start(self) -> datetime:
        """Start of its first window out of line."""
        return self.onset or self.signals[0].window_start

    @property
    def rows_from(self) -> datetime | None:
        """When the first of its bad rows was, where its first window is known by its newest rows alone, else None."""
        first = [s.rows_from for s in self.signals if s.window_start <= self.start]
        known = [moment for moment in first if moment is not None]
        return min(known) if known and len(known) == len(first) else None

    @property
    def first_end(self) -> datetime:
        """End of its first window out of line."""
        return self.start + (self.signals[0].window_end - self.signals[0].window_start)

    @property
    def end(self) -> datetime:
        """End of its last window."""
        return max(s.window_end for s in self.signals)


def windows_out_of_line(episode: Episode) -> list[Window]:
    """Return the windows of an episode that surely are part of it: that alarmed by themselves, where none did those that alarmed outside what is usual, and those before its first alarm; else all.

    A chart of slow changes remembers: it may still alarm when what it is about is over.
    """
    outside = [s for s in episode.signals if _is_outside(s)]
    mine = {Window(s.window_start, s.window_end) for s in [s for s in outside if s.rule != "slow"] or outside}
    if not mine:
        return [Window(episode.start, episode.end)]
    alarmed = episode.signals[0].window_start
    return sorted({*mine, *([Window(episode.start, alarmed)] if episode.start < alarmed else [])})


def rows_out_of_line(episode: Episode) -> list[Window]:
    """Return of when the rows of an episode's bad windows are; of windows that were told by their newest rows alone these are all that is known to be bad."""
    spans = [Window(s.rows_from, s.rows_to + timedelta.resolution) for s in episode.signals if s.rows_from is not None and s.rows_to is not None]
    return spans if len(spans) == len(episode.signals) else windows_out_of_line(episode)


def bad_windows_before(episode: Episode, signals: Iterable[Signal]) -> list[Window]:
    """Return the windows before an episode of quality that paged about its subject, or about the whole model: they do not show what is usual of a segment either."""
    mine = (s for s in signals if s.level == "page" and episode.family in ("kpi", "segment") and s.family in ("kpi", episode.family))
    about = {episode.subject, "kpi"}
    return sorted({Window(s.window_start, s.window_end) for s in mine if subject_of(s) in about and s.window_end <= episode.start})


def _is_outside(signal: Signal) -> bool:
    above = signal.normal_high is not None and signal.value > signal.normal_high
    return above or (signal.normal_low is not None and signal.value < signal.normal_low)


def subject_of(signal: Signal) -> str:
    """Return what a signal is about: signals about one subject are one story."""
    if signal.family == "segment":
        return signal.segment
    if signal.family == "target":
        return f"target {signal.metric}" + "".join(f" {part}" for part in (signal.feature, signal.segment) if part)
    if signal.metric == "rows" and signal.segment:
        return MISSING_SEGMENTS
    return _FAULTS.get(signal.metric, signal.family) if signal.family == "data" else signal.family


def final_of(metric: str, segment: str) -> str:
    """Return what must be final in a window for it to show that a number's trouble is over: the metric, of a segment's rows those rows."""
    return f"rows of {segment}" if metric == "rows" and segment else metric


def with_labels_due(episode: Episode, due: datetime) -> Episode:
    """Return the part of an episode whose labels are due: up to its last alarm that labels made before `due`; all of it where there was none.

    What has come of later windows is no fair sample: news of one kind comes first.
    """
    if not needs_labels(episode.family, episode.subject) or episode.end <= due:
        return episode
    needless = {s.metric for s in episode.signals if s.state == "mature" and s.window_end > due}
    mine = [s for s in episode.signals if s.state == "mature" and s.window_end <= due and s.metric not in needless]
    return replace(episode, signals=mine) if mine else episode


def needs_labels(family: str, subject: str) -> bool:
    """Tell whether labels may still change what is said of a subject."""
    return family not in WITHOUT_LABELS or subject == MISSING_LABELS


def episodes(
    signals: Iterable[Signal],
    windows: Sequence[datetime],
    final: Mapping[str, Collection[datetime]],
    *,
    gap: int = GAP,
    clear: int = CLEAR,
    again: timedelta = timedelta(0),
    are_back: AreBack = lambda _run, _quiet: True,
) -> list[Episode]:
    """Return the episodes of page signals; `windows` are the starts of all judged windows of their grain, ascending.

    An episode goes on over at most `gap` windows without a signal, and is over after `clear` ones without in which a number of
    its metrics is final; `final` gives the windows in which a metric (`final_of`) has such a number. One of `CLEAR` windows with a signal goes on with what
    begins within `again` of its last. Until `are_back` says of the windows without, up to the next signal, that they are in line, it goes on.
    """
    by_subject: dict[tuple[str, str], list[Signal]] = defaultdict(list)
    for signal in signals:
        by_subject[subject_of(signal), signal.family].append(signal)
    place = {start: i for i, start in enumerate(windows)}
    out = []
    for (subject, family), mine in sorted(by_subject.items()):

        def quiet(run: Sequence[Signal]) -> list[datetime]:
            known = set[datetime]().union(*(final.get(name, ()) for name in {final_of(s.metric, s.segment) for s in run}))
            return [w for w in windows[place.get(run[-1].window_start, len(windows)) + 1 :] if w in known]

        def is_apart(run: Sequence[Signal], after: Signal) -> bool:
            is_far = place.get(after.window_start, 0) - place.get(run[-1].window_start, 0) > gap + 1
            comes_again = after.window_start - run[-1].window_end <= again and len({s.window_start for s in run}) >= CLEAR
            return is_far and not comes_again and are_back(run, [w for w in quiet(run) if w < after.window_start])

        runs = _runs(sorted(mine, key=lambda s: (s.window_start, s.metric)), is_apart)
        for run in runs:
            is_over = len(quiet(run)) >= clear and (run is not runs[-1] or are_back(run, quiet(run)))
            out.append(Episode(subject, family, run, is_over=is_over))
    return sorted(out, key=lambda e: (e.start, e.subject))


def across(before: Sequence[Episode], after: Sequence[Episode], gap: int) -> list[Episode]:
    """Return the episodes of earlier eras and of the next one; what is out of line by the new normal as it was by the old one is one episode.

    It is where at most `gap` windows lie between the end of the one, which was over with its era, and the beginning of the other.
    """
    out, left = [], list(before)
    for episode in sorted(after, key=lambda e: e.start):
        reach = gap * (episode.signals[0].window_end - episode.signals[0].window_start)
        same = [e for e in left if e.ended and (e.subject, e.family) == (episode.subject, episode.family) and episode.start <= e.end + reach]
        for old in same[-1:]:
            left.remove(old)
            episode = replace(episode, signals=[*old.signals, *episode.signals], onset=old.onset, since=old.since)  # noqa: PLW2901 - it goes on
        out.append(episode)
    return sorted([*left, *out], key=lambda e: (e.start, e.subject))


def _runs(signals: Sequence[Signal], is_apart: Callable[[Sequence[Signal], Signal], bool]) -> list[list[Signal]]:
    runs: list[list[Signal]] = []
    for signal in signals:
        if runs and not is_apart(runs[-1], signal):
            runs[-1].append(signal)
        else:
            runs.append([signal])
    return runs


def severity_of(episode: Episode) -> Severity:
    """Return how grave an episode is: by how unlikely its worst window is, how long it lasts, and whom it concerns.

    warning: within the alert budget; high: p < 1e-5, or three windows and more; critical: both, for the whole model.
    A segment, also a region or a host alone, is one step lower, data faults, promises and budgets are warnings unless all of p, length and breadth are there.
    """
    windows = len({s.window_start for s in episode.signals})
    is_unlikely = min((s.p for s in episode.signals if s.family != "target"), default=1.0) < 1e-5  # noqa: PLR2004 - stated above
    rank = 1 + is_unlikely + (windows >= CLEAR)
    if episode.family in ("segment", "data", "target", "cost") or all(s.segment for s in episode.signals):
        rank = min(rank, 3) - 1
    return SEVERITIES[max(1, min(rank, 3))]
