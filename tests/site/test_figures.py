"""Charts show what the scores say: gaps, bands, provisional windows, incidents."""

import dataclasses
import xml.etree.ElementTree as ET
from datetime import timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import numpy as np
import pytest

import worlds_site as world
from watchkeeper.adapters.charts import png, svg
from watchkeeper.judgement.incidents import fold
from watchkeeper.operations.maturity import Maturity
from watchkeeper.site.charts import NARROW, PAGE, PICTURE, WIDE, Shade, hollow_text, metric_chart
from watchkeeper.site.figures import Frame, Normal, figure, shades, usual_of
from watchkeeper.site.model_page import ModelFacts, model_page
from watchkeeper.site.overview import OverviewRow
from watchkeeper.windows import Window

WATCHED = world.monitor()
SCORES = [s for w in world.days(WATCHED) for s in world._scores(WATCHED, w) if s.metric == "log_loss"]
SPAN = WATCHED.reference_span
HOUR = timedelta(hours=1)
FRAME = Frame(timezone=WATCHED.timezone, reference=SPAN, incidents=[], draw=svg)


def chart(scores, **more):
    return metric_chart(scores, timezone=WATCHED.timezone, palette=PAGE, size=WIDE, **more)


def marks(spec):
    return [layer["mark"]["type"] for layer in spec["layer"]]


def test_the_usual_band_holds_95_percent_of_reference_windows():
    usual = usual_of(SCORES, FRAME)
    bands = usual.of([s.window_start for s in SCORES])
    inside = [band.low <= s.value <= band.high for s, band in zip(SCORES, bands, strict=True) if s.window_start < SPAN[1]]
    assert 0.94 <= sum(inside) / len(inside) <= 0.98


def test_a_short_reference_says_nothing_about_what_is_usual():
    assert usual_of(SCORES[:19], FRAME) is None
    assert usual_of(SCORES, dataclasses.replace(FRAME, reference=None)) is None


def test_the_band_steps_where_a_new_normal_begins_and_is_learned_from_its_days_beside_themselves():
    since, days = SCORES[70].window_start, Window(SCORES[40].window_start, SCORES[65].window_start)
    own = [dataclasses.replace(s, value=s.value + 10) for s in SCORES[40:65]]
    normal = Normal(since=since, days=days, said="a new normal", beside={("log_loss", ""): own})
    frame = dataclasses.replace(FRAME, normals=[normal])
    bands = usual_of(SCORES, frame).of([s.window_start for s in SCORES])
    assert [band.low > 5 for band in bands] == [s.window_start >= since for s in SCORES]
    assert bands[0] == usual_of(SCORES, FRAME).of([SCORES[0].window_start])[0]
    made = figure(SCORES, frame)
    assert "it steps with each new normal" in made.legend
    assert (
        marks(chart(SCORES, usual=usual_of(SCORES, frame))).count("area") == 1 + marks(chart(SCORES, usual=usual_of(SCORES, FRAME))).count("area") + 1
    )
    assert (frame.compared_with(since), frame.compared_with(days.start)) == ("a new normal", "")


def test_a_new_normal_of_few_days_has_no_band_and_none_before_it_is_lost():
    since = SCORES[70].window_start
    few = Normal(since=since, days=Window(SCORES[60].window_start, SCORES[69].window_start), said="few", beside={})
    bands = usual_of(SCORES, dataclasses.replace(FRAME, normals=[few])).of([s.window_start for s in SCORES])
    assert [band is None for band in bands] == [s.window_start >= since for s in SCORES]
    assert "grey band" not in figure(SCORES, dataclasses.replace(FRAME, normals=[few])).legend


def test_provisional_windows_are_hollow_points_and_mature_ones_are_not_drawn_twice():
    spec = chart(SCORES)
    hollow = next(layer for layer in spec["layer"] if layer["mark"]["type"] == "point")
    provisional = [s for s in SCORES if s.state == "provisional"]
    assert len(hollow["data"]["values"]) == len(provisional) == 2
    assert hollow["mark"]["filled"] is False
    assert marks(chart(SCORES[:50])) == ["area", "line"]


