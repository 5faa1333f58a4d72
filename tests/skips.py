"""Skips that are failures where CI says so (WATCHKEEPER_NO_SKIPS): CI has everything that tests need.

Belongs here: pytest hooks about skips. Does not: fixtures (conftest.py).
"""

import os
from collections.abc import Iterator
from typing import Any

import pytest


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[Any]:
    """Turn a skip into a failure where WATCHKEEPER_NO_SKIPS is set: CI has everything that tests need."""
    report = yield
    if report.skipped and not hasattr(report, "wasxfail") and os.environ.get("WATCHKEEPER_NO_SKIPS"):
        report.outcome, report.longrepr = "failed", f"skipped where skips are failures: {report.longrepr}"
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector: pytest.Collector) -> Iterator[Any]:
    """The same for a whole file that skips itself."""
    report = yield
    if report.skipped and os.environ.get("WATCHKEEPER_NO_SKIPS"):
        report.outcome, report.longrepr = "failed", f"skipped where skips are failures: {report.longrepr}"
    return report
