"""A picture of one metric over time, for places that show no pages: a README, a message.

Belongs here: which scores and incidents are on it. Does not: drawing (site/charts.py, adapters/charts.py).
"""

from datetime import datetime

from watchkeeper.adapters.charts import png
from watchkeeper.adapters.workspace import Home
from watchkeeper.errors import UsageError
from watchkeeper.monitor import Monitor
from watchkeeper.operations.shown import SHOWN, frame_of, shared, whole_scores
from watchkeeper.site.charts import PICTURE, POSTER, hollow_text, metric_chart
from watchkeeper.site.figures import shades, usual_of
from watchkeeper.words import metric_text

_KEY = "grey: 95 % of reference windows; shaded: incidents"


def picture(home: Home, monitor: Monitor, *, metric: str, now: datetime) -> bytes:
    """Return the chart of a metric of the whole model as a PNG.

    Raises:
        UsageError: no window has a number for it.

    """
    scores = [s for s in whole_scores(home, monitor, now, since=now - SHOWN) if s.metric == metric and not s.feature]
    if not any(s.value is not None for s in scores):
        raise UsageError(f"no window has a number for {metric!r}", where=monitor.model, then="`watchkeeper scores` lists what there is.")
    frame = frame_of(home, monitor, shared(home, now=now))
    drawn = metric_chart(
        scores,
        timezone=frame.timezone,
        palette=PICTURE,
        size=POSTER,
        usual=usual_of(scores, frame),
        shades=shades(scores[0], frame.incidents),
        title="\n".join(filter(None, (f"{monitor.model}: {metric_text(metric)} by {monitor.window}; {_KEY}", hollow_text(scores)))),
    )
    return png(drawn)
