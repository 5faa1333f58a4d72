"""Moments of ranks: how the shape of a distribution moved, in four numbers of which each has mean 0 and variance 1 when nothing did.

Belongs here: Neyman's smooth test, order 4, on counts over cells in value order. Does not: distances (distances.py).
"""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
MOMENTS = ("loc", "spread", "skew", "tails")
PLACE_AND_WIDTH = MOMENTS[:2]
"""Those that are judged: with a direction, so that a slow change of some windows adds up."""


def mid_ranks(reference: NDArray[np.int64]) -> Floats:
    """Return where the middle of each cell lies among the reference's values, 0 to 1.

    >>> mid_ranks(np.array([2, 2])).tolist()
    [0.25, 0.75]
    """
    total = reference.sum()
    return np.full(len(reference), np.nan) if total == 0 else (np.cumsum(reference) - reference / 2) / total


def legendre(ranks: Floats, moment: str) -> Floats:
    """Return the moment's row function, a normalised Legendre polynomial of the rank (Neyman 1937).

    >>> legendre(np.array([0.5, 1.0]), "loc").round(3).tolist()
    [0.0, 1.732]
    """
    v = 2 * ranks - 1
    polynomials: dict[str, Floats] = {
        "loc": np.sqrt(3) * v,
        "spread": np.sqrt(5) * (3 * v**2 - 1) / 2,
        "skew": np.sqrt(7) * (5 * v**3 - 3 * v) / 2,
        "tails": 3 * (35 * v**4 - 30 * v**2 + 3) / 8,
    }
    return polynomials[moment]
