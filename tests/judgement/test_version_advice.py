"""A cheaper version is advised where it is surely as good, and not otherwise."""

from dataclasses import replace

import pytest

from conftest import PARCELS
from watchkeeper.judgement.advice import Facts, OfVersion, in_order, material, saving_text
from watchkeeper.judgement.version_advice import version_advice
from watchkeeper.monitor import Monitor

MONITOR = Monitor.model_validate({**PARCELS})
OLD = OfVersion(
    version="7",
    predictions=100_000,
    per_1000=2.0,
    estimated_ratio=0.0,
    metric="log_loss",
    direction="lower_is_better",
    value=0.40,
    low=0.395,
    high=0.405,
)
NEW = replace(OLD, version="8", predictions=5_000, per_1000=1.0, value=0.402, low=0.392, high=0.412)
FACTS = Facts(days=28, currency="USD", cost=205.0, versions=[NEW, OLD], names_versions=True, days_asked=28)


def test_a_version_that_is_cheaper_and_surely_as_good_is_advised_with_what_it_saves():
    found = version_advice(MONITOR, FACTS)
    assert (found.state, found.evidence["to_version"]) == ("advised", "8")
    assert found.saving_per_month == pytest.approx(100 * 1.0 * 30.44 / 28)
    assert found.share_of_cost == pytest.approx(100 / 205)
    assert found.evidence["worse_by_at_most"] == pytest.approx(0.002 + (0.005**2 + 0.01**2) ** 0.5)
    assert "let version 8 answer what 7 does: 1.00 against 2.00 USD per 1,000 predictions" in found.text
    assert "`watchkeeper versions compare parcels 7 8`" in found.risk


@pytest.mark.parametrize(("days", "cost"), [(7, 51.25), (0, None)], ids=["a week of readings", "tokens alone"])
def test_what_a_cheaper_version_saves_is_of_the_days_of_its_predictions_however_long_gpus_were_read(days, cost):
    found = version_advice(MONITOR, replace(FACTS, days=days, cost=cost))
    assert found == version_advice(MONITOR, FACTS)
    assert found.evidence["days"] == 28
    assert material([found]) is found


def test_a_version_paid_by_tokens_that_saves_next_to_nothing_is_not_advised():
    old, new = replace(OLD, predictions=2_000), replace(NEW, predictions=1_900)
    other = replace(OLD, version="6", predictions=1_950, per_1000=100.0)
    found = version_advice(MONITOR, replace(FACTS, days=0, cost=None, versions=[old, new, other]))
    assert (found.state, found.saving_per_month) == ("not advised", None)
    assert "it would save 1 % of the cost, which is not worth it" in found.text


@pytest.mark.parametrize(
    ("new", "state", "why"),
    [
        (replace(NEW, value=0.43, low=0.42, high=0.44), "not advised", "no cheaper version is surely as good as 7"),
        (replace(NEW, low=0.33, high=0.47), "not advised", "no cheaper version is surely as good as 7"),
        (replace(NEW, per_1000=1.95), "not advised", "no version is cheaper by a tenth than 7"),
        (replace(NEW, value=None, low=None, high=None), "not known", "no final labels of both"),
        (replace(NEW, per_1000=None), "not known", "what predictions of 1 version (8) cost"),
        (replace(NEW, estimated_ratio=1.0), "not known", "no reading says which version a GPU served"),
        (replace(NEW, predictions=10), "not advised", "no two versions answered 1,000 requests each"),
    ],
)
def test_a_version_that_is_worse_unsure_dear_or_not_measured_is_not_advised(new, state, why):
    found = version_advice(MONITOR, replace(FACTS, versions=[OLD, new]))
    assert (found.state, found.saving_per_month) == (state, None)
    assert why in found.text


@pytest.mark.parametrize(
    ("known", "missing"),
    [
        ({}, "what predictions of 2 versions (7 and 8) cost: no reading of a GPU that served this model: `watchkeeper sample-gpus` takes them"),
        ({"gpu_hours": 9.0, "pricing": "no price of an L4"}, "what predictions of 2 versions (7 and 8) cost: no price of an L4"),
        (
            {"gpu_hours": 9.0, "cost": 2.0, "versions": [OLD, replace(NEW, predictions=10)]},
            "of 1 version (8) cost: fewer than 1,000 of their requests",
        ),
    ],
)
def test_versions_that_answered_enough_and_whose_costs_are_unknown_are_not_said_to_have_answered_too_little(known, missing):
    answered = {"7": 90_000, "8": 4_000, "9": 5}
    found = version_advice(MONITOR, replace(FACTS, **{"versions": [], "cost": None, "answered": answered, **known}))
    assert found.state == "not known"
    assert missing in found.text


def test_of_a_kpi_where_more_is_better_the_lower_one_is_worse():
    old, new = (replace(v, metric="accuracy", direction="higher_is_better") for v in (OLD, NEW))
    better, worse = replace(new, value=0.47, low=0.46, high=0.48), replace(new, value=0.36, low=0.35, high=0.37)
    assert version_advice(MONITOR, replace(FACTS, versions=[old, better])).state == "advised"
    assert version_advice(MONITOR, replace(FACTS, versions=[old, worse])).state == "not advised"


def test_a_digest_tells_what_saves_a_tenth_and_nothing_of_a_made_up_trace():
    found = version_advice(MONITOR, FACTS)
    told = material(in_order([version_advice(MONITOR, replace(FACTS, versions=[])), found]))
    assert told is not None
    assert saving_text(told).startswith("about 109 USD a month, an estimate: let version 8")
    assert material([replace(found, share_of_cost=0.09)]) is None
    assert material([replace(found, is_synthetic=True)]) is None
