"""Charts of a metric over time, as Vega-Lite specifications in the colours of a page or of a picture.

Belongs here: what is drawn. Does not: turning it into SVG or PNG (adapters/charts.py), or the text around it (templates).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from zoneinfo import ZoneInfo

from watchkeeper.judgement.season import Usual
from watchkeeper.records import Score


@dataclass(frozen=True, slots=True)
class Palette:
    """Colours of a chart; those of PAGE follow the page's light or dark style, those of PICTURE stand alone."""

    ink: str
    muted: str
    line: str
    grid: str
    band: str
    interval: str
    paper: str | None
    severities: dict[str, str]


_NAMES = ("notice", "warning", "high", "critical")
PAGE = Palette("var(--ink)", "var(--muted)", "var(--line)", "var(--grid)", "var(--band)", "var(--line)", None, {n: f"var(--{n})" for n in _NAMES})
PICTURE = Palette(
    "#1d2433",
    "#5b6577",
    "#1f5fa8",
    "#e6e9ee",
    "#7d8ba0",
    "#1f5fa8",
    "#ffffff",
    dict(zip(_NAMES, ("#64748b", "#b7791f", "#c2410c", "#b91c1c"), strict=True)),
)


@dataclass(frozen=True, slots=True)
class Size:
    """Width and height of the plotting area in pixels."""

    width: int
    height: int


LABEL_GAP = 14
WIDE, NARROW, POSTER = Size(760, 170), Size(320, 160), Size(900, 240)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shade:
    """A stretch of time to be shaded: an incident."""

    start: datetime
    end: datetime
    severity: str


def metric_chart(
    scores: Sequence[Score],
    *,
    timezone: str,
    palette: Palette,
    size: Size,
    usual: Usual | None = None,
    limit: float | None = None,
    shades: Sequence[Shade] = (),
    estimated: Sequence[Score] = (),
    title: str = "",
) -> dict[str, Any]:
    """Return the chart of one metric: line, 95 % interval, what is usual for each window, target, incidents, provisional points hollow.

    `estimated` are scores of its estimate, drawn as dots beside it.
    """
    import altair as alt
    from altair.utils.schemapi import debug_mode

    points = [_point(s, timezone) for s in scores]
    with debug_mode(False):  # altair checks each piece against its schema, 70 % of a page's time; the tests check the whole
        layers = [
            *_shades(shades, points, timezone, palette),
            *_usual(usual, scores, timezone, palette),
            *_limit(limit, palette),
            *_estimate([_point(s, timezone) for s in estimated], palette),
            *_lines(points, palette),
        ]
        chart = alt.layer(*layers).properties(width=size.width, height=size.height)
        if title:
            chart = chart.properties(title=alt.TitleParams(title.split("\n"), anchor="start", fontSize=15, color=palette.ink))
        found: dict[str, Any] = chart.configure(**_style(palette)).to_dict(validate=False)
    return found


def hollow_text(scores: Sequence[Score]) -> str:
    """Return what a caption says of the hollow points of a chart; empty where there are none."""
    waiting = sum(s.value is not None and s.state == "provisional" for s in scores)
    which = "the newest point, provisional until its" if waiting == 1 else f"the {waiting} newest points, provisional until their"
    return f"hollow: {which} labels are due" if waiting else ""


def resized(chart: dict[str, Any], size: Size) -> dict[str, Any]:
    """Return the same chart in another size; to build it anew takes longer than to draw it."""
    return {**chart, "width": size.width, "height": size.height}


def _point(score: Score, timezone: str) -> dict[str, Any]:
    return {
        "at": _local(score.window_start, timezone),
        "value": score.value,
        "low": score.low,
        "high": score.high,
        "is_provisional": score.state == "provisional",
    }


def _rows(values: list[dict[str, Any]]) -> Any:
    import altair as alt

    return alt.Data(values=values)  # type: ignore[no-untyped-call]


def _local(moment: datetime, timezone: str) -> str:
    return moment.astimezone(ZoneInfo(timezone)).strftime("%Y-%m-%dT%H:%M:%SZ")


def _x(palette: Palette) -> Any:
    import altair as alt

    axis = alt.Axis(
        title=None,
        labelColor=palette.muted,
        tickColor=palette.grid,
        domainColor=palette.grid,
        grid=False,
        tickCount=6,
        labelOverlap=True,
        labelSeparation=LABEL_GAP,  # a browser's font is wider than the one that labels are measured in
    )
    return alt.X("at:T", scale=alt.Scale(type="utc"), axis=axis)


