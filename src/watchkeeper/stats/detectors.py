"""E-detectors: evidence against "nothing has changed" that may be looked at after every window, for as long as one likes.

Belongs here: evidence that adds up over a series of standard numbers. Does not: what is standard about them (judgement/normal.py).
"""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
SIZES = (0.25, 0.5, 1.0)
"""Shifts that are betted on, in standard deviations of one window: small ones that last, and such as show in two weeks."""
_CAP = 3.0


def e_detector(z: Floats, enough: float) -> Floats:
    """Return the evidence of each window that its series shifted upwards at some window before, shape as `z` (series, windows), NaN where `z` is.

    `z` are standard normal, or shorter of tail, given all before as long as nothing changed. Each bet multiplies by the likelihood ratio
    of a shift by its size, and begins anew at each window: M_t = L_t (M_{t-1} + 1); the evidence is their mean (Shin, Ramdas and Rinaldo 2023,
    "E-detectors", section 2). If nothing changes, E[M_t | before] <= M_{t-1} + 1, so that the mean number of windows until there is `enough` is at least
    `enough`; then all bets begin anew, and what is over is forgotten. A number beyond 3 counts as 3: one wild window is no shift.

    >>> e_detector(np.ones((1, 10)), 50.0)[0].round(0).tolist()
    [1.0, 4.0, 7.0, 11.0, 19.0, 30.0, 47.0, 74.0, 1.0, 4.0]
    """
    bets = np.minimum(z, _CAP)
    out, states = np.full(z.shape, np.nan), np.zeros((len(SIZES), len(z)))
    factors = np.exp(np.multiply.outer(SIZES, bets) - np.square(SIZES)[:, None, None] / 2)
    for w in range(z.shape[1]):
        seen = np.isfinite(bets[:, w])
        states = np.where(seen, factors[:, :, w] * (states + 1.0), states)
        evidence = states.mean(axis=0)
        out[seen, w] = evidence[seen]
        states[:, evidence >= enough] = 0.0
    return out