def test_an_incident_outside_the_chart_is_not_shaded():
    inside = Shade(start=SCORES[5].window_start, end=SCORES[9].window_start, severity="high")
    before = dataclasses.replace(inside, start=SCORES[0].window_start - timedelta(days=9), end=SCORES[0].window_start - timedelta(days=7))
    assert marks(chart(SCORES, shades=[inside, before])).count("rect") == 1


def test_a_window_without_a_number_is_a_gap_in_the_line():
    scores = [dataclasses.replace(s, value=None, low=None, high=None) if n == 4 else s for n, s in enumerate(SCORES[:9])]
    drawn = ET.fromstring(svg(chart(scores)))  # noqa: S314 - our own
    lines = [e.get("d", "") for e in drawn.iter("{http://www.w3.org/2000/svg}path") if "stroke-width" in e.attrib and e.get("stroke") == PAGE.line]
    assert [d.count("M") for d in lines] == [2]


def test_an_estimate_is_dotted_beside_what_was_realised_and_goes_on_where_labels_are_missing():
    estimated = [dataclasses.replace(s, metric="estimated_log_loss", state="done", value=0.4 + n / 1000) for n, s in enumerate(SCORES)]
    made = figure([dataclasses.replace(s, value=None) if n > 50 else s for n, s in enumerate(SCORES)], FRAME, estimated=estimated)
    assert "dotted: estimated without labels, blind to a change of what inputs mean" in made.legend
    spec = chart(SCORES, estimated=estimated)
    dotted = next(layer for layer in spec["layer"] if layer["mark"].get("strokeDash") == [1, 3])
    assert [p["value"] for p in dotted["data"]["values"]] == [s.value for s in estimated]
    assert "dotted" not in figure(SCORES, FRAME).legend


def test_figures_follow_the_style_of_the_page_and_load_nothing():
    drawn = svg(chart(SCORES, usual=usual_of(SCORES, FRAME), limit=0.7))
    assert "var(--line)" in drawn
    assert "var(--band)" in drawn
    assert "<script" not in drawn
    assert "href=" not in drawn


def test_a_figure_speaks_its_numbers_and_keeps_the_newest_in_its_table():
    made = figure(SCORES, FRAME)
    assert made.rows[0] == SCORES[-1]
    assert made.left_out + len(made.rows) == len(SCORES)
    assert f"last {SCORES[-1].value:.3f} (provisional)," in made.spoken
    assert "usual, which 95 % of reference windows keep, is" in made.spoken
    assert "hollow: the 2 newest points, provisional until their labels are due" in made.legend
    assert made.legend.startswith(f"Last: {SCORES[-1].value:.3f} (provisional);")


def test_a_caption_says_nothing_of_provisional_points_where_there_are_none():
    mature = [s for s in SCORES if s.state != "provisional"]
    assert "provisional" not in figure(mature, FRAME).legend
    assert "provisional" not in figure(mature, FRAME).spoken
    assert hollow_text(mature) == ""
    assert hollow_text([*mature, SCORES[-1]]) == "hollow: the newest point, provisional until its labels are due"


def test_a_final_point_between_gaps_is_drawn_and_not_hollow():
    lone = [dataclasses.replace(s, value=None, low=None, high=None) if n != 4 else s for n, s in enumerate(SCORES[:9])]
    (dot,) = (layer for layer in chart(lone)["layer"] if layer["mark"]["type"] == "point")
    assert dot["mark"]["filled"] is True
    assert [p["value"] for p in dot["data"]["values"]] == [SCORES[4].value]


def test_a_metric_without_any_number_has_no_figure():
    none = [dataclasses.replace(s, value=None) for s in SCORES[:3]]
    assert figure(none, Frame(timezone="UTC", reference=None, incidents=[], draw=svg)) is None


