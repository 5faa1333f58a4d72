"""The catalogue: one row a metric. A new metric is a function, a row here, and an oracle in its test.

Belongs here: what each number is called, its unit, direction, minimum rows and where it is measured. Does not: the
functions (drift.py, performance.py, service.py, cost.py).
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from math import inf
from typing import Any, Literal

from watchkeeper.measures import (
    classes,
    confidence,
    drift,
    error_shape,
    estimated,
    estimated_classes,
    estimated_errors,
    lift,
    performance,
    row_means,
    segment_shift,
    service,
    service_to_rest,
    worst_cases,
)
from watchkeeper.measures.row_means import RowMean
from watchkeeper.measures.service_view import INPUT_TOKENS, LATENCY, MINUTES, OUTPUT_TOKENS, QUEUE, STATUS
from watchkeeper.profiles.statuses import CLASSES
from watchkeeper.stats.intervals import Estimate
from watchkeeper.stats.smooth import MOMENTS, PLACE_AND_WIDTH

Subject = Literal["feature", "segments", "pair", "binary", "regression", "multiclass", "class", "service", "place"]
Direction = Literal["higher_is_better", "lower_is_better", "closer_to_zero", "none"]
UP: Direction = "higher_is_better"
DOWN: Direction = "lower_is_better"
ZERO: Direction = "closer_to_zero"
NONE: Direction = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """One row: a metric of one subject.

    `compares` functions take (reference, analysis), the others the analysis alone. `least` is how many rows the number
    needs; below it the score is `insufficient`. `stored` ones are computed at each run, the others on request. `estimates`
    names the KPI that the number stands for; its function takes what scores mean in the reference, and the analysis.
    `of_chances` tells that it is of the chances a model gives, and so is measured of models without labels too.
    `only` says of which kind of feature it is a number, `row_mean` how it is the mean of a value over rows, or the root of one, where it is.
    `usual` is what the reference says is to be expected where that is not its own number. `is_total` tells a sum over rows, which that of a reference of another length is nothing to compare with.
    """

    name: str
    subject: Subject
    function: Callable[..., Estimate]
    method: str
    unit: str
    direction: Direction
    family: Literal["drift", "performance", "estimated", "quality", "service"]
    least: int = 1
    compares: bool = False
    bounds: Callable[[Any], tuple[float, float]] | None = None
    in_segments: bool = False
    stored: bool = True
    needs_labels: bool = False
    estimates: str = ""
    of_chances: bool = False
    only: Literal["", "numeric", "category"] = ""
    row_mean: RowMean | None = None
    is_total: bool = False
    usual: Callable[[Any], Estimate] | None = None
    of_parts: tuple[str, ...] = ()
    """Parts of the service without which it is not measured at all, or with `of_any` without any of which."""
    of_any: bool = False

    @property
    def range(self) -> tuple[float, float]:
        """The least and the greatest value there can be; infinite where there is no end."""
        return _RANGES.get(self.name) or _RANGES_OF_UNITS.get(self.unit, (-inf, inf))


_WEIGHTED = "CBPE: scores as calibrated on the reference, weighted to the inputs where errors depend on them (PAPE)"
_RANGES = {
    **dict.fromkeys(("accuracy_gap", "calibration_gap"), (-1.0, 1.0)),
    **dict.fromkeys(("log_loss_gap", "mae_gap"), (-inf, inf)),
    "correlation": (-1.0, 1.0),
    "matthews": (-1.0, 1.0),
    "r2": (-inf, 1.0),
    **dict.fromkeys(("mape", "mae", "rmse", "wasserstein"), (0.0, inf)),
    **dict.fromkeys(("pinball_10", "pinball_50", "pinball_90", "absolute_error_p50", "absolute_error_p90"), (0.0, inf)),
    "smape": (0.0, 2.0),
    "lift_at_1": (0.0, 100.0),
    "lift_at_10": (0.0, 10.0),
    "errors_to_rest": (-1.0, 1.0),
}
_RANGES_OF_UNITS = {
    **dict.fromkeys(("ratio", "probability", "distance"), (0.0, 1.0)),
    **dict.fromkeys(("index", "nats", "ms", "rows", "categories", "rows/s", "requests", "tokens", "tokens/s", "times"), (0.0, inf)),
}


def _drift(
    name: str,
    function: Callable[..., Estimate],
    method: str,
    unit: str = "index",
    *,
    least: int = 100,
    **more: Any,
) -> Metric:
    return Metric(
        name=name,
        subject="feature",
        function=function,
        method=method,
        unit=unit,
        family="drift",
        least=least,
        compares=True,
        **({"stored": False, "direction": DOWN} | more),
    )


def _quality(name: str, function: Callable[..., Estimate], method: str, unit: str = "ratio", **more: Any) -> Metric:
    return Metric(
        name=name,
        subject="feature",
        function=function,
        method=method,
        unit=unit,
        direction="lower_is_better",
        family="quality",
        compares=True,
        **more,
    )


def _kpi(name: str, subject: Subject, function: Callable[..., Estimate], method: str, unit: str, direction: Direction, **more: Any) -> Metric:
    given: dict[str, Any] = {"least": 10, "needs_labels": True} | more
    return Metric(name=name, subject=subject, function=function, method=method, unit=unit, direction=direction, family="performance", **given)


def _error_quantile(name: str, function: Callable[..., Estimate], direction: Direction, least: int) -> Metric:
    return _kpi(name, "regression", function, "1.4 % log bins, order statistics", "truth", direction, least=least, stored=False)


def _doubt(name: str, subject: Subject, function: Callable[..., Estimate], method: str, unit: str = "ratio") -> Metric:
    """Return the row of a number that tells how unsure a model was."""
    return _kpi(name, subject, function, method, unit, DOWN, needs_labels=False, of_chances=True, in_segments=True)


def _estimated(name: str, unit: str = "ratio", *, subject: Subject = "binary", direction: Direction = UP, **more: Any) -> Metric:
    """Return the row of a KPI's estimate."""
    return Metric(
        name=f"estimated_{name}",
        subject=subject,
        function=getattr(estimated_classes if subject == "multiclass" else estimated, name),
        method=_WEIGHTED if subject == "binary" else "CBPE: scores as calibrated on the reference",
        unit=unit,
        direction=direction,
        family="estimated",
        least=20,
        estimates=name,
        **more,
    )


