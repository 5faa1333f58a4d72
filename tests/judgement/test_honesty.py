"""A reference that is better than anything after it is told from one that a real change followed."""

import re

import numpy as np
import pytest

from watchkeeper.judgement.honesty import OfVersion, doubt, is_too_good
from worlds import scores, wandering, watched


def auc(seed: int, windows: int, *, level: float = 0.7) -> np.ndarray:
    return level + wandering(seed, windows, sd=0.02)[0]


@pytest.mark.parametrize("seed", range(20))
def test_a_fall_at_the_very_end_of_the_reference_that_lasts_is_told(seed):
    assert is_too_good(auc(seed, 30, level=0.85), auc(seed + 100, 60))


def test_honest_references_are_believed():
    assert not any(is_too_good(auc(seed, 30), auc(seed + 1000, 60)) for seed in range(500))


@pytest.mark.parametrize(
    ("after", "why"),
    [
        (lambda seed: np.concatenate([auc(seed, 7, level=0.55), auc(seed + 1, 53)]), "a bad week after which all is well"),
        (lambda seed: np.concatenate([auc(seed, 20), auc(seed + 1, 40, level=0.5)]), "a change three weeks later"),
        (lambda seed: np.concatenate([auc(seed, 10), auc(seed + 1, 50, level=0.5)]), "a change ten days later"),
        (lambda seed: auc(seed, 60) - np.linspace(0, 0.2, 60), "a slow decay"),
        (lambda seed: auc(seed, 7, level=0.5), "too few windows to tell"),
    ],
    ids=lambda v: v if isinstance(v, str) else "",
)
def test_what_goes_wrong_later_or_passes_is_no_doubt_about_the_reference(after, why):
    assert not any(is_too_good(auc(seed + 500, 30), after(seed)) for seed in range(40)), why


def test_the_doubt_names_the_numbers_and_what_to_do():
    values = np.concatenate([auc(1, 60, level=0.85), auc(2, 20)])[None, :]
    said = doubt(watched(60), scores(values, metric="roc_auc", n=500))
    assert re.match(r"not judged by what is usual: AUC is 0\.8\d+ in the reference and 0\.\d+ from its end on", said)
    assert said.endswith("give the reference out-of-fold scores, or name another one")
    assert doubt(watched(60), scores(values[:, ::-1], metric="roc_auc", n=500)) == ""


@pytest.mark.parametrize(
    ("versions", "is_cleared"),
    [
        ([OfVersion(900, auc(1, 60, level=0.85), auc(3, 20, level=0.84))], True),
        ([OfVersion(900, auc(1, 60, level=0.85), auc(3, 20))], False),
        ([OfVersion(900, auc(1, 60, level=0.85), auc(3, 20, level=0.84)), OfVersion(600, auc(4, 60, level=0.85), auc(5, 20))], False),
        ([OfVersion(900, auc(1, 60, level=0.85), auc(3, 7, level=0.84))], False),
        ([OfVersion(100, auc(1, 60, level=0.85), auc(3, 20, level=0.84)), OfVersion(900, auc(4, 60, level=0.85), auc(5, 0))], False),
        ([OfVersion(900, auc(1, 60, level=0.85), 0.8 + 20 * (auc(3, 20) - 0.7))], False),
        ([], False),
    ],
    ids=["it stayed", "it fell", "one of two fell", "too few windows", "a small part of the reference", "few rows tell nothing", "no versions"],
)
def test_a_version_that_answered_on_as_usual_clears_the_reference(versions, is_cleared):
    whole = scores(np.concatenate([auc(1, 60, level=0.85), auc(2, 20)])[None, :], metric="roc_auc", n=500)
    assert (doubt(watched(60), whole, lambda: versions) == "") is is_cleared
