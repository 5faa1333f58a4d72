"""What is normal for a number: season, wander between windows, and sampling noise, learned from the reference's windows.

Belongs here: the noise model and the charts (sudden, slow, and what surprises). Does not: the season (season.py), which numbers are charted and
what an alarm means (charts.py). A panel is all series of one metric, so that wander is pooled within one kind of statistic.

Model: m_jt = mu_j(place of the week) + W_jt + e_jt, with Var e_jt known from n and W an AR(1) with variance tau2_j, correlation phi.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import digamma, ndtri, polygamma, stdtr

from watchkeeper.judgement.season import centre as centre_of
from watchkeeper.judgement.season import spread
from watchkeeper.reference import LEAST_TO_LEARN

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
SHRINK = 10.0
LEAST_WINDOWS = LEAST_TO_LEARN
COLD_WANDER = 0.05


@dataclass(frozen=True)
class Panel:
    """All series of one metric over the same windows; arrays are (series, windows), NaN where there is no number; `place` is that of the week."""

    metric: str
    names: list[tuple[str, str]]
    value: Floats
    variance: Floats
    place: NDArray[np.int64]
    is_reference: Bools
    slots: int = 1


@dataclass(frozen=True)
class Normal:
    """What was learned, per series: the centre per place of the week, wander, its memory, and how sure the centre is."""

    centre: Floats
    tau2: Floats
    phi: float
    centre_variance: Floats
    freedom: Floats
    windows: NDArray[np.int64]

    @property
    def is_calibrated(self) -> Bools:
        """Whether the reference had enough windows to learn wander at all."""
        return self.windows >= LEAST_WINDOWS


def learn(panel: Panel) -> Normal:
    """Learn what is normal from the panel's reference windows."""
    values, variances, place = panel.value[:, panel.is_reference], panel.variance[:, panel.is_reference], panel.place[panel.is_reference]
    fits = [centre_of(values[j], place, panel.slots) for j in range(len(values))]
    centre = np.array([f[0] for f in fits]).reshape(len(values), 7 * panel.slots)
    columns = np.array([f[1] for f in fits], float)
    residual = values - centre[:, place]
    windows = np.isfinite(values).sum(axis=1)
    left = np.maximum(1.0, windows - columns)
    scatter = np.nansum(residual**2, axis=1) / left
    noise = row_means(variances)
    ratio, prior = _shrunk(scatter, noise, left)
    phi = _memory(residual, ratio, windows)
    grown = (1 + phi) / (1 - phi)
    wander = np.where(noise > 0, (ratio - 1) * noise, scatter) / np.maximum(0.3, 1 - columns / np.maximum(1, windows) * grown)
    tau2 = np.where(windows >= LEAST_WINDOWS, np.maximum(0.0, wander), COLD_WANDER**2)
    centre_variance = columns / np.maximum(1, windows) * (noise + tau2 * grown)
    share = np.where(ratio > 1, 1 - 1 / ratio, 0.0)
    freedom = np.maximum(4.0, (prior + left) * (1 - phi**2 * share) / (1 + phi**2 * share))
    return Normal(centre, tau2, phi, centre_variance, freedom, windows)


def deviations(panel: Panel, normal: Normal) -> Floats:
    """Return each number's distance from its centre."""
    return panel.value - normal.centre[:, panel.place]


def sudden(panel: Panel, normal: Normal, deviation: Floats, tolerance: Floats) -> Floats:
    """Return z of each window by itself; the first `tolerance`, shape (series, 1), of a deviation is never counted."""
    spread = np.sqrt(normal.tau2[:, None] + panel.variance + normal.centre_variance[:, None])
    return _beyond(deviation, tolerance) / np.maximum(spread, 1e-12)


def slow(panel: Panel, normal: Normal, deviation: Floats, tolerance: Floats, weight: float) -> Floats:
    """Return z of an exponentially weighted mean started after the reference; each step is capped at three spreads.

    The cap keeps one wild window from echoing through the days after it; its own noise, which is as wild, does not widen it.
    """
    usual = row_means(panel.variance[:, panel.is_reference])[:, None]
    spread = np.sqrt(normal.tau2[:, None] + np.minimum(panel.variance, 2 * usual))
    capped = np.clip(deviation, -3 * spread, 3 * spread)
    out = np.full_like(deviation, np.nan)
    state, noise, steps = np.zeros(len(deviation)), np.zeros(len(deviation)), np.zeros(len(deviation))
    memory = kept_by_memory(normal.phi, weight)
    is_seen, step, doubt = np.isfinite(capped), np.nan_to_num(capped), np.nan_to_num(panel.variance)
    for w in np.flatnonzero(~panel.is_reference):
        seen = is_seen[:, w]
        state = np.where(seen, (1 - weight) * state + weight * step[:, w], state)
        noise = np.where(seen, (1 - weight) ** 2 * noise + weight**2 * doubt[:, w], noise)
        steps += seen
        wander = weight / (2 - weight) * (1 - (1 - weight) ** (2 * steps)) * normal.tau2 * memory
        total = np.sqrt(wander + noise + normal.centre_variance)
        out[seen, w] = (_beyond(state, tolerance[:, 0]) / np.maximum(total, 1e-12))[seen]
    return out


def kept_by_memory(phi: float, weight: float) -> float:
    """Return by how much wander that remembers widens a weighted mean's variance (AR(1), weights falling by 1 - `weight`)."""
    return (1 + phi * (1 - weight)) / (1 - phi * (1 - weight))


