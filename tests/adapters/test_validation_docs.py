"""The validation docs: what gets a page, what stands on it, and that it needs no network."""

import json
import re
import shutil
import subprocess
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from watchkeeper.adapters.validation_docs import build_docs, page_of
from watchkeeper.adapters.workspace import Home
from watchkeeper.records import Batch, Validation

NOW = datetime(2013, 4, 22, 6, tzinfo=UTC)
WHY = "no faster wind was ever measured at ground level"


def batch(batch_id: str, at: datetime = NOW, **more: Any) -> Batch:
    told = {"name": f"{batch_id}.parquet", "status": "partial", "rows_read": 985, "rows_landed": 984, "rows_quarantined": 1, "ends_at": at}
    return Batch(batch_id=batch_id, model="flights", source="events", landed_at=at, **(told | more))


def outcome(batch_id: str, outcome: str = "fail", at: datetime = NOW, **more: Any) -> Validation:
    told = {
        "expectation": "expect_column_values_to_be_between",
        "expectation_id": "expect_column_values_to_be_between/wind_speed",
        "column": "wind_speed",
        "arguments": json.dumps({"min_value": 0, "max_value": 231}),
        "severity": "critical",
        "unexpected_count": 1 if outcome == "fail" else 0,
        "element_count": 985,
        "owner": "#weather-desk",
        "why": WHY,
        "suite": "flights_events",
    }
    return Validation(
        batch_id=batch_id,
        model="flights",
        source="events",
        suite_hash="h" * 64,
        outcome=outcome,
        validated_at=at,
        **(told | more),
    )


def page(home: Home, path: str) -> str:
    return (home.site_dir / path).read_text("utf-8")


