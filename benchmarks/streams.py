"""Streams of windows with known onsets: what makes real windows differ although nothing is wrong, and where drift hides.

Belongs here: made rows of small binary models, one mechanism a stream. Does not: running them (detection.py).

    python -m benchmarks.detection --streams benchmarks/streams.py --streams-seeds 0:5 --out alerts.jsonl

Of the form that detection.py takes. Everything is synthetic. Names of streams in which nothing is wrong begin with `n_`, of the others with
`d_`; `truth` of a stream are the features that really moved.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
NUM = [f"x{i}" for i in range(8)]
CAT = [f"c{i}" for i in range(4)]
FEATURES = NUM + CAT
SEGMENTS = 12
_LEVELS = (3, 6, 20, 400)
_SHARED = 0.7  # correlation of x0 with x1, and of x2 with x3
_HOURS, _DAYS = 168, 7


def _as_many(stream: "Stream", _: int) -> int:
    return stream.s.n


def _still(stream: "Stream") -> Floats:
    return np.zeros((stream.T, len(FEATURES)))


@dataclass(frozen=True)
class Spec:
    """One stream: rows `n` in each of `R` reference and `M` monitored windows, `wpw` windows a week, and what happens to them."""

    name: str
    null: bool
    n: int = 1000
    R: int = 42
    M: int = 28
    wpw: int = _DAYS
    drift: str = ""
    label_delay: int = 0
    data_truth: bool = True
    rows: Callable[["Stream", int], int] = _as_many
    wander: Callable[["Stream"], Floats] = _still
    change: Callable[["Change"], None] = lambda _: None
    always: Callable[["Change"], None] = lambda _: None
    moved: tuple[str, ...] = ()
    lasts: int = 1000


@dataclass
class Change:
    """The rows of one window on their way: columns by name, the feature that changes, and chance."""

    stream: "Stream"
    t: int
    rng: np.random.Generator
    columns: dict[str, Any]
    outcome: Floats = field(default_factory=lambda: np.empty(0))

    @property
    def rows(self) -> int:
        """How many there are."""
        return len(self.columns["seg"])

    def some(self, share: float) -> NDArray[np.bool_]:
        """Return a random part of the rows."""
        return np.asarray(self.rng.random(self.rows) < share)


class Stream:
    """The windows of a spec under one seed; window(t) gives the columns of one, the reference's first."""

    def __init__(self, spec: Spec, seed: int) -> None:
        """Draw what holds for the whole stream: the onset, wander, and which feature changes."""
        self.s, self.seed, self.T = spec, seed, spec.R + spec.M
        rng = np.random.default_rng([crc32(spec.name.encode()), seed])
        self.onset = None if spec.null else int(spec.M * 0.4 + rng.integers(0, max(1, spec.M // 6)))
        self.end = spec.M if self.onset is None else min(spec.M, self.onset + spec.lasts)
        self.truth = set(spec.moved)
        self.phase = rng.uniform(0, 2 * np.pi, len(FEATURES))
        self.rng = rng
        self.wander = spec.wander(self)
        self.start = int(rng.integers(0, 2**31))

    def window(self, t: int) -> dict[str, Any]:
        """Return the columns of window t."""
        rng = np.random.default_rng([self.start, t])
        n, wander = self.s.rows(self, t), self.wander[t]
        z = rng.standard_normal((n, len(NUM)))
        for left in (0, 2):
            z[:, left + 1] = _SHARED * z[:, left] + np.sqrt(1 - _SHARED**2) * z[:, left + 1]
        z += wander[: len(NUM)]
        columns: dict[str, Any] = {name: z[:, i] for i, name in enumerate(NUM)}
        columns["x4"], columns["x5"] = np.exp(z[:, 4]), np.where(rng.random(n) < 0.9, 0.0, np.exp(z[:, 5]))
        columns["x6"] = np.round(np.exp(z[:, 6] / 2) * 20)
        columns["x7"] = np.where(rng.random(n) < 0.08, np.nan, z[:, 7] * 3 + 50)
        for name, levels, tilt in zip(CAT, _LEVELS, wander[len(NUM) :], strict=True):
            share = 1 / np.arange(1, levels + 1)
            share[0] *= np.exp(tilt)
            columns[name] = np.searchsorted(np.cumsum(share / share.sum())[:-1], rng.random(n), side="right")
        columns["seg"] = rng.integers(0, SEGMENTS, n)
        columns["p"] = 1 / (1 + np.exp(-(1.2 * z[:, 0] + 0.8 * z[:, 2] - 0.7)))
        change = Change(self, t, rng, columns, columns["p"].copy())
        self.s.always(change)
        if self.onset is not None and self.onset <= t - self.s.R < self.end:
            self.s.change(change)
        columns = change.columns
        columns["y"] = (rng.random(change.rows) < change.outcome[: change.rows]).astype(np.int64)
        columns["delay"] = np.full(change.rows, self.s.label_delay)
        return columns


def _season(stream: Stream, size: float) -> Floats:
    """Return a daily wave and a weekend for hours, a weekly wave for days."""
    t = np.arange(stream.T)[:, None]
    if stream.s.wpw == _HOURS:
        day, weekend = 2 * np.pi * (t % 24) / 24, ((t // 24) % _DAYS) >= 5
        return np.asarray(size * (np.sin(day + stream.phase) + 0.5 * weekend), float)
    return np.asarray(size * np.sin(2 * np.pi * (t % _DAYS) / _DAYS + stream.phase), float)


def _ar(stream: Stream, size: float, memory: float) -> Floats:
    """Return wander that remembers: an AR(1) of that spread."""
    out, noise = np.zeros((stream.T + 200, len(FEATURES))), stream.rng.standard_normal((stream.T + 200, len(FEATURES)))
    for t in range(1, len(out)):
        out[t] = memory * out[t - 1] + np.sqrt(1 - memory**2) * noise[t]
    return np.asarray(size * out[200:], float)


def _hours_of_traffic(stream: Stream, t: int) -> int:
    """Return rows by the hour: a tenth at night of what there is by day."""
    return int(stream.s.n * (0.55 - 0.45 * np.cos(2 * np.pi * ((t % 24) - 3) / 24)))


def _of_customers(change: Change) -> None:
    """Have rows come in clusters: one customer's fifteen rows are alike in half of the features."""
    who = change.rng.integers(0, max(1, change.rows // 15), change.rows)
    for name in ("x4", "x6", "x7", "c1", "c2"):
        change.columns[name] = change.columns[name][who]


def _with_new_names(change: Change) -> None:
    """Give a category that holds names of which some are new in every window."""
    new = change.some(0.03)
    change.columns["c3"] = np.where(new, 10_000 + change.t * 1_000 + change.rng.integers(0, 1_000, change.rows), change.columns["c3"])


def _replace(name: str, made: Callable[[Change, Any], Any]) -> Callable[[Change], None]:
    def changed(change: Change) -> None:
        change.columns[name] = made(change, change.columns[name])

    return changed


def _swapped(change: Change) -> None:
    change.columns["x0"], change.columns["x2"] = change.columns["x2"], change.columns["x0"]


def _outcomes(made: Callable[[Change], Floats]) -> Callable[[Change], None]:
    def changed(change: Change) -> None:
        change.outcome = made(change)

    return changed


def _in_segment(change: Change) -> NDArray[np.bool_]:
    return np.asarray(change.columns["seg"] == 3)


def _without_segment(change: Change) -> None:
    stays = ~_in_segment(change)
    change.outcome = change.outcome[stays]
    change.columns = {name: np.asarray(values)[stays] for name, values in change.columns.items()}


def _turnover(change: Change) -> None:
    """Have the segments be products: a new one every ten windows, each of which sells for some weeks."""
    change.columns["seg"] = np.maximum(-2, change.t // 10 - change.rng.integers(0, 3, change.rows))


_HOURLY: dict[str, Any] = {"n": 400, "R": 4 * _HOURS, "M": 2 * _HOURS, "wpw": _HOURS, "rows": _hours_of_traffic}
_QUIET: tuple[Spec, ...] = (
    Spec("n_plain", null=True),
    Spec("n_hours", null=True, **_HOURLY, wander=lambda s: _season(s, 0.3)),
    Spec("n_hours_wander", null=True, **_HOURLY, wander=lambda s: _season(s, 0.3) + _ar(s, 0.1, 0.9)),
    Spec("n_slow_wander", null=True, wander=lambda s: _ar(s, 0.15, 0.93), R=84),
    Spec("n_weekly", null=True, wander=lambda s: _season(s, 0.4)),
    Spec("n_volume", null=True, rows=lambda s, t: int(s.s.n * (10 if t % 11 == 5 else 0.1 if t % 13 == 7 else 1))),
    Spec("n_grows", null=True, rows=lambda s, t: int(s.s.n * 100 ** (max(0, t - s.s.R) / s.s.M)), n=300),
    Spec("n_busy", null=True, n=20_000, R=28, M=14, wander=lambda s: _ar(s, 0.03, 0.5)),
    Spec("n_customers", null=True, always=_of_customers),
    Spec("n_new_names", null=True, always=_with_new_names),
    Spec("n_turnover", null=True, always=_turnover),
    Spec("n_few", null=True, n=60),
    Spec("n_short", null=True, R=14),
)
_LOUD: tuple[Spec, ...] = (
    Spec("d_default_value", null=False, change=_replace("x4", lambda c, x: np.where(c.some(0.1), 1.0, x)), moved=("x4",)),
    Spec("d_stale", null=False, change=_replace("x7", lambda c, _x: np.full(c.rows, 50.0)), moved=("x7",)),
    Spec("d_rounded", null=False, change=_replace("x7", lambda _, x: np.round(x / 3) * 3), moved=("x7",)),
    Spec("d_clipped", null=False, change=_replace("x4", lambda _, x: np.minimum(x, 2.0)), moved=("x4",)),
    Spec("d_sign", null=False, change=_replace("x1", lambda _, x: -x), moved=("x0", "x1")),
    Spec("d_shuffled", null=False, change=_replace("x3", lambda c, x: c.rng.permutation(x)), moved=("x2", "x3")),
    Spec("d_swapped", null=False, change=_swapped, moved=("x0", "x1", "x2", "x3")),
    Spec("d_tail", null=False, change=_replace("x4", lambda c, x: np.where(c.some(0.05), x * 20, x)), moved=("x4",)),
    Spec("d_zeros", null=False, change=_replace("x5", lambda c, x: np.where(c.some(0.15), 1.0, x)), moved=("x5",)),
    Spec("d_renamed", null=False, change=_replace("c1", lambda _, x: np.where(x == 2, 77, x)), moved=("c1",)),
    Spec("d_merged", null=False, change=_replace("c1", lambda _, x: np.where(x == 2, 1, x)), moved=("c1",)),
    Spec("d_rare", null=False, change=_replace("c2", lambda c, x: np.where(c.some(0.06), 19, x)), moved=("c2",)),
    Spec("d_few_nulls", null=False, change=_replace("x6", lambda c, x: np.where(c.some(0.02), np.nan, x)), moved=("x6",)),
    Spec("d_nulls_in_segment", null=False, change=_replace("x6", lambda c, x: np.where(_in_segment(c) & c.some(0.8), np.nan, x)), moved=("x6",)),
    Spec("d_segment_category", null=False, change=_replace("c1", lambda c, x: np.where(_in_segment(c) & c.some(0.7), 4, x)), moved=("c1",)),
    Spec("d_segment_gone", null=False, change=_without_segment, moved=("seg",)),
    Spec("d_hours", null=False, **_HOURLY, wander=lambda s: _season(s, 0.3), change=_replace("x7", lambda _, x: x + 2.4), moved=("x7",)),
    Spec("d_under_season", null=False, wander=lambda s: _season(s, 0.4), change=_replace("x7", lambda _, x: x + 1.8), moved=("x7",)),
    Spec("d_brief", null=False, change=_replace("x6", lambda _, x: x * 3), moved=("x6",), lasts=1),
    Spec("d_labels_flip", null=False, data_truth=False, drift="concept", change=_outcomes(lambda c: 1 - c.outcome), moved=("kpi",)),
    Spec("d_labels_all_one", null=False, data_truth=False, drift="concept", change=_outcomes(lambda c: np.ones(c.rows)), moved=("kpi",)),
    Spec(
        "d_concept_in_segment",
        null=False,
        n=3000,
        data_truth=False,
        drift="concept",
        change=_outcomes(lambda c: np.where(_in_segment(c), 1 - c.outcome, c.outcome)),
        moved=("kpi",),
    ),
)


def specs() -> dict[str, Spec]:
    """Return all streams by name."""
    return {spec.name: spec for spec in (*_QUIET, *_LOUD)}