def surprises(panel: Panel, normal: Normal, deviation: Floats, tolerance: Floats, side: int) -> Floats:
    """Return how far beyond what those before it let expect each window after the reference lies on a side, as standard normal numbers given these.

    Wander is followed from window to window (Kalman 1960), so that what it explains is no surprise. A lasting shift of `tolerance`, shape (series, 1), is none.
    """
    noise, ahead, doubt = panel.variance, np.zeros(len(deviation)), normal.tau2.copy()
    out = np.full_like(deviation, np.nan)
    for w in range(deviation.shape[1]):
        ahead, doubt = normal.phi * ahead, normal.phi**2 * doubt + (1 - normal.phi**2) * normal.tau2
        seen = np.isfinite(deviation[:, w])
        off = np.where(seen, deviation[:, w] - ahead, 0.0)
        total = doubt + noise[:, w]
        z = (side * off - tolerance[:, 0]) / np.maximum(np.sqrt(total + normal.centre_variance), 1e-12)
        out[seen, w] = z[seen]
        gain = np.where(seen, doubt / np.maximum(total, 1e-300), 0.0)
        ahead, doubt = ahead + gain * off, doubt * (1 - gain)
    out[:, panel.is_reference] = np.nan
    return np.asarray(np.sign(out) * -ndtri(np.maximum(stdtr(normal.freedom[:, None], -np.abs(out)), 1e-300)), float)


def chances(z: Floats, normal: Normal, direction: str) -> Floats:
    """Return p-values: two-sided for numbers that should stay where they are, else for the bad side only."""
    return chances_of(z, normal.freedom[:, None] if z.ndim > 1 else normal.freedom, direction)


def chances_of(z: Floats, freedom: Floats, direction: str) -> Floats:
    """Return p-values of Student's t with so much freedom, as `chances` does."""
    sides = sides_of(direction)
    return np.asarray(stdtr(freedom, -sides[0] * z) if len(sides) == 1 else 2 * stdtr(freedom, -np.abs(z)), float)


def sides_of(direction: str) -> tuple[int, ...]:
    """Return on which sides of what is usual a number is out of line: above (1), below (-1)."""
    return {"lower_is_better": (1,), "higher_is_better": (-1,)}.get(direction, (-1, 1))


def usual_ranges(panel: Panel, normal: Normal, series: int) -> tuple[Floats, Floats]:
    """Return what 95 % of reference windows lie between, at the place of each window; of few windows, by wander and sampling noise."""
    reference, centre = panel.is_reference, normal.centre[series, panel.place]
    half = 1.96 * float(np.sqrt(normal.tau2[series] + row_means(panel.variance[[series]][:, reference])[0]))
    low, high = spread(panel.value[series, reference] - centre[reference]) or (-half, half)
    return centre + low, centre + high


def _beyond(deviation: Floats, tolerance: Floats) -> Floats:
    return np.sign(deviation) * np.maximum(0.0, np.abs(deviation) - tolerance)


def row_means(values: Floats) -> Floats:
    """Return the mean of the numbers in each row, 0 where there are none."""
    seen = np.isfinite(values)
    means: Floats = np.where(seen, values, 0.0).sum(axis=1) / np.maximum(1, seen.sum(axis=1))
    return means


def _shrunk(spread: Floats, noise: Floats, left: Floats) -> tuple[Floats, float]:
    """Return over-dispersion per series, at least 1, drawn towards what the panel's have in common, and how many windows that counts as.

    The more alike they are beyond chance the more it counts (empirical Bayes, Smyth 2004, section 6.2), up to `SHRINK`.
    """
    raw = np.where((noise > 0) & (spread > 0), spread / np.maximum(noise, 1e-300), np.nan)
    known = np.isfinite(raw)
    if not known.any():
        return np.ones(len(raw)), SHRINK
    half = left[known] / 2
    logs = np.log(raw[known]) - digamma(half) + np.log(half)
    beyond = float(logs.var(ddof=1) - polygamma(1, half).mean()) if len(logs) > 1 else 0.0
    prior = min(SHRINK, 2 * _inverse_trigamma(beyond)) if beyond > 0 else SHRINK
    middle = float(np.exp(np.median(logs) + digamma(prior / 2) - np.log(prior / 2)))
    shrunk: Floats = np.maximum(1.0, (prior * middle + left * np.where(known, raw, middle)) / (prior + left))
    return shrunk, prior


def _inverse_trigamma(value: float) -> float:
    """Return x with trigamma(x) = `value` (Newton, as in Smyth 2004, appendix)."""
    x = 0.5 + 1 / value
    for _ in range(20):
        at = float(polygamma(1, x))
        x += at * (1 - at / value) / float(polygamma(2, x))
    return x


def _memory(residual: Floats, ratio: Floats, windows: NDArray[np.int64]) -> float:
    """Return the correlation of wander from one window to the next, pooled over the panel."""
    ahead, behind = residual[:, 1:], residual[:, :-1]
    both = np.isfinite(ahead) & np.isfinite(behind)
    product, square = float((ahead * behind)[both].sum()), float((residual[np.isfinite(residual)] ** 2).sum())
    typical = float(np.median(windows)) if len(windows) else 0.0
    if square <= 0 or typical < LEAST_WINDOWS:
        return 0.3
    raw = product / square
    first = raw + (1 + 4 * raw) / typical
    dispersed = 1 - 1 / float(np.mean(ratio))
    return float(np.clip(first / dispersed, 0.0, 0.9)) if first > 0.05 and dispersed > 0.05 else 0.0  # noqa: PLR2004 - below that it is noise
