"""What of an incident that goes on is told at once: another kind of trouble, and a number that doubles; and nothing that only goes on."""

from dataclasses import replace

import pytest

from evidence_world import signal
from watchkeeper.judgement.episodes import Episode
from watchkeeper.judgement.worsening import WORSE, worsened

SLOW = replace(signal("latency_p95", value=400.0, expected=120.0, family="service"), signal_id="slow")
FAILING = replace(signal("error_ratio", value=0.19, expected=0.004, family="service"), signal_id="failing")


def episode(*signals, family: str = "service") -> Episode:
    return Episode(family, family, list(signals), is_over=False)


def test_errors_beside_slowness_are_another_kind_of_trouble():
    assert worsened(episode(SLOW, FAILING), ["slow"], lambda: [SLOW]) == f"{WORSE}error ratio 19 %, usually 0.4 % on a typical day"


def test_slowness_beside_errors_is_too():
    assert worsened(episode(SLOW, FAILING), ["failing"], lambda: [FAILING]) == f"{WORSE}latency p95 400 ms, usually 120 ms on a typical day"


def test_another_number_of_the_same_kind_is_not():
    timeouts = replace(FAILING, signal_id="timeouts", metric="timeout_ratio")
    assert worsened(episode(FAILING, timeouts), ["failing"], lambda: [FAILING]) == ""


@pytest.mark.parametrize(("value", "said"), [(0.47, f"{WORSE}error ratio 47 %, before 19 %"), (0.37, "")])
def test_a_number_is_worse_when_it_has_doubled(value: float, said: str):
    assert worsened(episode(replace(FAILING, value=value)), ["failing"], lambda: [FAILING]) == said


def test_what_was_taken_back_is_no_number_to_compare_with():
    gone = replace(FAILING, state="withdrawn")
    assert worsened(episode(replace(FAILING, value=0.47)), ["failing"], lambda: [gone]) == ""


def test_a_models_quality_has_no_such_kinds():
    assert worsened(episode(replace(FAILING, value=0.47), family="kpi"), ["failing"], lambda: [FAILING]) == ""
