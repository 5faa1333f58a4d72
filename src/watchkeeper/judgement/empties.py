"""Empties: the segment that nearly all rows without a value are of, where there is one.

Belongs here: rows of segments -> the one that is named, and how. Does not: counting rows (operations/empties.py), the story around it (data_story.py).
"""

from collections.abc import Mapping
from dataclasses import dataclass

from watchkeeper.spelling import segment_pairs
from watchkeeper.words import percent

_NEARLY_ALL, _MOST_OF_ROWS, _ALL = 0.9, 0.8, 0.995


@dataclass(frozen=True, slots=True)
class EmptyAt:
    """The segment that nearly all rows without a value are of: its share of these, its share of all rows, and the share of its rows that are so."""

    segment: str
    share_of_empty: float
    share_of_rows: float
    share_inside: float

    @property
    def of_them(self) -> str:
        """Say after a share of rows which of them these are."""
        return f"{'all' if self.share_of_empty >= _ALL else percent(self.share_of_empty)} of them where {self.segment}"

    @property
    def text(self) -> str:
        """Say how many of the segment's rows are so, and how many rows it has."""
        inside = "all" if self.share_inside >= _ALL else percent(self.share_inside)
        return f"{self.segment} ({inside} of its rows, which are {percent(self.share_of_rows)} of all)"


def empty_at(feature: str, counts: Mapping[str, tuple[int, int]]) -> EmptyAt | None:
    """Return the segment of one value that nine in ten rows without a value of a feature are of, and fewer than four in five of all rows; None without.

    `counts` gives the rows of each segment and how many of these have no value, those of the whole model under the empty name. A segment of the feature itself is none.
    """
    rows, empty = counts.get("", (0, 0))
    if not empty:
        return None
    apart = {name: pairs[0][0] for name in counts if len(pairs := segment_pairs(name)) == 1}
    found = [
        EmptyAt(name, counts[name][1] / empty, counts[name][0] / rows, counts[name][1] / counts[name][0])
        for name, column in apart.items()
        if column != feature and counts[name][0]
    ]
    found = [one for one in found if one.share_of_empty >= _NEARLY_ALL and one.share_of_rows < _MOST_OF_ROWS]
    return max(found, key=lambda one: (one.share_of_empty - one.share_of_rows, one.segment), default=None)