def _estimated_error(name: str, direction: Direction = DOWN, **more: Any) -> Metric:
    """Return the row of a regression KPI's estimate."""
    return Metric(
        name=f"estimated_{name}",
        subject="regression",
        function=getattr(estimated_errors, name),
        method="DLE: a model of losses, fitted on the reference",
        unit="truth",
        direction=direction,
        family="estimated",
        least=20,
        estimates=name,
        **more,
    )


def _gap(name: str, of: str, unit: str, subject: Subject = "binary") -> Metric:
    """Return the row of how far a realised KPI was from its estimate for the same rows."""
    return Metric(
        name=name,
        subject=subject,
        function=getattr(estimated_classes if subject == "multiclass" else estimated, name),
        method="realised minus CBPE of the labelled rows",
        unit=unit,
        direction=ZERO,
        family="estimated",
        least=20,
        needs_labels=True,
        estimates=of,
    )


def _service(name: str, function: Callable[..., Estimate], method: str, unit: str, direction: Direction, *of_parts: str, **more: Any) -> Metric:
    """Return the row of a number of the service, of the whole and of each place unless `more` says otherwise."""
    given: dict[str, Any] = {"in_segments": True} | more
    return Metric(
        name=name, subject="service", function=function, method=method, unit=unit, direction=direction, family="service", of_parts=of_parts, **given
    )


