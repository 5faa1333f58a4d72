"""The validation docs: pages of Great Expectations about what failed and what is newest, readable offline.

Belongs here: which results get a page, rendering, the list of pages, and pruning. Does not: running suites
(expectations.py) or where pages are served (`watchkeeper up`). Pages come from batches and validations, which hold counts
and aggregates only, so no raw value can reach them.
"""

import html
import json
import os
import shutil
import tempfile
from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from watchkeeper.adapters.suites import quiet_gx
from watchkeeper.adapters.workspace import Home
from watchkeeper.records import Batch, Validation
from watchkeeper.words import counted, expectation_text

KEEP = 20
_ASSETS = Path(__file__).parent / "docs_assets"
_SERVED = ("bootstrap.min.css", "LICENSE.bootstrap", "validation.css", "validation.js")
_COLUMNS = {"Severity": "severity", "Owner": "owner", "Why": "why"}
_WHOLE_TABLE = "Table-Level Expectations"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Facts:
    """What the list of results says about one page; kept beside the page, so that the list is rebuilt without rendering."""

    suite: str
    suite_hash: str
    batch_id: str
    name: str
    model: str
    source: str
    at: str
    verdict: str
    rows_read: int
    rows_landed: int
    rows_quarantined: int
    reason: str
    failed: list[str] = field(default_factory=list)
    is_critical: bool = False


def build_docs(home: Home, batches: Sequence[Batch], validations: Sequence[Validation], *, now: datetime, keep: int = KEEP) -> dict[str, str]:
    """Write pages for those batches that failed and for the newest of each suite; return batch id -> page.

    Pages are paths below `home.site_dir`. Each suite keeps its `keep` newest pages. Meant to be called once, at the end
    of a run, with all that the run took in; calling it again writes the same pages.
    """
    folder = home.site_dir / "validation"
    _serve_assets(folder)
    chosen = _chosen(batches, validations)
    for facts, found in chosen:
        _write(folder / _page(facts), _render(facts, found))
        _write((folder / _page(facts)).with_suffix(".json"), json.dumps(asdict(facts), ensure_ascii=False))
    _prune(folder, keep)
    _write(folder / "index.html", _index(folder, now, keep))
    return {facts.batch_id: f"validation/{_page(facts)}" for facts, _ in chosen}


def page_of(home: Home, batch_id: str) -> str | None:
    """Return the newest page about a batch as a path below `home.site_dir`, None when it has none (any more)."""
    pages = sorted((home.site_dir / "validation" / "results").glob(f"*/*-{batch_id}.html"), key=lambda page: page.name)
    return pages[-1].relative_to(home.site_dir).as_posix() if pages else None


def _chosen(batches: Sequence[Batch], validations: Sequence[Validation]) -> list[tuple[_Facts, list[Validation]]]:
    by_id = {batch.batch_id: batch for batch in batches}
    groups: dict[tuple[str, str], list[Validation]] = defaultdict(list)
    for validation in validations:
        if validation.batch_id in by_id:
            groups[validation.suite, validation.batch_id].append(validation)
    told = [(_facts(by_id[batch_id], found), found) for (_, batch_id), found in groups.items()]
    told.sort(key=lambda pair: (pair[0].at, _moment(by_id[pair[0].batch_id])))
    newest = {facts.suite: facts.batch_id for facts, _ in told}
    return [(facts, found) for facts, found in told if facts.failed or newest[facts.suite] == facts.batch_id]


def _moment(batch: Batch) -> float:
    return batch.ends_at.timestamp() if batch.ends_at else 0.0


