"""The site: what is on the pages, and that a page is written only when what it shows has changed."""

import dataclasses
import re
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from html.parser import HTMLParser

import pytest

import worlds_site as world
from incident_world import MONDAY, event, happen
from watchkeeper.adapters.workspace import Home
from watchkeeper.errors import UsageError
from watchkeeper.judgement.incidents import LASTED, fold
from watchkeeper.operations.ingest import ingest
from watchkeeper.operations.measure import measure
from watchkeeper.operations.pages import pages
from watchkeeper.operations.picture import picture
from watchkeeper.operations.profile import profile
from watchkeeper.records import Digest, IncidentEvent, key
from watchkeeper.site.model_page import _standing

DAY = timedelta(days=1)
RESOLVED, OPEN = key(world.MODEL, "kpi"), key(world.MODEL, "segment")


class Elements(HTMLParser):
    """The tags of a page with their attributes, and the text of a page."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.words = [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.words.append(data)

    @property
    def said(self):
        return " ".join(" ".join(self.words).split())


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    home, watched = world.build(tmp_path_factory.mktemp("pages"))
    written = pages(home, {watched.model: watched}, now=world.NOW)
    return home, watched, written


def page(site, name):
    return Elements((site[0].site_dir / name).read_text())


def test_there_is_a_page_for_everything(site):
    names = {p.relative_to(site[0].site_dir).as_posix() for p in site[2]}
    digest = key(world.MODEL, "week")
    assert names == {"index.html", f"models/{world.MODEL}.html", f"incidents/{RESOLVED}.html", f"incidents/{OPEN}.html", f"digests/{digest}.html"}


def test_every_link_leads_to_a_page_that_exists_and_none_leads_out(site):
    for path in site[2]:
        addresses = [a["href"] for tag, a in Elements(path.read_text()).tags if tag == "a"]
        assert addresses
        for address in addresses:
            target = path if address.startswith("#") else (path.parent / address).resolve()
            assert target.is_file(), f"{path.name} links to {address}"


def test_pages_load_nothing_and_run_nothing(site):
    for path in site[2]:
        for tag, attributes in Elements(path.read_text()).tags:
            assert tag not in ("script", "iframe", "img", "object", "embed")
            assert not attributes.get("src")
            assert tag != "link" or attributes["href"].startswith("data:")
            assert not any(name.startswith("on") for name in attributes)


def test_what_a_headline_or_a_digest_holds_is_text(site):
    assert "Virgin America is late more often than <expected> & said" in page(site, f"incidents/{OPEN}.html").said
    digest = page(site, f"digests/{key(world.MODEL, 'week')}.html")
    assert "<script>alert(1)</script>" in digest.said
    assert digest.said.count("Flight delays, 22 to 28 April: bad week") == 2, "once as the title of the tab and once on the page"
    assert ("td", {}) in digest.tags
    assert "carrier <b>&" not in page(site, "index.html").said


def test_an_incident_page_says_since_when_how_bad_why_and_what_to_do(site):
    said = page(site, f"incidents/{RESOLVED}.html").said
    for words in (
        "at least 52 % of Monday's flights were late",
        "Distrust 'on time' at LaGuardia.",
        "22 to 26 Apr 2013",
        "504 of 511 late flights were not flagged",
        "Accounts for 90 % [82, 96] of the change. Since Mon 22 Apr 2013, 00:00.",
        "PSI of schedule features below .05",
        "one rainy hour at Newark",
        "Ruled out rain, fog a new version",
        "Not measured latency GPU",
        "Resolved (Fri 26 Apr 2013): two usual days.",
    ):
        assert words in said


def test_what_joined_as_an_incident_was_closed_comes_before_its_end(home, parcels):
    """Both are of one run; ids, which no reader sees, set no order."""
    again = MONDAY + 30 * DAY
    joined = replace(event("joined", day=1, at=again), event_id="b")
    happen(home, event(), joined, replace(event("resolved", day=1, at=again), event_id="a", why=LASTED))
    pages(home, {"parcels": parcels}, now=again + DAY)
    said = Elements((home.site_dir / "incidents" / "i1.html").read_text()).said
    assert said.index("Opened (") < said.index("Joined (") < said.index("Resolved (")


def test_an_incident_without_a_tested_cause_says_unknown(site):
    assert "Unknown: no cause that was tested holds." in page(site, f"incidents/{OPEN}.html").said


def test_segments_that_were_hit_are_named(site):
    assert "calibration gap, carrier VX: 0.120 [0.070, 0.170], usual 0, 900 rows" in page(site, f"incidents/{OPEN}.html").said


def test_a_model_page_shows_promises_kpis_labels_inputs_quality_and_cost(site):
    elements = page(site, f"models/{world.MODEL}.html")
    charts = [a["aria-label"] for _, a in elements.tags if a.get("role") == "img"]
    shown = [c.split(",")[0] for c in charts]
    assert shown == [
        "calibration gap",
        "log loss",
        "AUC",
        "recall",
        "precision",
        "PSI of dest",
        "label coverage",
        "total cost",
        "cost per 1000 predictions",
    ]
    for words in (
        "recall at least 0.35 0.200 on Sun 28 Apr 2013 broken",
        "Cost (synthetic trace, not a bill)",
        "wind_speed: column values to be between",
        "no wind blows at 1,000 mph",
    ):
        assert words in elements.said


def test_a_model_page_lists_what_is_open_first_and_the_gravest_of_that_as_the_overview_does():
    first, second = fold(world._incidents(world._signals(world.days(world.monitor()))))
    kinds = [("open", "warning"), ("resolved", "critical"), ("open", "critical"), ("acknowledged", "high")]
    every = [dataclasses.replace(second if n else first, state=state, severity=severity) for n, (state, severity) in enumerate(kinds)]
    assert [i.severity for i in sorted(every, key=_standing, reverse=True)] == ["critical", "high", "warning", "critical"]


def test_severities_are_written_and_not_only_coloured(site):
    badges = re.findall(
        r'<span class="badge (\w+)"><span aria-hidden="true" class="sign">([^<]+)</span>(\w+)</span>', (site[0].site_dir / "index.html").read_text()
    )
    assert {(c, t) for c, _, t in badges} == {("warning", "warning"), ("high", "high")}
    assert len({sign for _, sign, _ in badges}) == 2


def test_a_second_run_touches_nothing(site):
    home, watched, _ = site
    before = {p: p.stat().st_mtime_ns for p in home.site_dir.rglob("*")}
    assert pages(home, {watched.model: watched}, now=world.NOW) == []
    assert {p: p.stat().st_mtime_ns for p in home.site_dir.rglob("*")} == before


def test_only_the_pages_that_show_what_is_new_are_written_again(site):
    home, watched, _ = site
    event = world._event(world._signals(world.days(watched))[-1], "acknowledged", "warning", "{}", [])
    later = world.NOW + timedelta(minutes=5)
    home.lake.append_records(IncidentEvent, [dataclasses.replace(event, who="ada", why="asked the airline", at=later)])
    changed = {p.relative_to(home.site_dir).as_posix() for p in pages(home, {watched.model: watched}, now=later)}
    assert changed == {"index.html", f"models/{world.MODEL}.html", f"incidents/{OPEN}.html"}
    assert "Acknowledged by ada (Sat 27 Apr 2013): asked the airline." in page(site, f"incidents/{OPEN}.html").said


def test_an_empty_workspace_has_a_first_page(tmp_path):
    home = Home(tmp_path)
    assert [p.name for p in pages(home, {}, now=world.NOW)] == ["index.html"]
    assert "No model is watched yet" in (home.site_dir / "index.html").read_text()


def test_a_model_without_data_has_a_page_that_says_so(tmp_path):
    home, watched = Home(tmp_path), world.monitor()
    pages(home, {watched.model: watched}, now=world.NOW)
    said = Elements((home.site_dir / "models" / f"{watched.model}.html").read_text()).said
    assert "no data yet" in said
    assert "None so far." in said


def test_a_digest_with_facts_of_any_shape_is_shown(tmp_path):
    home = Home(tmp_path)
    digest = dataclasses.replace(world._digest(world.days(world.monitor())), model="", facts='{"models": {"a": 1}, "late_ratio": 0.39}')
    home.lake.append_records(Digest, [digest])
    pages(home, {}, now=world.NOW)
    said = Elements((home.site_dir / "digests" / f"{digest.digest_id}.html").read_text()).said
    assert "late ratio 0.39" in said


def test_the_picture_of_a_metric_is_a_png_and_one_without_numbers_is_said(site):
    home, watched, _ = site
    assert picture(home, watched, metric="calibration_gap", now=world.NOW).startswith(b"\x89PNG")
    with pytest.raises(UsageError, match="no window has a number for 'mae'"):
        picture(home, watched, metric="mae", now=world.NOW)


def test_measured_segments_are_summed_over_a_month(home, parcels, parcels_of_day):
    first = date(2025, 1, 1)
    for n in range(34):
        parcels_of_day(first + timedelta(days=n), rows=120)
    now = datetime(2025, 2, 6, tzinfo=UTC)
    ingest(home, parcels, now=now)
    profile(home, parcels, now=now)
    measure(home, parcels, now=now)
    pages(home, {parcels.model: parcels}, now=now)
    said = Elements((home.site_dir / "models" / "parcels.html").read_text()).said
    section = said.split("Segments ")[1].split("Inputs and predictions")[0]
    assert section.startswith("1 to 31 Jan 2025, with 95 % intervals.")
    rows = {name: int(n.replace(",", "")) for name, n in re.findall(r"depot (\w+) ([\d,]+)", section)}
    assert set(rows) == {"north", "south", "east"}
    assert sum(rows.values()) == 31 * 120
    assert "weight_kg" in said
