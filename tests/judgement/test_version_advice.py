"""A cheaper version is advised where it is surely as good, and not otherwise."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import date, timedelta

import pytest

from conftest import PARCELS
from watchkeeper.judgement.advice import Facts, OfDay, OfVersion, in_order, material, saving_text
from watchkeeper.judgement.version_advice import version_advice
from watchkeeper.monitor import Monitor

MONITOR = Monitor.model_validate({**PARCELS})


def days(a_day: int, per_1000: float | None, which: Iterable[int] = range(28)) -> dict[date, OfDay]:
    return {date(2025, 3, 1) + timedelta(days=k): OfDay(a_day, per_1000) for k in which}


OLD = OfVersion(
    version="7",
    days=days(4000, 2.0),
    estimated_ratio=0.0,
    metric="log_loss",
    direction="lower_is_better",
    value=0.40,
    low=0.395,
    high=0.405,
)
NEW = replace(OLD, version="8", days=days(200, 1.0), value=0.402, low=0.392, high=0.412)
FACTS = Facts(days=28, currency="USD", cost=229.6, versions=[NEW, OLD], names_versions=True)


def test_a_version_that_is_cheaper_and_surely_as_good_is_advised_with_what_it_saves():
    found = version_advice(MONITOR, FACTS)
    assert (found.state, found.evidence["to_version"]) == ("advised", "8")
    assert found.saving_per_month == pytest.approx(4 * 1.0 * 30.44)
    assert found.share_of_cost == pytest.approx(4 / 8.2)
    assert found.evidence["worse_by_at_most"] == pytest.approx(0.002 + (0.005**2 + 0.01**2) ** 0.5)
    assert "let version 8 answer what 7 does: 1.00 against 2.00 USD per 1,000 predictions on the 28 days on which both answered" in found.text
    assert "`watchkeeper versions compare parcels 7 8`" in found.risk


@pytest.mark.parametrize(("read", "cost"), [(7, 57.4), (0, None)], ids=["a week of readings", "tokens alone"])
def test_what_a_cheaper_version_saves_is_of_the_days_of_its_predictions_however_long_gpus_were_read(read, cost):
    found = version_advice(MONITOR, replace(FACTS, days=read, cost=cost))
    assert found == version_advice(MONITOR, FACTS)
    assert found.evidence["days"] == 7
    assert material([found]) is found


def test_what_is_saved_is_of_what_the_dearer_version_answered_in_the_newest_week():
    fewer = replace(OLD, days={**days(4000, 2.0, range(21)), **days(100, 2.0, range(21, 28))})
    found = version_advice(MONITOR, replace(FACTS, versions=[fewer, NEW]))
    assert found.saving_per_month == pytest.approx(0.1 * 1.0 * 30.44)
    assert (found.evidence["predictions"], found.share_of_cost) == (700, pytest.approx(0.1 / 0.4))


def test_a_saving_is_a_share_of_what_the_dearer_version_costs_by_now():
    old, new = ({**days(n, price, range(14)), **days(n, price / 2, range(14, 28))} for n, price in ((4000, 2.0), (200, 1.0)))
    found = version_advice(MONITOR, replace(FACTS, versions=[replace(OLD, days=old), replace(NEW, days=new)]))
    assert found.evidence["cost_per_1000_predictions"] == pytest.approx(1.5)
    assert found.saving_per_month == pytest.approx(4 * 0.5 * 30.44)


def test_nothing_is_saved_on_a_version_that_answers_nothing_any_more():
    gone = replace(OLD, days=days(4000, 2.0, range(18)))
    found = version_advice(MONITOR, replace(FACTS, versions=[gone, replace(NEW, days=days(4000, 1.0))]))
    assert (found.state, found.text) == ("not advised", "no version is cheaper by a tenth than 8, at 1.00 USD per 1,000 predictions.")
    other = replace(NEW, version="9", days=days(10, 1.0, range(18, 28)))
    found = version_advice(MONITOR, replace(FACTS, versions=[gone, replace(NEW, days=days(4000, 1.0, range(18))), other]))
    assert (found.state, found.text) == ("not advised", "2 versions (7 and 8) answered nothing in the last 7 days.")


def test_a_price_that_fell_as_another_version_took_over_is_no_difference_of_versions():
    """On each of the ten days of both a thousand cost the same; the new version has most of the cheaper ones."""
    ahead, after = range(14), range(14, 28)
    old = {**days(4000, 2.0, ahead), **days(300, 1.0, after)}
    new = {**days(300, 2.0, range(4, 14)), **days(4000, 1.0, after)}
    found = version_advice(MONITOR, replace(FACTS, versions=[replace(OLD, days=old), replace(NEW, days=new)]))
    assert (found.state, found.saving_per_month) == ("not advised", None)
    apart = {**days(4000, 1.0, after), **days(500, 2.0, range(8, 14))}
    found = version_advice(MONITOR, replace(FACTS, versions=[replace(OLD, days=days(4000, 2.0, ahead)), replace(NEW, days=apart)]))
    assert (found.state, found.saving_per_month) == ("not known", None)
    assert "none answered 1,000 requests on 7 days on which it did too" in found.text


def test_a_version_paid_by_tokens_that_saves_next_to_nothing_is_not_advised():
    old, new = replace(OLD, days=days(100, 2.0)), replace(NEW, days=days(95, 1.0))
    other = replace(OLD, version="6", days=days(98, 100.0))
    found = version_advice(MONITOR, replace(FACTS, days=0, cost=None, versions=[old, new, replace(other, value=None)]))
    assert (found.state, found.saving_per_month) == ("not advised", None)
    assert "it would save 1 % of the cost, which is not worth it" in found.text


def test_of_several_versions_that_answer_the_one_on_which_most_is_saved_is_told():
    other = replace(OLD, version="6", days=days(98, 100.0))
    found = version_advice(MONITOR, replace(FACTS, versions=[OLD, NEW, other]))
    assert (found.evidence["version"], found.evidence["to_version"]) == ("6", "8")
    assert found.saving_per_month == pytest.approx(9.8 * 0.99 * 30.44)


@pytest.mark.parametrize(
    ("new", "state", "why"),
    [
        (replace(NEW, value=0.43, low=0.42, high=0.44), "not advised", "no cheaper version is surely as good as 7"),
        (replace(NEW, low=0.33, high=0.47), "not advised", "no cheaper version is surely as good as 7"),
        (replace(NEW, days=days(200, 1.95)), "not advised", "no version is cheaper by a tenth than 7"),
        (replace(NEW, value=None, low=None, high=None), "not known", "no final labels of both"),
        (replace(NEW, days=days(200, None)), "not known", "what predictions of 1 version (8) cost"),
        (replace(NEW, estimated_ratio=1.0), "not known", "no reading says which version a GPU served"),
        (replace(NEW, days=days(1, 1.0, range(10))), "not advised", "no two versions answered 1,000 requests each"),
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
            {"gpu_hours": 9.0, "cost": 2.0, "versions": [OLD, replace(NEW, days=days(1, 1.0, range(10)))]},
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
    assert saving_text(told).startswith("about 122 USD a month, an estimate: let version 8")
    assert material([replace(found, share_of_cost=0.09)]) is None
    assert material([replace(found, is_synthetic=True)]) is None