def _facts(batch: Batch, found: Sequence[Validation]) -> _Facts:
    broken = [v for v in found if v.outcome != "pass" and v.severity != "info"]
    is_critical = any(v.severity == "critical" and v.outcome == "fail" for v in broken)
    is_whole = all(v.outcome != "error" for v in found)
    return _Facts(
        suite=found[0].suite,
        suite_hash=found[0].suite_hash,
        batch_id=batch.batch_id,
        name=batch.name,
        model=batch.model,
        source=batch.source,
        at=found[0].validated_at.astimezone(UTC).isoformat(),
        verdict="failed" if is_critical else "not wholly evaluated" if not is_whole else "passed with warnings" if broken else "passed",
        rows_read=batch.rows_read,
        rows_landed=batch.rows_landed,
        rows_quarantined=batch.rows_quarantined,
        reason=batch.reason,
        failed=[_line(v) for v in broken],
        is_critical=is_critical,
    )


def _line(validation: Validation) -> str:
    """Return one failed expectation in a few words.

    >>> now = datetime(2013, 2, 12, tzinfo=UTC)
    >>> what = {"batch_id": "b", "expectation_id": "e", "model": "m", "source": "events", "suite": "s", "suite_hash": "h", "validated_at": now}
    >>> v = Validation(**what, expectation="expect_column_values_to_be_between", column="wind", severity="warning", outcome="fail", unexpected_count=1, element_count=985)
    >>> _line(v)
    'wind: values to be between (warning), 1 of 985 rows'
    """
    words = expectation_text(validation.expectation)
    subject = f"{validation.column}: " if validation.column else ""
    if validation.outcome == "error":
        return f"{subject}{words} (could not be evaluated)"
    counts = (
        f", {validation.unexpected_count:,} of {counted(validation.element_count, 'row')}"
        if validation.unexpected_count and validation.element_count
        else ""
    )
    return f"{subject}{words} ({validation.severity}){counts}"


def _page(facts: _Facts) -> str:
    stamp = datetime.fromisoformat(facts.at).strftime("%Y%m%dT%H%M%S")
    return f"results/{facts.suite}/{stamp}-{facts.batch_id}.html"


def _render(facts: _Facts, found: Sequence[Validation]) -> str:
    quiet_gx()
    try:
        document, unshown = _document(facts, found), frozenset[str]()
    except Exception:  # noqa: BLE001 - GX refuses to describe what lacks arguments, as those of private columns do, with errors of many kinds
        unshown = frozenset(v.expectation_id for v in found if not _is_describable(facts, v))
        document = _document(facts, found, unshown)
    _unlink_suite(document)
    _add_people(document, found, unshown)
    return str(_view().render(document, facts=asdict(facts)))


def _is_describable(facts: _Facts, validation: Validation) -> bool:
    try:
        _document(facts, [validation])
    except Exception:  # noqa: BLE001 - as above
        return False
    return True


def _document(facts: _Facts, found: Sequence[Validation], unshown: Collection[str] = ()) -> Any:
    """Return the page as GX lays it out; those `unshown` stand in it as a column that exists, to be put in words by us."""
    from great_expectations.core.expectation_validation_result import ExpectationSuiteValidationResult
    from great_expectations.render.renderer.page_renderer import ValidationResultsPageRenderer

    passed = sum(v.outcome == "pass" for v in found)
    result = ExpectationSuiteValidationResult(
        success=not facts.is_critical,
        results=[_gx_result(v, is_shown=v.expectation_id not in unshown) for v in found],
        suite_name=facts.suite,
        statistics={
            "evaluated_expectations": len(found),
            "successful_expectations": passed,
            "unsuccessful_expectations": len(found) - passed,
            "success_percent": 100 * passed / len(found),
        },
        meta={"run_id": {"run_name": html.escape(facts.name), "run_time": facts.at}, "batch_spec": {"data_asset_name": facts.name}},
    )
    return ValidationResultsPageRenderer().render(result)


