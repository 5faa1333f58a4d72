"""Limits are what the charts do, and the audit names what would cry wolf and nothing else."""

import numpy as np
import pytest

from draws import draws
from watchkeeper.judgement.charts import charted
from watchkeeper.judgement.limits import limits
from watchkeeper.judgement.self_audit import self_audit, without_wild
from watchkeeper.judgement.signals import pages
from worlds import DAY, START, Floats, day_of, judged, noise, scores, wandering, watched

REFERENCE = 90


def charts(values: Floats, *, se: float = 0.01, days: int = REFERENCE, metric: str = "calibration_gap", **changes):
    windows = [(START + d * DAY, START + (d + 1) * DAY) for d in range(values.shape[1])]
    return charted(watched(days, **changes), scores(values, se=se, metric=metric), windows)


@pytest.mark.parametrize(
    ("world", "seeds"), [(wandering, 20), *(pytest.param(world, 120, marks=pytest.mark.nightly) for world in (wandering, noise))]
)
def test_a_change_of_the_limit_is_noticed_at_once_four_times_of_five_and_half_of_it_hardly(world, seeds):
    noticed = {1.0: 0, 0.5: 0}
    for seed in range(seeds):
        values = world(seed, REFERENCE + 10)
        [limit] = limits(watched(REFERENCE), charts(values[:, :REFERENCE]))
        for share in noticed:
            moved = values.copy()
            moved[0, -1] += share * limit.at_once
            noticed[share] += any(day_of(s) == REFERENCE + 9 for s in pages(judged(watched(REFERENCE), scores(moved, se=0.01))))
    assert 0.7 * seeds <= noticed[1.0] <= 0.93 * seeds
    assert noticed[0.5] < 0.25 * seeds


def test_a_lasting_change_of_the_limit_is_noticed_while_it_lasts():
    found = []
    for seed in range(draws(40, at_each_change=20)):
        values = noise(seed, REFERENCE + 40)
        [limit] = limits(watched(REFERENCE), charts(values[:, :REFERENCE]))
        values[0, REFERENCE + 10 :] += limit.lasting
        assert limit.lasting < limit.at_once / 1.5
        found.append(any(day_of(s) >= REFERENCE + 10 for s in pages(judged(watched(REFERENCE), scores(values, se=0.01)))))
    assert np.mean(found) >= 0.8


@pytest.mark.nightly
def test_a_lasting_change_that_only_adds_up_is_noticed_within_eight_weeks_four_times_of_five():
    """A PSI has no mean of the last weeks: its e-detector alone tells of less than one window does."""
    found, halved = [], []
    for seed in range(60):
        values = np.exp(noise(seed, REFERENCE + 56, sd=0.5)) * 0.05
        [limit] = limits(watched(REFERENCE), charts(values[:, :REFERENCE], se=np.nan, metric="psi"))
        assert limit.lasting < limit.at_once / 1.5
        for share, noticed in ((1.0, found), (0.3, halved)):
            moved = values.copy()
            moved[0, REFERENCE:] *= 1 + share * limit.lasting / limit.usual
            noticed.append(any(s.rule == "slow" for s in judged(watched(REFERENCE), scores(moved, se=np.nan, metric="psi"))))
    assert np.mean(found) >= 0.8
    assert np.mean(halved) < 0.4


def test_a_smaller_budget_notices_less():
    values = noise(1, REFERENCE)
    [often], [seldom] = (
        limits(watched(REFERENCE, alerts={"false_alarms": budget}), charts(values, alerts={"false_alarms": budget}))
        for budget in ("1 per week", "1 per year")
    )
    assert often.at_once < seldom.at_once
    assert often.lasting < seldom.lasting


def test_too_few_windows_are_not_calibrated():
    [limit] = limits(watched(5), charts(noise(1, 5), days=5))
    assert (limit.is_calibrated, limit.at_once, limit.lasting, limit.windows) == (False, None, None, 5)


def test_a_quiet_number_among_wild_ones_keeps_its_own_scatter():
    """What the others have in common counts the less the less they are alike; a scatter of .05 was taken for .35 among features of the weather."""
    values = np.vstack([noise(1, REFERENCE, sd=0.03), *(noise(s, REFERENCE, sd=0.8) for s in range(2, 10))])
    names = [(f"f{i}", "") for i in range(len(values))]
    windows = [(START + d * DAY, START + (d + 1) * DAY) for d in range(REFERENCE)]
    [chart] = charted(watched(REFERENCE), scores(values, se=0.03, metric="loc", names=names), windows)
    quiet, *wild = limits(watched(REFERENCE), [chart])
    assert quiet.at_once < 0.35
    assert min(limit.at_once for limit in wild) > 2


def bursts(seed: int) -> Floats:
    random = np.random.default_rng(seed)
    values = noise(seed, REFERENCE, sd=0.02)
    values[0, random.choice(np.arange(2, REFERENCE, 5), 8, replace=False)] += 0.5
    return values


def test_a_number_that_would_cry_wolf_in_its_own_reference_is_named_and_pages_no_more():
    values = bursts(3)
    [found] = self_audit(watched(REFERENCE), charts(values))
    assert found.is_wild
    assert (found.metric, found.feature, found.segment) == ("calibration_gap", "", "")
    assert found.stories >= 5
    late = np.hstack([values, noise(9, 10, sd=0.02) + 2.0])
    raised = pages(judged(watched(REFERENCE), scores(late, se=0.01)))
    assert raised
    kept = without_wild(raised, [found])
    assert pages(kept) == []
    assert len(kept) == len(raised)


@pytest.mark.parametrize("world", [pytest.param(noise, marks=pytest.mark.nightly), wandering])
def test_clean_references_are_not_called_wild(world):
    audits = [self_audit(watched(REFERENCE), charts(world(seed, REFERENCE))) for seed in range(draws(40, at_each_change=20))]
    assert not any(a.is_wild for audit in audits for a in audit)
    assert sum(bool(audit) for audit in audits) <= 0.3 * len(audits)


def test_a_bad_week_in_the_reference_is_listed_and_is_one_story():
    values = noise(2, REFERENCE, sd=0.02)
    values[0, 40:43] += 0.5
    [found] = self_audit(watched(REFERENCE), charts(values))
    assert {(start - START) // DAY for start, _ in found.windows} >= {40, 41, 42}
    assert (found.stories, found.is_wild) == (1, False)


def test_a_short_reference_is_not_audited():
    assert self_audit(watched(20), charts(bursts(1)[:, :20], days=20)) == []
