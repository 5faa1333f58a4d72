"""Places: the regions and hosts that service figures are measured in, and of how many of them.

Belongs here: which segments are places, and which of them have figures. Does not: the figures (service.py, service_to_rest.py).
"""

from collections import defaultdict
from collections.abc import Iterator

from watchkeeper.measures.catalogue import Metric
from watchkeeper.measures.frame import BySegment, Frame, rows_of
from watchkeeper.measures.service_view import ServiceView
from watchkeeper.spelling import dimension_of

MOST_PLACES = 50
"""Values of a region or host column with figures of their own: those with the most rows of the reference, then of the window."""


def is_place(frame: Frame, segment: str) -> bool:
    """Tell whether a segment is one for service figures alone."""
    return bool(dimension_of(segment, frame.places)) if segment and frame.places else False


def is_wanted(frame: Frame, metric: Metric, segment: str) -> bool:
    """Tell whether a figure of the service is asked for, of the whole or of a segment."""
    return frame.wants(metric) and (not segment or (metric.in_segments and (frame.at_places is None or metric.name in frame.at_places)))


def is_logged(metric: Metric, view: ServiceView) -> bool:
    """Tell whether what a figure of the service is made of was logged."""
    there = [view.has(name) for name in metric.of_parts]
    return not there or (any(there) if metric.of_any else all(there))


def places_of(frame: Frame, sums: BySegment) -> frozenset[str]:
    """Return the places of a window that have figures: at most fifty of each column, so that hosts that come and go do not add up to a crowd."""
    by_column: dict[str, list[str]] = defaultdict(list)
    for segment in sums:
        if is_place(frame, segment):
            by_column[dimension_of(segment, frame.places)].append(segment)

    def rank(segment: str) -> tuple[int, int, str]:
        known, here = (rows_of(frame, of.get(segment, {})) for of in (frame.reference_sums, sums))
        return -known, -here, segment

    return frozenset(_first(sorted(found, key=rank) for found in by_column.values()))


def _first(ranked: Iterator[list[str]]) -> Iterator[str]:
    for found in ranked:
        yield from found[:MOST_PLACES]