def _gx_result(validation: Validation, *, is_shown: bool) -> Any:
    from great_expectations.core.expectation_validation_result import ExpectationValidationResult
    from great_expectations.expectations.expectation_configuration import ExpectationConfiguration

    column = {"column": html.escape(validation.column)} if validation.column else {}  # GX's headings do not escape names
    counts: dict[str, Any] = {"observed_value": html.escape(validation.observed)} if validation.observed else {}
    if validation.unexpected_count is not None and validation.element_count:
        percent = 100 * validation.unexpected_count / validation.element_count
        counts |= {"element_count": validation.element_count, "unexpected_count": validation.unexpected_count, "unexpected_percent": percent}
    return ExpectationValidationResult(
        success=validation.outcome == "pass",
        expectation_config=ExpectationConfiguration(
            type=validation.expectation if is_shown else "expect_column_to_exist",
            kwargs={**column, **json.loads(validation.arguments)} if is_shown else {"column": column.get("column", _WHOLE_TABLE)},
        ),
        result=counts,
        exception_info={
            "raised_exception": validation.outcome == "error",
            "exception_message": validation.error,
            "exception_traceback": "Not kept: a traceback can quote values of rows.",
        },
    )


def _unlink_suite(document: Any) -> None:
    """Take out the link to a page of the suite: suites are read where they are edited."""
    header = document.sections[0].content_blocks[0].subheader.string_template
    header["styling"]["params"].pop("expectation_suite_name", None)


def _add_people(document: Any, found: Sequence[Validation], unshown: Collection[str] = ()) -> None:
    """Add severity, owner and why to every row, and our words to those `unshown`: GX's own way to show more of `meta` fails on its strict arguments."""
    groups: dict[str, list[Validation]] = defaultdict(list)
    for validation in found:
        groups[html.escape(validation.column) or _WHOLE_TABLE].append(validation)
    for section in document.sections[1:]:
        table = next(block for block in section.content_blocks if block.content_block_type == "table")
        table.header_row += list(_COLUMNS)
        for row, validation in zip(table.table, groups[section.section_name], strict=True):
            if validation.expectation_id in unshown:
                row[1] = html.escape(f"{expectation_text(validation.expectation)}; what it names is not shown")
            row += [html.escape(getattr(validation, name)) for name in _COLUMNS.values()]


@cache
def _view() -> Any:
    from great_expectations.render.view import DefaultJinjaPageView
    from jinja2 import ChoiceLoader, FileSystemLoader

    view = DefaultJinjaPageView()
    view.env.loader = ChoiceLoader([FileSystemLoader(_ASSETS), view.env.loader])
    return view


def _index(folder: Path, now: datetime, keep: int) -> str:
    from jinja2 import Environment, FileSystemLoader

    suites: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for facts, page in _kept(folder):
        css = "is-critical" if facts.is_critical else "is-warning" if facts.failed else ""
        suites[facts.suite].append({**asdict(facts), "page": page, "css": css})
    template = Environment(loader=FileSystemLoader(_ASSETS), autoescape=True).get_template("index.html.j2")
    return template.render(suites=sorted(suites.items()), keep=keep, built_at=now.astimezone(UTC).strftime("%Y-%m-%d %H:%M"))


def _kept(folder: Path) -> Iterator[tuple[_Facts, str]]:
    for path in sorted((folder / "results").glob("*/*.json"), key=lambda path: path.name, reverse=True):
        try:
            yield _Facts(**json.loads(path.read_text("utf-8"))), path.with_suffix(".html").relative_to(folder).as_posix()
        except FileNotFoundError:  # pruned by another run meanwhile
            continue


def _prune(folder: Path, keep: int) -> None:
    for suite in (folder / "results").glob("*"):
        for page in sorted(suite.glob("*.html"), key=lambda page: page.name, reverse=True)[keep:]:
            page.unlink(missing_ok=True)
            page.with_suffix(".json").unlink(missing_ok=True)


def _serve_assets(folder: Path) -> None:
    target = folder / "assets"
    target.mkdir(parents=True, exist_ok=True)
    for name in _SERVED:
        served = target / name
        if not served.exists() or served.read_bytes() != (_ASSETS / name).read_bytes():
            shutil.copyfile(_ASSETS / name, served)


def _write(path: Path, text: str) -> None:
    """Write a file whole: a reader sees the old page or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", dir=path.parent, suffix=".tmp", delete=False) as file:
        file.write(text)
    Path(file.name).chmod(0o644)
    os.replace(file.name, path)  # noqa: PTH105 - one atomic step