def _y(palette: Palette, name: str = "value") -> Any:
    import altair as alt

    axis = alt.Axis(title=None, labelColor=palette.muted, gridColor=palette.grid, domain=False, ticks=False, tickCount=4, labelPadding=6)
    return alt.Y(f"{name}:Q", scale=alt.Scale(zero=False, nice=True), axis=axis)


def _lines(points: list[dict[str, Any]], palette: Palette) -> list[Any]:
    import altair as alt

    base = alt.Chart(_rows(points))
    gaps: Literal["break-paths-show-path-domains"] = "break-paths-show-path-domains"
    interval = base.mark_area(color=palette.interval, opacity=0.16, invalid=gaps).encode(x=_x(palette), y=_y(palette, "low"), y2="high:Q")
    line = base.mark_line(color=palette.line, strokeWidth=1.6, invalid=gaps).encode(x=_x(palette), y=_y(palette))
    known = [n for n, p in enumerate(points) if p["value"] is not None]
    hollow = [points[n] for n in known if points[n]["is_provisional"]]
    alone = [points[n] for n in known if not points[n]["is_provisional"] and {n - 1, n + 1}.isdisjoint(known)]
    dots = [
        alt.Chart(_rows(some)).mark_point(color=palette.line, filled=is_filled, size=36, strokeWidth=1.6).encode(x=_x(palette), y=_y(palette))
        for some, is_filled in ((alone, True), (hollow, False))
        if some
    ]
    has_interval = any(p["low"] is not None and p["high"] is not None for p in points)
    return [*([interval] if has_interval else []), line, *dots]


def _estimate(points: list[dict[str, Any]], palette: Palette) -> list[Any]:
    import altair as alt

    if not points:
        return []
    line = alt.Chart(_rows(points)).mark_line(color=palette.ink, strokeDash=[1, 3], strokeWidth=1.6, invalid="break-paths-show-path-domains")
    return [line.encode(x=_x(palette), y=_y(palette))]


def _usual(usual: Usual | None, scores: Sequence[Score], timezone: str, palette: Palette) -> list[Any]:
    """Return the band of what is usual: one for all windows, or where places of the week differ, or there is a new normal, some that follow them."""
    import altair as alt

    if usual is None or not scores:
        return []
    known = [(s, r) for s, r in zip(scores, usual.of([s.window_start for s in scores]), strict=True) if r is not None]
    if known and not usual.kind and not usual.later:
        data = _rows([{"value": known[0][1].low, "to": known[0][1].high}])
        return [alt.Chart(data).mark_rect(color=palette.band, opacity=0.18).encode(y=_y(palette), y2="to:Q")]
    steps: dict[int, list[dict[str, Any]]] = {}
    for score, found in known:
        step = {"at": _local(score.window_start, timezone), "value": found.low, "to": found.high}
        steps.setdefault(id(usual.at(score.window_start)), []).append(step)
    areas = (alt.Chart(_rows(some)).mark_area(color=palette.band, opacity=0.3) for some in steps.values())
    return [area.encode(x=_x(palette), y=_y(palette), y2="to:Q") for area in areas]


def _limit(limit: float | None, palette: Palette) -> list[Any]:
    import altair as alt

    if limit is None:
        return []
    data = _rows([{"value": limit}])
    return [alt.Chart(data).mark_rule(color=palette.ink, strokeDash=[5, 4], strokeWidth=1).encode(y=_y(palette))]


def _shades(shades: Sequence[Shade], points: list[dict[str, Any]], timezone: str, palette: Palette) -> list[Any]:
    import altair as alt

    if not points:
        return []
    first, last = min(p["at"] for p in points), max(p["at"] for p in points)
    layers = []
    for shade in shades:
        start, end = _local(shade.start, timezone), _local(shade.end, timezone)
        if end <= first or start > last:
            continue
        data = _rows([{"at": max(start, first), "to": min(end, last)}])
        colour = palette.severities[shade.severity]
        layers.append(alt.Chart(data).mark_rect(color=colour, opacity=0.2, stroke=colour, strokeOpacity=0.5).encode(x=_x(palette), x2="to:T"))
    return layers


def _style(palette: Palette) -> dict[str, Any]:
    return {
        "background": palette.paper or "transparent",
        "font": "sans-serif",
        "view": {"stroke": None},
        "axis": {"labelFontSize": 12},
        "aria": False,
    }
