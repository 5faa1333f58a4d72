"""The frame of a window: whose its numbers are, where, against what, and what the reference knows of rows like its own.

Belongs here: what all numbers of one window share, computed once. Does not: which numbers there are (catalogue.py), or
stating them (readings.py).
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from watchkeeper.measures.catalogue import Metric
from watchkeeper.measures.estimated import calibration_of, weighted
from watchkeeper.measures.estimated_classes import Calibrations, calibrations_of
from watchkeeper.measures.estimated_errors import ExpectedErrors
from watchkeeper.measures.likeness import ReferenceRows, Weighing, weighing, window_cells
from watchkeeper.measures.service_view import LIMIT, MINUTES, TAIL, ServiceView, service_view
from watchkeeper.measures.views import BinaryView, FeatureView, MulticlassView, RegressionView
from watchkeeper.profiles.bins import FeatureBins
from watchkeeper.profiles.counts import Counts
from watchkeeper.profiles.grids import latency_cell_below
from watchkeeper.profiles.labelled import SCORE
from watchkeeper.profiles.pairs import Pair
from watchkeeper.profiles.parts import FEATURE, LABEL, SERVICE
from watchkeeper.stats.calibration import Calibration
from watchkeeper.stats.intervals import Estimate
from watchkeeper.windows import Window
from watchkeeper.words import not_over

Sums = Mapping[tuple[str, str, str], Counts]
BySegment = Mapping[str, Sums]
LabelView = BinaryView | RegressionView | MulticlassView

VIEWS: dict[str, Callable[[dict[tuple[str, str], Counts]], LabelView]] = {
    "binary": BinaryView,
    "regression": RegressionView,
    "multiclass": MulticlassView,
}


@dataclass(frozen=True)
class Frame:
    """What all numbers of one window share: whose they are, where, and against what."""

    model: str
    task: str
    window: Window
    grain: str
    bins: str
    fitted: Mapping[str, FeatureBins]
    reference: str
    reference_sums: BySegment
    is_mature: bool
    has_labels: bool
    now: datetime
    version: str = ""
    environment: str = "production"
    metrics: Collection[str] | None = None
    pairs: Sequence[Pair] = ()
    own: Sequence[Metric] = ()
    usual: dict[tuple[str, str, str], Estimate] = field(default_factory=dict)
    calibrations: dict[str, Calibration | str] = field(default_factory=dict)
    rows: ReferenceRows | str | None = None
    """Labelled rows of the reference, None where it has none, or why they are not read: then nothing is estimated."""
    errors: Callable[[Window, str, Sums], ExpectedErrors] | None = None
    errors_of_reference: ExpectedErrors | None = None
    class_calibrations: dict[str, Calibrations | str] = field(default_factory=dict)
    entity: str = ""
    """The column that says whom a row is about, so that rows of one are no independent witnesses; empty for none."""
    days: Callable[[], Sequence[BySegment]] | None = None
    """The label parts of each day of a window of some days, None for shorter ones."""
    uncalibrated: str = ""
    """Why there is nothing to compare a version's numbers with; empty when there is."""
    asked: Collection[str] = ()
    """Classes that are measured one by one although they are not among the most frequent: those of targets, and of a question."""
    threshold: float | None = 0.5
    """Binary: the score that decisions turn at, None where the model decides by itself: then the reference tells."""
    gives_chances: bool = True
    """Whether there are scores or probabilities to be unsure of."""
    latency_limit: float | None = None
    """Milliseconds that requests should not take longer than; None: what 95 % of the reference's did not."""
    at_places: Collection[str] | None = None
    """Which service figures are wanted of segments, regions and hosts; None: all that are wanted of the whole."""
    places: Sequence[str] = ()
    """Columns whose values are segments for service figures alone."""

    @property
    def runs_on(self) -> str:
        """Why nothing of the window is final whatever it rests on: it has not ended; empty once it has."""
        return not_over(self.grain) if self.window.end > self.now else ""

    def method_of(self, metric: Metric, feature: str) -> str:
        """Return how a number is computed; of windows of some days the reason says what its interval is over."""
        is_clustered = self.entity and self.days is None and metric.row_mean is not None and not feature
        return f"{metric.method}, clustered by {self.entity}" if is_clustered else metric.method

    def by_day(self, segment: str) -> "Sequence[LabelView]":
        """Return the label parts of each day of the window, none where there are not some."""
        return [label_view(day.get(segment, {}), self.task) for day in self.days()] if self.days is not None else []

    def wants(self, metric: Metric) -> bool:
        """Tell whether a metric is asked for: by name, or because it is stored."""
        return metric.stored if self.metrics is None else metric.name in self.metrics

    def usually(self, metric: str, feature: str, segment: str, compute: Callable[[], Estimate]) -> Estimate:
        """Return a metric on the reference, computed once for all windows."""
        place = (metric, feature, segment)
        if place not in self.usual:
            self.usual[place] = compute()
        return self.usual[place]

    def calibration(self) -> Calibration | str:
        """Return what scores mean in the reference, or why that cannot be said; learned once for all windows."""
        if "" not in self.calibrations:
            self.calibrations[""] = calibration_of(outcomes(self.reference_sums.get("", {})))
        return self.calibrations[""]

    def known(self, sums: Sums) -> "Known | str":
        """Return what the reference knows of rows with the inputs of a window, or why it knows nothing."""
        if self.task == "regression":
            return self._known_errors(sums)
        found = self.calibration_by_class() if self.task == "multiclass" else self.calibration()
        if isinstance(found, str):
            return found
        if not isinstance(found, Calibration) or self.rows is None:
            return Known(found, found)
        if isinstance(self.rows, str):
            return self.rows
        like = self._weighing(self.rows, sums)
        return Known(found if like.weights is None else weighted(self.rows, like.weights, found), found, like.said)

    def calibration_by_class(self) -> Calibrations | str:
        """Return what the probability of each class means in the reference, learned once for all windows, or why that cannot be said."""
        if "" not in self.class_calibrations:
            self.class_calibrations[""] = calibrations_of(MulticlassView(_of_labels(self.reference_sums.get("", {}))))
        return self.class_calibrations[""]

    def _known_errors(self, sums: Sums) -> "Known | str":
        if self.errors is None or self.errors_of_reference is None:
            return "estimates of errors were not asked for"
        return Known(self.errors(self.window, self.version, sums), self.errors_of_reference)

    def _weighing(self, rows: ReferenceRows, sums: Sums) -> Weighing:
        return weighing(rows, self.window, lambda name: window_cells(FeatureView(self.fitted[name], sums.get((FEATURE, name, ""), Counts()))))


