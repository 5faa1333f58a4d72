"""What is missing in suites."""

import json
from pathlib import Path
from typing import Any

import pytest

from watchkeeper.adapters.expectations import lint_suites
from watchkeeper.errors import ConfigurationError

WHOLE = {"type": "expect_column_to_exist", "kwargs": {"column": "a"}, "severity": "info", "meta": {"owner": "#a", "why": "so"}}


def written(folder: Path, stem: str, *expectations: dict[str, Any], **more: Any) -> None:
    (folder / f"{stem}.json").write_text(json.dumps({"name": stem, "expectations": list(expectations), **more}))


def test_a_whole_suite_needs_no_word(tmp_path: Path) -> None:
    written(tmp_path, "fine", WHOLE)
    assert lint_suites(tmp_path) == []


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    written(tmp_path, "gaps", WHOLE, {"type": "expect_column_to_exist", "kwargs": {"column": "a"}, "meta": {"owner": "#a"}})
    assert lint_suites(tmp_path) == ["gaps.json: expectations[1] (expect_column_to_exist) has no severity (critical is taken), no meta.why."]


def test_a_suite_that_calls_itself_otherwise_is_pointed_out(tmp_path: Path) -> None:
    written(tmp_path, "mine", WHOLE, name="yours")
    assert "'yours'" in lint_suites(tmp_path)[0]


def test_all_broken_suites_are_named_at_once(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("{")
    written(tmp_path, "b", {"type": "expect_nothing_at_all", "kwargs": {}})
    with pytest.raises(ConfigurationError) as caught:
        lint_suites(tmp_path)
    assert "a.json" in str(caught.value)
    assert "b.json" in str(caught.value)


def test_a_folder_without_suites_has_nothing_missing(tmp_path: Path) -> None:
    assert lint_suites(tmp_path / "none") == []
