"""Fault places: the segment that nearly all faulty values of a feature are of, where there is one: values that are missing, or of new categories.

Belongs here: rows of segments -> the one that is named, and how. Does not: counting rows (operations/fault_places.py), the story around it (data_story.py).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from watchkeeper.spelling import segment_pairs
from watchkeeper.words import percent

FAULTY = "faulty data"
"""What a cause begins with that names features whose values are missing, new, or not as the suite expects."""
_NEARLY_ALL, _MOST_OF_ROWS, _ALL = 0.9, 0.8, 0.995

Counted = Mapping[str, tuple[int, int]]
"""The rows of each segment and how many of these have a faulty value, those of the whole model under the empty name."""


@dataclass(frozen=True, slots=True)
class FaultPlace:
    """The segment that nearly all faulty values are of: its share of these, its share of all rows, and the share of its rows that are so."""

    segment: str
    share_of_faulty: float
    share_of_rows: float
    share_inside: float

    @property
    def of_them(self) -> str:
        """Say after a share of rows which of them these are."""
        return f"{'all' if self.share_of_faulty >= _ALL else percent(self.share_of_faulty)} of them where {self.segment}"

    @property
    def where(self) -> str:
        """Say after the name of a feature where its faulty values are."""
        return f"({'all' if self.share_of_faulty >= _ALL else percent(self.share_of_faulty)} where {self.segment})"

    @property
    def text(self) -> str:
        """Say how many of the segment's rows are so, and how many rows it has."""
        inside = "all" if self.share_inside >= _ALL else percent(self.share_inside)
        return f"{self.segment} ({inside} of its rows, which are {percent(self.share_of_rows)} of all)"


def fault_place(feature: str, now: Counted, usual: Counted) -> FaultPlace | None:
    """Return the segment of one value that nine in ten of the faulty rows beyond what is usual are of, and fewer than four in five of all rows; None without.

    What is usual is taken of each segment by itself: one that never had a value hides none that lost them. Of a segment without rows before it is nothing.
    A segment of the feature itself is none.
    """
    rows, faulty = now.get("", (0, 0))
    beyond = _beyond("", now, usual) if faulty else 0.0
    if beyond <= 0:
        return None
    apart = {name: pairs[0][0] for name in now if len(pairs := segment_pairs(name)) == 1}
    found = [
        (_beyond(name, now, usual) / beyond, FaultPlace(name, now[name][1] / faulty, now[name][0] / rows, now[name][1] / now[name][0]))
        for name, column in apart.items()
        if column != feature and now[name][0]
    ]
    found = [(share, one) for share, one in found if share >= _NEARLY_ALL and one.share_of_rows < _MOST_OF_ROWS]
    return max(found, key=lambda each: (min(1.0, each[0]) - each[1].share_of_rows, each[1].segment), default=(0.0, None))[1]


def placed(features: Sequence[str], places: Mapping[str, FaultPlace]) -> str:
    """Return the names of features and where their faulty values are: said once where all are in one segment.

    >>> placed(["a", "b"], dict.fromkeys("ab", FaultPlace("depot=east", 1.0, 0.2, 0.5)))
    'a, b (all where depot=east)'
    >>> placed(["a", "b"], {"a": FaultPlace("depot=east", 0.93, 0.2, 0.5)})
    'a (93 % where depot=east), b'
    """
    names = [name.removeprefix("@") for name in features]
    if one := common_place(features, places):
        return f"{', '.join(names)} {one.where}"
    told = [f"{name} {places[f].where}" if f in places else name for f, name in zip(features, names, strict=True)]
    return ", ".join(sorted(told, key=lambda said: not said.endswith(")")))  # last it would be read as that of all


def common_place(features: Sequence[str], places: Mapping[str, FaultPlace]) -> FaultPlace | None:
    """Return the place of all of some features, with the least share of any; None where they have not one."""
    found = [places[feature] for feature in features if feature in places]
    is_one = bool(found) and len(found) == len(features) and len({p.segment for p in found}) == 1
    return min(found, key=lambda p: p.share_of_faulty) if is_one else None


def _beyond(segment: str, now: Counted, usual: Counted) -> float:
    """Return how many faulty rows a segment has beyond what is usual of it."""
    (rows, faulty), (rows_before, faulty_before) = now[segment], usual.get(segment, (0, 0))
    return faulty - rows * faulty_before / max(1, rows_before)