@dataclass(frozen=True)
class Known:
    """What the reference knows of rows like those of a window, what it knows of its own, and what is to be said of the difference."""

    of_window: Calibration | Calibrations | ExpectedErrors
    of_reference: Calibration | Calibrations | ExpectedErrors
    said: str = ""

    def of_class(self, name: str) -> "Known | str":
        """Return the same of one class against all others."""
        if not isinstance(self.of_window, dict) or name not in self.of_window:
            return "the reference has no probabilities of this class"
        return Known(self.of_window[name], self.of_window[name], self.said)


def served(frame: Frame, sums: Sums, *, seconds: float = float("nan")) -> ServiceView:
    """Return the service's view of sums."""
    return service_view(sums, rows_of(frame, sums), seconds, latency_limits(frame))


def rows_of(frame: Frame, sums: Sums) -> int:
    """Return the rows of sums: counted by the score where there is one, else by any feature, else by their minutes."""
    score = sums.get((FEATURE, SCORE if frame.task != "multiclass" else "@prediction", ""))
    counted = score.n if score is not None else max((c.n for (kind, _, _), c in sums.items() if kind == FEATURE), default=0)
    return counted or sums.get((SERVICE, MINUTES, ""), Counts()).n


def latency_limits(frame: Frame) -> dict[str, int]:
    """Return the cells of latency that requests are slower than: what was promised, or 95 % of the reference's requests kept to, and what 99 % did."""

    def of(q: float) -> Estimate:
        return Estimate(float(service_view(frame.reference_sums.get("", {}), 0).timed.cell_at(q)))

    told = frame.latency_limit
    limit = float(latency_cell_below(told)) if told is not None else frame.usually("@latency_limit", "", "", lambda: of(0.95)).value
    return {LIMIT: int(limit), TAIL: int(frame.usually("@latency_tail", "", "", lambda: of(0.99)).value)}


def label_view(sums: Sums, task: str) -> LabelView:
    """Return the label parts of a window as the task's view."""
    return VIEWS[task](_of_labels(sums))


def _of_labels(sums: Sums) -> dict[tuple[str, str], Counts]:
    return {(feature, outcome): c for (kind, feature, outcome), c in sums.items() if kind == LABEL}


def outcomes(sums: Sums) -> BinaryView:
    """Return the label parts of a window as those of a binary outcome."""
    return BinaryView(_of_labels(sums))


def by_segment(sums: Iterable[tuple[tuple[str, str, str, str], Counts]]) -> dict[str, dict[tuple[str, str, str], Counts]]:
    """Regroup sums keyed (segment, kind, feature, outcome)."""
    out: dict[str, dict[tuple[str, str, str], Counts]] = {"": {}}
    for (segment, kind, feature, outcome), counts in sums:
        out.setdefault(segment, {})[kind, feature, outcome] = counts
    return out
