"""Changes and versions: what came with the trouble, what was tested about it, and what nobody knows."""

import pytest

from evidence_world import HOUR, MONDAY, evidence, score, signal
from watchkeeper.judgement.causes import causes, ruled_out
from watchkeeper.judgement.changes import unknown
from watchkeeper.judgement.evidence import Evidence
from watchkeeper.judgement.versions import Came, Versions, versions
from watchkeeper.records import Change
from worlds import DAY

AUC = signal("roc_auc", 0.5, expected=0.7)


def change(hours: float = 6.0, **more) -> Change:
    """Return a release so many hours before the first bad window."""
    at = MONDAY - hours * HOUR
    about = {"kind": "release", "version": "v2", "note": "trained to June", "who": "ann"} | more
    return Change(change_id="c", model="parcels", at=at, recorded_at=at, **about)


def came(ours: float | None = None, theirs: float = 0.7, *, se: float = 0.01, share: float = 1.0, **more) -> Came:
    """Return version v2, which came with the first bad window; `ours` and `theirs` are AUCs in the windows that have both versions."""
    made = {} if ours is None else {k: score("roc_auc", v, se=se, reference_value=0.7) for k, v in (("ours", ours), ("theirs", theirs))}
    return Came(**{"version": "v2", "since": MONDAY, "before": ["v1"], "share_before": 0.0, "share": share, **made, **more})


def seen(*found: Came, changes: tuple[Change, ...] = ()) -> Evidence:
    return evidence(AUC, versions=Versions(["v1", "v2"] if found else ["v1"], list(found)), changes=list(changes))


def days(**rows: list[int]) -> dict:
    """Return rows by day and version; Monday is day 14."""
    length = max(map(len, rows.values()))
    return {MONDAY + (d - 14) * DAY: {v: n[d] for v, n in rows.items() if n[d]} for d in range(length)}


def test_a_version_that_has_no_rows_in_the_week_before_came():
    found = versions(days(v1=[90] * 14 + [0], v2=[0] * 14 + [90]), MONDAY, MONDAY + DAY)
    assert found == Versions(["v1", "v2"], [Came("v2", MONDAY, ["v1"], 0.0, 1.0)])


def test_a_version_that_takes_over_came_and_one_that_keeps_its_share_did_not():
    grown = versions(days(v1=[90] * 13 + [10, 10], v2=[10] * 13 + [90, 90]), MONDAY, MONDAY + DAY)
    assert grown is not None
    assert [(c.version, c.since, c.share_before, c.share) for c in grown.came] == [("v2", MONDAY - DAY, 0.1, 0.9)]
    steady = versions(days(v1=[90] * 15, v2=[10] * 12 + [12, 9, 15]), MONDAY, MONDAY + DAY)
    assert steady == Versions(["v1", "v2"], [])


@pytest.mark.parametrize("of_first_day", [0, 40], ids=["at once", "in the middle of a day"])
@pytest.mark.parametrize("before", [4, 5, 7])
def test_a_version_that_took_over_more_than_three_days_before_did_not_grow_as_the_week_before_ended(before, of_first_day):
    """The first bad window is that of Monday, and the week before ends three days before it."""
    old = [90] * (14 - before) + [of_first_day] + [0] * before
    found = versions(days(v1=old, v2=[90 - n for n in old]), MONDAY, MONDAY + DAY)
    assert found is not None
    assert found.came == []


def test_a_version_with_most_rows_comes_where_it_takes_the_others_too_or_takes_over_again():
    ahead = versions(days(v1=[90] * 6 + [40] * 7 + [0] * 2, v2=[0] * 6 + [50] * 7 + [90] * 2), MONDAY, MONDAY + DAY)
    again = versions(days(v1=[90] * 9 + [0] * 2 + [90] * 2 + [0] * 2, v2=[0] * 9 + [90] * 2 + [0] * 2 + [90] * 2), MONDAY, MONDAY + DAY)
    for found in (ahead, again):
        assert found is not None
        assert [(c.version, c.since) for c in found.came if c.version == "v2"] == [("v2", MONDAY - DAY)]


def test_a_version_that_comes_back_came():
    back = versions(days(v1=[90] * 4 + [0] * 10 + [90], v2=[0] * 4 + [90] * 10 + [0]), MONDAY, MONDAY + DAY)
    assert back is not None
    assert [c.version for c in back.came] == ["v1"]


def test_what_came_after_the_first_bad_window_is_not_looked_at():
    later = versions(days(v1=[90] * 15 + [0], v2=[0] * 15 + [90]), MONDAY, MONDAY + DAY)
    assert later == Versions(["v1"], [])