def _place(name: str, function: Callable[..., Estimate], method: str, unit: str, *of_parts: str, **more: Any) -> Metric:
    """Return the row of a number of a place beside all others."""
    return Metric(
        name=name,
        subject="place",
        function=function,
        method=method,
        unit=unit,
        direction=DOWN,
        family="service",
        in_segments=True,
        of_parts=of_parts,
        **more,
    )


CATALOGUE: tuple[Metric, ...] = (
    _drift("psi", drift.psi, "10 reference bins, half-count smoothing", stored=True, in_segments=True),
    _drift("jensen_shannon", drift.jensen_shannon, "all reference bins, base 2", "distance"),
    _drift("hellinger", drift.hellinger, "all reference bins", "distance"),
    _drift("total_variation", drift.total_variation, "all reference bins", "ratio"),
    _drift("l_infinity", drift.l_infinity, "all reference bins", "ratio"),
    _drift("ks", drift.kolmogorov_smirnov, "all reference bins", "ratio", only="numeric"),
    _drift("ks_p", drift.kolmogorov_smirnov_p, "all reference bins, asymptotic, conservative", "probability", direction=NONE, only="numeric"),
    _drift("chi_square", drift.chi_square, "all reference bins, Pearson"),
    _drift("chi_square_p", drift.chi_square_p, "all reference bins, Pearson", "probability", direction=NONE),
    _drift("wasserstein", drift.wasserstein, "all reference bins at their means", "feature", only="numeric"),
    *(
        _drift(m, partial(drift.moment, m), "Legendre at mid-ranks, t", "sd", direction=ZERO, least=20, only="numeric", stored=m in PLACE_AND_WIDTH)
        for m in MOMENTS
    ),
    _drift(
        "share_shift",
        drift.share_shift,
        "all reference categories, Bonferroni",
        "ratio",
        stored=True,
        only="category",
    ),
    _quality("null_ratio", drift.null_ratio, "Wilson"),
    _quality("unseen_ratio", drift.unseen_ratio, "Wilson", only="category", usual=drift.unseen_to_come),
    _quality("exchanged_ratio", drift.exchanged_ratio, "shares that are another's", only="category"),
    _quality("vanished_categories", drift.vanished_categories, "count", "categories", only="category"),
    Metric(
        name="mean",
        subject="feature",
        function=drift.mean_value,
        method="t",
        unit="feature",
        direction=NONE,
        family="drift",
        least=2,
        compares=True,
        stored=False,
        only="numeric",
    ),
    Metric(
        name="correlation",
        subject="pair",
        function=drift.correlation,
        method="normal scores of all reference bins, Fisher",
        unit="ratio",
        direction=NONE,
        family="drift",
        least=20,
    ),
    Metric(
        name="segment_shift",
        subject="segments",
        function=segment_shift.segment_shift,
        method="ranks or shares of 10 reference bins, Bonferroni over segments",
        unit="sd",
        direction=DOWN,
        family="drift",
        least=100,
        compares=True,
    ),
    _kpi(
        "roc_auc", "binary", performance.roc_auc, "logit grid, Newcombe 5", "ratio", UP, least=50, bounds=worst_cases.roc_auc_bounds, in_segments=True
    ),
    _kpi("average_precision", "binary", performance.average_precision, "logit grid, logit interval", "ratio", UP, least=50),
    _kpi(
        "log_loss",
        "binary",
        performance.log_loss,
        "t",
        "nats",
        DOWN,
        least=20,
        bounds=worst_cases.log_loss_bounds,
        in_segments=True,
        row_mean=row_means.LOG_LOSS,
    ),
    _kpi("brier", "binary", performance.brier, "t", "ratio", DOWN, least=20, bounds=worst_cases.brier_bounds, row_mean=row_means.BRIER),
    _kpi(
        "calibration_gap",
        "binary",
        performance.calibration_gap,
        "t",
        "ratio",
        ZERO,
        least=10,
        bounds=worst_cases.calibration_gap_bounds,
        in_segments=True,
        row_mean=row_means.CALIBRATION_GAP,
    ),
    _kpi("calibration_error", "binary", performance.calibration_error, "10 equally filled groups", "ratio", DOWN, least=100),
    _kpi(
        "positive_rate",
        "binary",
        performance.positive_rate,
        "Wilson",
        "ratio",
        NONE,
        bounds=worst_cases.positive_rate_bounds,
        in_segments=True,
        row_mean=row_means.POSITIVE_RATE,
    ),
    _kpi("score_mean", "binary", performance.score_mean, "t", "ratio", NONE, needs_labels=False, in_segments=True, row_mean=row_means.SCORE_MEAN),
    _kpi(
        "flagged_ratio",
        "binary",
        performance.flagged_ratio,
        "Wilson",
        "ratio",
        NONE,
        needs_labels=False,
        in_segments=True,
        row_mean=row_means.FLAGGED_RATIO,
    ),
    _doubt("low_confidence_ratio", "binary", confidence.low_confidence_ratio, "within 0.05 of the threshold, Wilson"),
    _doubt("entropy", "binary", confidence.entropy, "logit grid, t", "nats"),
    _kpi("accuracy", "binary", performance.accuracy, "Wilson", "ratio", UP, bounds=worst_cases.accuracy_bounds, row_mean=row_means.ACCURACY),
    _kpi("balanced_accuracy", "binary", performance.balanced_accuracy, "delta", "ratio", UP, least=20, bounds=worst_cases.balanced_accuracy_bounds),
    _kpi("precision", "binary", performance.precision, "Wilson", "ratio", UP, bounds=worst_cases.precision_bounds, row_mean=row_means.PRECISION),
    _kpi(
        "recall", "binary", performance.recall, "Wilson", "ratio", UP, bounds=worst_cases.recall_bounds, in_segments=True, row_mean=row_means.RECALL
    ),
    _kpi(
        "specificity", "binary", performance.specificity, "Wilson", "ratio", UP, bounds=worst_cases.specificity_bounds, row_mean=row_means.SPECIFICITY
    ),
    _kpi("f1", "binary", performance.f1, "delta", "ratio", UP, least=20, bounds=worst_cases.f1_bounds),
    _kpi("matthews", "binary", performance.matthews, "delta", "ratio", UP, least=20),
    *(
        _kpi(
            f"lift_at_{k}", "binary", partial(lift.lift, k / 100), f"highest {k} % of the scores, Wilson", "index", UP, least=1_000 // k, stored=False
        )
        for k in (1, 10)
    ),
    _kpi("label_coverage", "binary", performance.label_coverage, "Wilson", "ratio", NONE, least=1),
    _estimated("accuracy"),
    _estimated("log_loss", "nats", direction=DOWN),
    _estimated("roc_auc"),
    _estimated("positive_rate", direction=NONE),
    *(_estimated(name, stored=False) for name in ("average_precision", "precision", "recall", "specificity", "f1")),
    _estimated("brier", direction=DOWN, stored=False),
    _gap("accuracy_gap", "accuracy", "ratio"),
    _gap("log_loss_gap", "log_loss", "nats"),
    _kpi("mae", "regression", performance.mae, "t", "truth", DOWN, in_segments=True, row_mean=row_means.MAE),
    _kpi("rmse", "regression", performance.rmse, "delta", "truth", DOWN, row_mean=row_means.RMSE),
    _kpi("bias", "regression", performance.bias, "t", "truth", ZERO, in_segments=True, row_mean=row_means.BIAS),
    _kpi("mape", "regression", performance.mape, "t", "ratio", DOWN, row_mean=row_means.MAPE),
    _kpi("r2", "regression", performance.r2, "delta", "ratio", UP, least=20),
    _estimated_error("mae"),
    _estimated_error("rmse", stored=False),
    _estimated_error("bias", ZERO, stored=False),
    Metric(
        name="mae_gap",
        subject="regression",
        function=estimated_errors.mae_gap,
        method="realised minus DLE",
        unit="truth",
        direction=ZERO,
        family="estimated",
        least=20,
        needs_labels=True,
        estimates="mae",
    ),
    _kpi("truth_mean", "regression", performance.truth_mean, "t", "truth", NONE, row_mean=row_means.TRUTH_MEAN),
    _kpi("smape", "regression", error_shape.smape, "t", "ratio", DOWN, stored=False, row_mean=row_means.SMAPE),
    *(_kpi(f"pinball_{q}", "regression", partial(error_shape.pinball, q / 100), "t", "truth", DOWN, stored=False) for q in (10, 50, 90)),
    *(_error_quantile(f"error_p{q:02}", partial(error_shape.error_quantile, q / 100), ZERO, least) for q, least in ((5, 100), (50, 10), (95, 100))),
    *(
        _error_quantile(f"absolute_error_p{q}", partial(error_shape.absolute_error_quantile, q / 100), DOWN, least)
        for q, least in ((50, 10), (90, 50))
    ),
    _kpi("label_coverage", "regression", performance.label_coverage, "Wilson", "ratio", NONE, least=1),
    _kpi(
        "accuracy",
        "multiclass",
        performance.accuracy,
        "Wilson",
        "ratio",
        UP,
        bounds=classes.accuracy_bounds,
        in_segments=True,
        row_mean=row_means.ACCURACY,
    ),
    _kpi("macro_precision", "multiclass", classes.macro_precision, "delta", "ratio", UP, least=20),
    _kpi("macro_recall", "multiclass", classes.macro_recall, "delta", "ratio", UP, least=20),
    _kpi("macro_f1", "multiclass", classes.macro_f1, "delta", "ratio", UP, least=20),
    _kpi("weighted_precision", "multiclass", classes.weighted_precision, "delta", "ratio", UP, least=20, stored=False),
    _kpi("weighted_f1", "multiclass", classes.weighted_f1, "delta", "ratio", UP, least=20),
    _kpi("matthews", "multiclass", classes.matthews, "delta", "ratio", UP, least=20),
    _kpi("log_loss", "multiclass", classes.log_loss, "t", "nats", DOWN, in_segments=True, row_mean=row_means.LOG_LOSS),
    _kpi("brier", "multiclass", classes.brier, "t", "index", DOWN, least=20, row_mean=row_means.BRIER),
    _kpi("macro_roc_auc", "multiclass", classes.macro_roc_auc, "mean of one against the rest, ends of Newcombe 5", "ratio", UP, least=50),
    _kpi(
        "weighted_roc_auc",
        "multiclass",
        classes.weighted_roc_auc,
        "mean of one against the rest, ends of Newcombe 5",
        "ratio",
        UP,
        least=50,
        stored=False,
    ),
    _doubt("low_confidence_ratio", "multiclass", confidence.low_margin_ratio, "the likeliest class leads by 0.1 or less, Wilson"),
    _doubt("entropy", "multiclass", confidence.entropy_of_classes, "t", "nats"),
    _kpi("label_coverage", "multiclass", performance.label_coverage, "Wilson", "ratio", NONE, least=1),
    *(_estimated(name, subject="multiclass") for name in ("accuracy", "macro_recall", "macro_f1")),
    _estimated("log_loss", "nats", subject="multiclass", direction=DOWN),
    *(
        _estimated(name, subject="multiclass", stored=False)
        for name in ("macro_precision", "weighted_precision", "weighted_f1", "macro_roc_auc", "weighted_roc_auc")
    ),
    _estimated("brier", "index", subject="multiclass", direction=DOWN, stored=False),
    _gap("accuracy_gap", "accuracy", "ratio", "multiclass"),
    _gap("log_loss_gap", "log_loss", "nats", "multiclass"),
    _kpi("precision", "class", classes.precision, "Wilson", "ratio", UP, bounds=worst_cases.precision_bounds),
    _kpi("recall", "class", classes.recall, "Wilson", "ratio", UP, bounds=worst_cases.recall_bounds),
    _kpi("f1", "class", classes.f1, "delta", "ratio", UP, least=20, bounds=worst_cases.f1_bounds, stored=False),
    _kpi("roc_auc", "class", classes.roc_auc, "logit grid, Newcombe 5", "ratio", UP, least=50, stored=False),
    *(_estimated(name, subject="class", stored=False) for name in ("precision", "recall", "f1", "roc_auc")),
    _service("rows", service.rows, "count", "rows", NONE, least=0, is_total=True),
    _service("rows_per_second", service.rows_per_second, "count", "rows/s", NONE, MINUTES, is_total=True),
    _service("rows_peak_minute", service.rows_peak_minute, "count", "rows", NONE, MINUTES, in_segments=False, is_total=True),
    _service("error_ratio", service.error_ratio, "Wilson", "ratio", DOWN, STATUS),
    _service("availability", service.availability, "Wilson", "ratio", UP, STATUS),
    *(
        _service(service.class_metric(name), partial(service.class_ratio, name), "Wilson", "ratio", DOWN, STATUS, in_segments=name == "timeout")
        for name in CLASSES
        if name != "ok"
    ),
    *(
        _service(f"latency_p{q}", partial(service.latency_percentile, q / 100), "2 % log bins", "ms", DOWN, LATENCY, least=least)
        for q, least in ((50, 1), (95, 20), (99, 100))
    ),
    _service("latency_over", service.over_limit, "2 % log bins, Wilson", "ratio", DOWN, LATENCY, least=20),
    _service("latency_over_p99", service.over_tail, "2 % log bins, Wilson", "ratio", DOWN, LATENCY, least=20, in_segments=False),
    _service("queue_time_p95", service.queue_time_p95, "2 % log bins", "ms", DOWN, QUEUE, least=20),
    _service("saturation", service.saturation, "ratio of sums", "ratio", DOWN, LATENCY, QUEUE, least=20),
    _service("concurrency", service.concurrency, "Little's law", "requests", NONE, LATENCY, MINUTES, is_total=True),
    _service("tokens_per_request", service.tokens_per_request, "ratio of sums", "tokens", NONE, INPUT_TOKENS, OUTPUT_TOKENS, of_any=True),
    _service("tokens_per_second", service.tokens_per_second, "count", "tokens/s", NONE, INPUT_TOKENS, OUTPUT_TOKENS, of_any=True, is_total=True),
    _service("token_speed", service.token_speed, "ratio of sums", "tokens/s", UP, OUTPUT_TOKENS, LATENCY),
    _place("latency_to_rest", service_to_rest.latency_to_rest, "geometric means of 2 % log bins, t", "times", LATENCY, least=50),
    _place("errors_to_rest", service_to_rest.errors_to_rest, "Newcombe", "ratio", STATUS, least=20),
)

KEPT_AT_PLACES = frozenset({"rows", "error_ratio", "latency_p50", "latency_p95", "latency_to_rest", "errors_to_rest"})
"""The service figures of a segment, region or host that are stored; all others are worked out when somebody asks: there may be a hundred hosts."""

NAMES = frozenset(m.name for m in CATALOGUE)


@cache
def of(subject: Subject, *, stored_only: bool = True) -> tuple[Metric, ...]:
    """Return the metrics of a subject."""
    return tuple(m for m in CATALOGUE if m.subject == subject and (m.stored or not stored_only))


def find(name: str, subject: str | None = None) -> Metric | None:
    """Return the first metric of that name (of that subject, when given)."""
    return next((m for m in CATALOGUE if m.name == name and subject in (None, m.subject)), None)


def subjects_of(task: str) -> frozenset[str]:
    """Return what the numbers of a task's models are about."""
    return frozenset({"feature", "segments", "pair", "service", "place", task, *(["class"] if task == "multiclass" else [])})


def stored_of(task: str) -> frozenset[str]:
    """Return the metrics that are computed at each run of a task's models: a name may stand for a stored number of one task, and not of another."""
    return frozenset(m.name for m in CATALOGUE if m.stored and m.subject in subjects_of(task))
