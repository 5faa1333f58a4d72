"""The one plot of a model that a run shows: the number its owner promised, or the usual one of its task.

Belongs here: which scores are plotted. Does not: how a chart looks (site/charts.py) or is embedded (artifacts.py).
"""

from datetime import timedelta
from typing import Any

from watchkeeper.flows.artifacts import picture
from watchkeeper.flows.selection import Selection
from watchkeeper.monitor import Monitor
from watchkeeper.operations.bins_in_force import in_force
from watchkeeper.records import Score

_USUAL = {"binary": ("roc_auc", "log_loss", "accuracy"), "multiclass": ("accuracy",), "regression": ("rmse", "mae"), "ranking": ("ndcg",)}
_SPAN = timedelta(days=60)


def headline_plot(selection: Selection, model: str) -> str:
    """Return the plot as markdown; nothing while there is nothing to plot."""
    from watchkeeper.site.charts import PICTURE, WIDE, hollow_text, metric_chart

    monitor = selection.monitors[model]
    for metric, limit in _candidates(monitor):
        scores = _scores(selection, monitor, metric)
        if any(s.value is not None for s in scores):
            title = "; ".join(filter(None, (f"{model}: {metric.replace('_', ' ')}", hollow_text(scores))))
            chart = metric_chart(scores, timezone=monitor.timezone, palette=PICTURE, size=WIDE, limit=limit, title=title)
            return picture(chart, title)
    return ""


def _candidates(monitor: Monitor) -> list[tuple[str, float | None]]:
    promised = [(t.metric, t.at_least if t.at_least is not None else t.at_most) for t in monitor.targets if not t.feature and not t.segment]
    return [*promised, *((metric, None) for metric in _USUAL[monitor.task])]


def _scores(selection: Selection, monitor: Monitor, metric: str) -> list[Score]:
    """Return the whole model's scores of a metric over the last weeks that have any, in order."""
    found: list[Score] = selection.home.lake.newest(
        Score, as_of=selection.now, where=_whole(monitor, metric) & in_force(selection.home, monitor, now=selection.now)
    )
    found.sort(key=lambda s: s.window_start)
    return [s for s in found if s.window_start >= found[-1].window_start - _SPAN]


def _whole(monitor: Monitor, metric: str) -> Any:
    import pyarrow.compute as pc

    wanted = {"model": monitor.model, "environment": monitor.environment, "metric": metric, "feature": "", "segment": "", "grain": monitor.window}
    conditions = [pc.field(name) == value for name, value in wanted.items()]
    whole = conditions[0]
    for condition in conditions[1:]:
        whole = whole & condition
    return whole