@pytest.mark.parametrize(("n", "said"), [(1, "<summary>1 number</summary>"), (2, "<summary>2 numbers</summary>")])
def test_a_model_s_page_tells_how_many_other_numbers_there_are_and_each_thing_once(n, said):
    newest = [dataclasses.replace(SCORES[-1], metric=f"m{i}") for i in range(n)]
    facts = ModelFacts(monitor=WATCHED, row=OverviewRow(model="m", state="fine", maturity=Maturity("stated", timedelta(hours=36)).text), whole=newest)
    shown = model_page(facts, frame=FRAME, workspace="flights")
    assert said in shown
    assert "<dt>Label delay</dt><dd>mature after 36 h (stated)</dd>" in shown


@pytest.mark.parametrize("size", [WIDE, NARROW])
def test_a_picture_stands_alone(size):
    drawn = png(metric_chart(SCORES, timezone=WATCHED.timezone, palette=PICTURE, size=size, title="flight_delays: log loss"))
    assert drawn.startswith(b"\x89PNG")
    width = int.from_bytes(drawn[16:20])
    assert width >= 2 * size.width


def test_a_segments_incident_is_shaded_where_that_segment_is_shown_and_nowhere_else():
    vx = fold(world._incidents(world._signals(world.days(WATCHED))))[1]
    assert (vx.family, vx.subject) == ("segment", "carrier=VX")
    assert shades(SCORES[0], [vx]) == []
    assert len(shades(dataclasses.replace(SCORES[0], segment="carrier=VX"), [vx])) == 1


def by_hour(metric, value, hours=42 * 24):
    start = SPAN[0]
    return [
        dataclasses.replace(
            SCORES[0],
            metric=metric,
            unit="rows",
            grain="hour",
            value=value(start + n * HOUR),
            low=None,
            high=None,
            state="done",
            window_start=start + n * HOUR,
            window_end=start + (n + 1) * HOUR,
        )
        for n in range(hours)
    ]


def test_the_band_of_hourly_rows_follows_the_hours_and_is_learned_from_the_reference_though_only_the_incident_is_shown():
    zone = ZoneInfo(WATCHED.timezone)
    rng = np.random.default_rng(0)
    scores = by_hour("rows", lambda at: float(rng.poisson(1300 if 9 <= at.astimezone(zone).hour < 18 else 120)))
    frame = dataclasses.replace(FRAME, reference=(SPAN[0], SPAN[0] + 28 * 24 * HOUR))
    shown = Window(SPAN[0] + 35 * 24 * HOUR, SPAN[0] + 42 * 24 * HOUR)
    made = figure(scores, frame, shown=shown)
    assert len(made.rows) + made.left_out == 7 * 24
    assert "what is usual for each hour of the day" in made.legend
    ranges = usual_of(scores, frame).of([s.window_start for s in scores])
    inside = [r.low <= s.value <= r.high for s, r in zip(scores, ranges, strict=True)]
    assert np.mean(inside) > 0.93
    spec = metric_chart(scores, timezone=WATCHED.timezone, palette=PAGE, size=WIDE, usual=usual_of(scores, frame))
    band = spec["layer"][0]["data"]["values"]
    assert len(band) == len(scores)
    assert min(b["to"] for b in band) < 200
    assert max(b["value"] for b in band) > 1000


@pytest.mark.parametrize("weeks", [3, 7, 8, 20])
def test_labels_of_the_time_axis_keep_apart_on_a_narrow_screen(weeks):
    """Seven weeks' labels of 45 pixels each fit into 320 without a gap, and run into one another in a wider font."""
    scores = by_hour("rows", lambda at: float(at.hour), hours=weeks * 7 * 24)
    drawn = ET.fromstring(svg(metric_chart(scores, timezone=WATCHED.timezone, palette=PAGE, size=NARROW)))  # noqa: S314 - our own
    texts = [e for e in drawn.iter("{http://www.w3.org/2000/svg}text") if e.get("opacity") != "0" and e.get("text-anchor") == "middle"]
    at = sorted(float(e.get("transform").partition("(")[2].partition(",")[0]) for e in texts)
    assert len(at) >= 2
    assert min(right - left for left, right in pairwise(at)) >= 52
