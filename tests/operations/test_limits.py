"""What would be noticed of a model is told by name, and so is what the reference itself would have paged for."""

import json
from datetime import UTC, date, datetime

from typer.testing import CliRunner

from conftest import PARCELS
from watchkeeper.adapters.workspace import load_monitor
from watchkeeper.cli import app
from watchkeeper.operations.check import check
from watchkeeper.operations.limits import limits_of, standing_out
from watchkeeper.operations.watch import watch
from worlds import DAY, parcels_days

FIRST, BEGIN = date(2025, 1, 1), datetime(2025, 1, 1, tzinfo=UTC)
RUNNER = CliRunner()


def watched(make_home, *, days, bad=(), reference=40):
    end = (BEGIN + reference * DAY).date()
    parcels = make_home(PARCELS | {"reference": {"from": FIRST.isoformat(), "to": end.isoformat()}})
    parcels_days(parcels.root, FIRST, days, rows=300, late=dict.fromkeys(bad, 0.6))
    watch(parcels, now=BEGIN + (days + 2) * DAY)
    return parcels


def found(home, days):
    return limits_of(home, load_monitor(home, "parcels"), now=BEGIN + (days + 2) * DAY)


def test_every_number_that_is_judged_has_a_limit_and_a_bad_day_of_the_reference_is_listed(make_home):
    home = watched(make_home, days=42, bad=[20])
    limits = found(home, 42)
    kpis = {limit.metric: limit for limit in limits.numbers if limit.family == "kpi"}
    assert {"calibration_gap", "log_loss", "roc_auc", "accuracy"} <= kpis.keys()
    assert all(limit.is_calibrated and 0 < limit.lasting <= limit.at_once for limit in kpis.values())
    assert limits.windows == 40
    assert [when for when, _ in standing_out(limits.audit, "UTC")] == ["Tue 21 Jan 2025"]
    assert limits.remarks == []
    said = RUNNER.invoke(app, ["limits", "parcels", "--home", str(home.root), "--now", "2025-02-14"])
    assert "Judged by 40 days of reference" in said.output
    assert "Tue 21 Jan 2025" in said.output


def test_a_short_reference_says_that_it_is_not_calibrated(make_home):
    home = watched(make_home, days=9, reference=5)
    limits = found(home, 9)
    assert {limit.at_once for limit in limits.numbers} == {None}
    assert any(remark.startswith("uncalibrated: the reference has 5 days") for remark in limits.remarks)


def test_a_number_that_cries_wolf_in_the_reference_is_told_by_check_and_opens_nothing(make_home):
    home = watched(make_home, days=66, bad=[5, 17, 29, 41, 53, 63, 64, 65], reference=60)
    limits = found(home, 66)
    assert "calibration_gap" in [a.metric for a in limits.audit if a.is_wild]
    assert any("is too wild to page for" in remark for remark in limits.remarks)
    assert any("is too wild to page for" in f.what for f in check(home, now=BEGIN + 68 * DAY).findings)
    answer = json.loads(RUNNER.invoke(app, ["incidents", "--all", "--home", str(home.root), "--now", "2025-03-10", "--json"]).output)
    assert not [i for i in answer if i["subject"] == "kpi"]


def test_a_metric_that_is_not_judged_is_an_error(make_home):
    home = watched(make_home, days=9, reference=5)
    said = RUNNER.invoke(app, ["limits", "parcels", "--metric", "lift_at_1", "--home", str(home.root), "--now", "2025-01-12"])
    assert said.exit_code == 2
    assert "'lift_at_1' is not judged by what is usual" in said.output