def words(text: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", text).split())


def test_a_failed_batch_has_a_page_with_owner_and_why(home: Home) -> None:
    pages = build_docs(home, [batch("a")], [outcome("a")], now=NOW)
    shown = words(page(home, pages["a"]))
    assert "values must be greater than or equal to 0 and less than or equal to 231" in shown
    assert "1 unexpected values found" in shown
    assert f"critical #weather-desk {WHY}" in shown
    assert "985 read, 984 landed, 1 quarantined" in shown


def test_what_passed_has_a_page_only_when_newest(home: Home) -> None:
    moments = [NOW + timedelta(days=day) for day in range(3)]
    batches = [batch(name, at) for name, at in zip("abc", moments, strict=True)]
    found = [outcome("a", at=NOW), outcome("b", "pass", at=NOW), outcome("c", "pass", at=NOW)]
    assert sorted(build_docs(home, batches, found, now=NOW)) == ["a", "c"]


@pytest.mark.parametrize("severity", ["info", "warning"])
def test_only_a_failure_that_matters_earns_an_older_batch_a_page(home: Home, severity: str) -> None:
    found = [outcome("a", severity=severity), outcome("b", "pass")]
    pages = build_docs(home, [batch("a"), batch("b", NOW + timedelta(days=1))], found, now=NOW)
    assert ("a" in pages) == (severity == "warning")


def test_an_error_is_shown_as_one(home: Home) -> None:
    pages = build_docs(home, [batch("a")], [outcome("a", "error", error='The column "wind_speed" does not exist')], now=NOW)
    shown = words(page(home, pages["a"]))
    assert "not wholly evaluated" in shown
    assert "wind_speed&#34; does not exist" in shown or 'wind_speed" does not exist' in shown or "wind_speed&quot; does not exist" in shown


def test_the_newest_results_of_each_suite_are_kept(home: Home) -> None:
    for day in range(5):
        at = NOW + timedelta(days=day)
        build_docs(home, [batch(f"b{day}", at)], [outcome(f"b{day}", at=at), outcome(f"b{day}", at=at, suite="other")], now=at, keep=2)
    folder = home.site_dir / "validation" / "results"
    assert {f.name: sorted(p.stem.split("-")[1] for p in f.glob("*.html")) for f in folder.iterdir()} == {
        "flights_events": ["b3", "b4"],
        "other": ["b3", "b4"],
    }
    assert "The newest 2 results of each suite are kept here" in words(page(home, "validation/index.html"))
    assert page_of(home, "b0") is None


def test_the_page_of_a_batch_is_found_again(home: Home) -> None:
    later = NOW + timedelta(days=1)
    build_docs(home, [batch("a")], [outcome("a")], now=NOW)
    assert build_docs(home, [batch("a")], [outcome("a", at=later)], now=later)["a"] == page_of(home, "a")
    assert page_of(home, "a") == "validation/results/flights_events/20130423T060000-a.html"


def test_the_list_leads_to_every_page(home: Home) -> None:
    build_docs(home, [batch("a"), batch("b")], [outcome("a"), outcome("b")], now=NOW)
    listed = page(home, "validation/index.html")
    links = re.findall(r'href="(results/[^"]+)"', listed)
    assert len(links) == 2
    assert all((home.site_dir / "validation" / link).exists() for link in links)
    assert "wind_speed: values to be between (critical), 1 of 985 rows" in listed


def test_building_again_changes_no_page(home: Home) -> None:
    first = build_docs(home, [batch("a")], [outcome("a")], now=NOW)
    assert build_docs(home, [batch("a")], [outcome("a")], now=NOW) == first
    assert len(list((home.site_dir / "validation" / "results").rglob("*.html"))) == 1


def test_nothing_checked_is_a_list_that_says_so(home: Home) -> None:
    assert build_docs(home, [batch("a")], [], now=NOW) == {}
    assert "Nothing was checked yet" in page(home, "validation/index.html")


def test_pages_ask_no_network_for_anything(home: Home) -> None:
    pages = build_docs(home, [batch("a")], [outcome("a"), outcome("a", "error", error="no", column="x")], now=NOW)
    for path in [pages["a"], "validation/index.html"]:
        text = page(home, path)
        assert re.findall(r"(?:https?:)?//[\w.-]+\.\w+", text) == []
        for asset in re.findall(r'(?:href|src)="([^"#]+)"', text):
            assert asset.startswith("data:") or ((home.site_dir / path).parent / asset).resolve().exists(), asset


def test_what_people_wrote_is_text_and_not_markup(home: Home) -> None:
    evil = "<script>alert(1)</script>"
    told = {"owner": evil, "why": evil, "error": evil, "observed": evil}
    pages = build_docs(
        home,
        [batch("a", name=evil, reason=evil)],
        [outcome("a", column=evil, **told), outcome("a", "error", column=evil, **told), _query(evil + "{batch}", **told)],
        now=NOW,
    )
    for path in [pages["a"], "validation/index.html"]:
        assert evil not in page(home, path)


def _query(text: str, **told: Any) -> Validation:
    told |= {
        "expectation": "unexpected_rows_expectation",
        "arguments": json.dumps({"unexpected_rows_query": text}),
        "unexpected_count": None,
        "element_count": None,
    }
    return outcome("a", column="", **told)


def test_a_page_costs_milliseconds_once_gx_is_there(home: Home) -> None:
    found = [outcome("a", column=f"c{i}") for i in range(11)]
    build_docs(home, [batch("a")], found, now=NOW)
    start = time.process_time()
    build_docs(home, [batch("a")], found, now=NOW)
    assert time.process_time() - start < 0.5


PROBE = """<script>addEventListener("load", function () {
  var size = function (q) { var found = document.querySelector(q); return found ? found.getBoundingClientRect().height : -1; };
  var seen = { folded: size(".collapse"), column: size("#section-3"), styled: getComputedStyle(document.querySelector(".alert")).backgroundColor };
  document.querySelector('[data-toggle="collapse"]').click();
  document.getElementById("failed-only").click();
  seen.unfolded = size(".collapse"); seen.filtered = size("#section-3"); seen.failed = size("#section-2");
  document.title = JSON.stringify(seen);
});</script>"""


@pytest.mark.browser
def test_a_page_is_styled_folds_and_filters_offline_in_a_browser(home: Home, chromium: Callable[[Path], str]) -> None:
    pages = build_docs(home, [batch("a")], [outcome("a"), outcome("a", "pass", column="zone")], now=NOW)
    path = home.site_dir / pages["a"]
    path.write_text(path.read_text("utf-8").replace("</body>", PROBE + "</body>"), "utf-8")
    title = re.search(r"<title>(.*?)</title>", chromium(path))
    assert title is not None
    seen = json.loads(title[1])
    assert (seen["folded"], seen["filtered"]) == (0, 0)
    assert min(seen["unfolded"], seen["column"], seen["failed"]) > 0
    assert seen["styled"] == "rgb(226, 227, 229)"  # Bootstrap's, so its style sheet was read


@pytest.fixture
def chromium(tmp_path: Path) -> Callable[..., str]:
    """Return a reader of a page as Chromium sees it, without a network."""
    found = shutil.which("chromium")
    if found is None:
        pytest.skip("needs Chromium")
    quiet = ["--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-quic"]

    def read(path: Path) -> str:
        command = [found, "--headless", "--no-sandbox", "--disable-gpu", *quiet, "--host-resolver-rules=MAP * ~NOTFOUND"]
        command += [f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom", path.as_uri()]
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout

    return read


@pytest.mark.parametrize(
    "expectation", ["expect_column_values_to_be_between", "expect_column_value_lengths_to_be_between", "expect_column_values_to_be_in_set"]
)
@pytest.mark.parametrize("result", ["pass", "fail", "error"])
def test_what_private_arguments_were_taken_from_has_its_row_too(home: Home, expectation: str, result: str) -> None:
    bare = {"expectation": expectation, "expectation_id": f"{expectation}/salary", "column": "salary", "arguments": "{}"}
    pages = build_docs(home, [batch("a")], [outcome("a", result, **bare), outcome("a")], now=NOW)
    shown = words(page(home, pages["a"]))
    assert f"{expectation.removeprefix('expect_column_').replace('_', ' ')}; what it names is not shown" in shown
    assert "values must be greater than or equal to 0 and less than or equal to 231" in shown, "others are told as ever"
    assert "is a required field" not in shown


def test_an_expectation_that_gx_no_longer_knows_takes_no_page_with_it(home: Home) -> None:
    unknown = {"expectation": "expect_that_nobody_knows", "expectation_id": "x", "column": "", "arguments": "{}"}
    pages = build_docs(home, [batch("a")], [outcome("a", **unknown), outcome("a")], now=NOW)
    assert "that nobody knows; what it names is not shown" in words(page(home, pages["a"]))
