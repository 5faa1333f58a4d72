"""Classes of a binary model: which texts of a label or a decision are the positive one, and which are neither.

Belongs here: the meaning of one column. Does not: setting rows aside (cast.py), or the join (join.py).
"""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from watchkeeper.operations.convert import text_of

_TRUE_TEXTS = frozenset({"1", "1.0", "true", "t", "yes", "y"})
_FALSE_TEXTS = frozenset({"0", "0.0", "-0.0", "-1", "-1.0", "false", "f", "no", "n"})
_TRUTHS = _TRUE_TEXTS | _FALSE_TEXTS


def is_positive(column: pa.ChunkedArray, positive: object) -> NDArray[np.float64]:
    """Return 1.0 where a class is the positive one, 0.0 where another, NaN where null.

    True and false count however they are spelled, also where false is the positive one.

    >>> is_positive(pa.chunked_array([[True, False, None]]), 0).tolist()
    [0.0, 1.0, nan]
    """
    lower = _lower(column)
    hit = pc.cast(pc.is_in(lower, pa.array(sorted(spellings(positive)))), pa.float64())
    return np.asarray(pc.if_else(pc.is_null(lower), pa.scalar(np.nan), hit).combine_chunks(), dtype=float)


def is_foreign(column: pa.ChunkedArray, positive: object) -> pa.ChunkedArray:
    """Return where a value is neither true nor false although the positive class is one of the two.

    Of a class with a name, such as `churned`, every other name is the negative one, and none is foreign.

    >>> is_foreign(pa.chunked_array([["1", "no", "2", None]]), 1).to_pylist()
    [False, False, True, False]
    """
    if has_name(positive):
        return pa.chunked_array([pa.repeat(pa.scalar(False), len(column))])
    known = pa.array(sorted(_TRUTHS))
    lower = _lower(column)
    return pc.and_(pc.is_valid(lower), pc.invert(pc.is_in(lower, known)))


def has_name(positive: object) -> bool:
    """Tell whether a label has a name of its own, and is neither true nor false."""
    return not spellings(positive) <= _TRUTHS


def spellings(positive: object) -> frozenset[str]:
    """Return the texts, in small letters, that mean a label: of true and false every spelling."""
    said = text_of(positive).lower()
    return next((texts for texts in (_TRUE_TEXTS, _FALSE_TEXTS) if said in texts), frozenset({said}))


def opposite_spellings(positive: object) -> frozenset[str]:
    """Return the texts that mean the opposite of true or of false; of a class with a name none is known."""
    ours = spellings(positive)
    return _TRUTHS - ours if ours <= _TRUTHS else frozenset()


def _lower(column: pa.ChunkedArray) -> pa.ChunkedArray:
    return pc.utf8_lower(pc.cast(column, pa.string()))
