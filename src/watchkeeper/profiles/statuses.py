"""Statuses: the text that an answer came with -> one of a few classes, the same for every service and however many texts there are.

Belongs here: which class a text is of. Does not: counting them (scan.py), or what a share of errors means (measures/service.py).

HTTP statuses are read by number, gRPC's by name, exceptions by what their names say. What says nothing of these is "other".
"""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

CLASSES = ("ok", "other", "timeout", "client_error", "server_error", "exception", "rate_limited", "out_of_memory", "cancelled")
"""The classes in the order of their cells; a release that counted errors alone had the first two."""
OF_THE_CLIENT = ("client_error", "rate_limited", "cancelled")
"""What the service is not to blame for."""
WELL = frozenset({"", "ok", "success", "succeeded", "successful", "true", "0", "done", "completed", "none", "null", "nan"})

_PLACE = {name: cell for cell, name in enumerate(CLASSES)}
_NUMBER, _ENDS = r"^(?:http\S*[ _-]+)?", r"(?:$|[^\w.])"
_PATTERNS = (
    ("timeout", _NUMBER + r"(?:408|504|524)" + _ENDS),
    ("rate_limited", _NUMBER + r"429" + _ENDS),
    ("cancelled", _NUMBER + r"499" + _ENDS),
    ("client_error", _NUMBER + r"4(?:\d\d|xx)" + _ENDS),
    ("server_error", _NUMBER + r"5(?:\d\d|xx)" + _ENDS),
    ("ok", _NUMBER + r"[123](?:\d\d|xx)" + _ENDS),
    ("out_of_memory", r"out.?of.?memory|memory.?error|(?:^|[^a-z])oom(?:[^a-z]|$)"),
    ("timeout", r"timed?[ _-]?out|deadline"),
    ("rate_limited", r"rate.?limit|throttl|too.?many.?requests|quota|resource.?exhausted"),
    ("cancelled", r"cancell?ed|client.?closed"),
    (
        "client_error",
        r"bad.?request|invalid|validation|not.?found|unauth|forbidden|permission|already.?exists|failed.?precondition|out.?of.?range|client.?error",
    ),
    ("server_error", r"unavailable|internal|server.?error|bad.?gateway|unimplemented|data.?loss|abort|^unknown$|connection|overloaded"),
    ("exception", r"[a-z0-9_](?:error|exception)$"),
)
"""What a status is by the first of these that it holds, in lower case."""


def class_of(status: str) -> str:
    """Return the class of a status.

    >>> [class_of(s) for s in ("OK", "204", "503 Service Unavailable", "504.0", "DEADLINE_EXCEEDED", "CudaOutOfMemoryError", "KeyError", "E17")]
    ['ok', 'ok', 'server_error', 'timeout', 'timeout', 'out_of_memory', 'exception', 'other']
    """
    return CLASSES[int(class_cells([status])[0])]


def class_cells(statuses: Sequence[str]) -> NDArray[np.int64]:
    """Return the cell of each status' class; of a million different ones in a few seconds."""
    texts = pc.utf8_lower(pc.utf8_trim_whitespace(pa.array(statuses, pa.string())))
    texts = pc.replace_substring_regex(texts, r"^(\d+)\.0$", r"\1")
    cells = np.full(len(texts), _PLACE["other"], np.int64)
    is_well = np.asarray(pc.is_in(texts, pa.array(sorted(WELL))), bool)
    cells[is_well] = _PLACE["ok"]
    left = np.flatnonzero(~is_well)
    for name, pattern in _PATTERNS:
        if len(left):
            holds = np.asarray(pc.match_substring_regex(texts.take(pa.array(left)), pattern), bool)
            cells[left[holds]] = _PLACE[name]
            left = left[~holds]
    return cells