@pytest.mark.parametrize("rows", [{"": [90] * 15}, {"": [90] * 14 + [0], "v1": [0] * 14 + [90]}, {"v1": [0] * 13 + [90, 90]}])
def test_rows_that_name_no_version_or_have_none_before_tell_nothing(rows):
    assert versions(days(**rows), MONDAY, MONDAY + DAY) is None


def test_a_recorded_release_before_the_first_bad_window_is_named_with_its_doubt():
    [found] = causes(evidence(AUC, changes=[change()]))
    assert (found.kind, found.subject) == ("release", "release v2 trained to June, recorded by ann")
    assert found.evidence_for == ["took effect 6 h before the first bad window"]
    assert found.evidence_against == ["coincidence in time alone: no split by version was possible"]


def test_a_change_inside_the_first_bad_window_speaks_for_itself_and_one_after_it_does_not():
    week = signal("mae", 9.0, expected=5.0, days=7)
    inside, after = causes(evidence(week, changes=[change(-24, kind="config"), change(-180, kind="config", note="later")]))
    assert (inside.evidence_for, inside.evidence_against[:-1]) == (["took effect within the first bad window"], [])
    assert (after.evidence_for, after.evidence_against[:-1]) == ([], ["took effect only 180 h after the first bad window began"])


def test_a_version_in_the_data_is_evidence_although_nobody_recorded_it():
    [found] = causes(seen(came()))
    assert (found.kind, found.subject, found.onset, found.share) == ("release", "release v2 in place of v1, seen in the data", MONDAY, None)
    assert found.evidence_for == ["its rows began as the first bad window began", "100 % of the rows since then are of v2"]
    assert found.evidence_against == ["coincidence in time alone: no window has rows enough of both versions"]


def test_a_version_that_does_worse_in_the_same_windows_accounts_for_its_share():
    """AUC usually 70 %, now 50 %; half the rows are of v2, which has 40 % where v1 has 70 %: 15 of 20 points."""
    [found] = causes(seen(came(0.4, share=0.5)))
    assert (found.subject, found.share) == ("release v2 beside v1, seen in the data", pytest.approx(0.75))
    assert found.low == pytest.approx(0.75 - 1.96 * 0.5 * 0.01 * 2**0.5 / 0.2, abs=1e-4)
    assert found.evidence_for[-1] == "in the windows that have both, AUC is 0.400 with v2 and 0.700 with v1"
    assert found.evidence_against == []


def test_a_version_that_does_no_worse_in_the_same_windows_is_ruled_out():
    cleared = seen(came(0.51, theirs=0.5, share=0.5), changes=(change(),))
    assert causes(cleared) == []
    assert ruled_out(cleared)[-1] == "release v2 (in the windows that have both, AUC is 0.510 with v2 and 0.500 with v1)"


def test_too_few_rows_of_both_leave_a_coincidence():
    [found] = causes(seen(came(0.5, se=0.3, share=0.5)))
    said = "coincidence in time alone: in the windows that have both, AUC is 0.500 with v2 and 0.700 with v1, with too few rows to tell"
    assert (found.share, found.evidence_against) == (None, [said])


def test_a_recorded_release_and_its_rows_are_one_cause():
    [found] = causes(seen(came(0.5), changes=(change(),)))
    assert (found.subject, found.share) == ("release v2 trained to June, recorded by ann", pytest.approx(1.0))
    assert found.evidence_for[:2] == ["took effect 6 h before the first bad window", "100 % of the rows since then are of v2"]


def test_a_recorded_release_of_which_no_row_came_has_that_against_it():
    [found] = causes(seen(changes=(change(),)))
    assert found.evidence_against == ["until the first bad window ended every row was of v1, as in the week before"]


def test_a_release_is_ruled_out_by_the_rows_and_not_by_silence():
    assert ruled_out(seen())[-1] == "a release (until the first bad window ended every row was of v1, as in the week before)"
    two = evidence(AUC, versions=Versions(["v1", "v2"], []))
    assert (
        ruled_out(two)[-1]
        == "a release (until the first bad window ended rows were of v1 and v2, and none of these came or took over a fifth of them in the three days before it)"
    )
    assert not any("release" in said for said in ruled_out(evidence(AUC)))


def test_what_nobody_recorded_is_not_known():
    assert unknown(evidence(AUC)) == ["releases (none was recorded, and the rows name no version)", "other changes (none was recorded)"]
    assert unknown(seen()) == ["other changes (none was recorded)"]
    assert unknown(evidence(AUC, changes=[change(), change(kind="config")])) == []
