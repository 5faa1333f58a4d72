"""What data files suggest about a model, and what they leave to a person."""

import re
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from watchkeeper.adapters.monitor_files import understand
from watchkeeper.adapters.workspace import Home
from watchkeeper.adapters.yaml_lines import parse_yaml
from watchkeeper.errors import UsageError
from watchkeeper.monitor import Monitor, Wording
from watchkeeper.operations.add import _times
from watchkeeper.operations.draft import _reference, draft, glob_of
from watchkeeper.operations.drafting import Answer, Draft, Said, Source
from watchkeeper.operations.monitor_text import monitor_text

START = datetime(2025, 1, 1, 9, tzinfo=UTC)
ROWS = 120


def times(step_h: float = 12.0) -> list[datetime]:
    return [START + timedelta(hours=step_h * i) for i in range(ROWS)]


def events(**columns) -> pa.Table:
    rng = np.random.default_rng(1)
    return pa.table({"order_id": [f"o{i}" for i in range(ROWS)], "placed_at": times(), "score": rng.uniform(0.01, 0.99, ROWS), **columns})


def labels(values, **columns) -> pa.Table:
    return pa.table({"order_id": [f"o{i}" for i in range(len(values))], "returned": values, **columns})


def drafted(rows: pa.Table, truth: pa.Table | None = None, **said) -> Draft:
    told = Source(truth, {"files": "l-*.csv"}, "digits") if truth is not None else None
    return draft("orders", Source(rows, {"files": "e-*.csv"}, "digits"), told, said=Said(**said), timezone="UTC")


def answers(told: Draft) -> dict[str, object]:
    return {a.key: a.value for a in told.answers}


def test_a_binary_model_is_read_off_its_columns():
    told = drafted(events(is_returned=[True, False] * 60, region=["n", "s", "e", "w"] * 30), labels([0, 1] * 60))
    assert told.questions == []
    said = answers(told)
    assert (said["task"], said["columns.id"], said["columns.time"], said["columns.score"]) == ("binary", "order_id", "placed_at", "score")
    assert (said["columns.prediction"], said["labels.column"], said["labels.join"], said["segments"]) == (
        "is_returned",
        "returned",
        "order_id",
        ["region"],
    )


@pytest.mark.parametrize(
    ("truth", "predicted", "task"),
    [
        ([True, False] * 60, [1, 0] * 60, "binary"),
        (["yes", "no"] * 60, ["yes", "no"] * 60, "binary"),
        (["a", "b", "c"] * 40, ["a", "b", "c"] * 40, "multiclass"),
        ([0, 1, 2] * 40, [0, 1, 2] * 40, "multiclass"),
        ([float(i) / 7 for i in range(ROWS)], [float(i) for i in range(ROWS)], "regression"),
        (list(range(ROWS)), [float(i) for i in range(ROWS)], "regression"),
    ],
)
def test_the_truth_makes_the_task(truth, predicted, task):
    assert answers(drafted(events(predicted=predicted), labels(truth)))["task"] == task


@pytest.mark.parametrize(
    ("name", "numbers", "task"),
    [("forecast", [i / 7 for i in range(ROWS)], "regression"), ("weight", [i / 7 for i in range(ROWS)], "multiclass"), ("score", None, None)],
    ids=["a number with decimals is foretold", "no output is a number", "a share is foretold"],
)
def test_a_few_whole_numbers_are_classes_unless_the_output_is_a_number(name, numbers, task):
    rows = events() if numbers is None else events(**{name: numbers}).drop_columns("score")
    told = drafted(rows, labels([0, 1, 2] * 40))
    assert answers(told).get("task") == task
    if task is None:
        (asked,) = [q for q in told.questions if q.option == "--task"]
        assert asked.what.endswith("(`returned` holds 0, 1, 2)")


@pytest.mark.parametrize(
    ("column", "values", "task"),
    [("score", [0.2, 0.9] * 60, "binary"), ("predicted", ["a", "b", "c"] * 40, "multiclass"), ("forecast", [12.5, 80.0] * 60, "regression")],
)
def test_without_truth_the_output_makes_the_task(column, values, task):
    assert answers(drafted(events().drop_columns("score").append_column(column, [values])))["task"] == task


def test_every_answer_says_why():
    assert all(a.why for a in drafted(events(region=["n", "s"] * 60), labels([0, 1] * 60)).answers)


def test_how_long_labels_take_is_left_to_be_learned():
    """A draft sees a few files; what the reference learns from knows how long its labels were followed."""
    known = [t + timedelta(hours=30) for t in times()]
    assert "labels.mature_after" not in answers(drafted(events(), labels([0, 1] * 60, returned_at=known)))


@pytest.mark.parametrize(
    ("step_h", "to"),
    [(12.0, date(2025, 2, 26)), (4.0, date(2025, 1, 12)), (2.4, date(2025, 1, 9)), (120.0, date(2025, 4, 1)), (0.1, date(2025, 1, 2))],
)
def test_the_reference_is_the_first_half_at_least_eight_windows_and_at_most_ninety_days(step_h, to):
    rows = events().drop_columns("placed_at").append_column("placed_at", pa.chunked_array([times(step_h)]))
    said = answers(drafted(rows, labels([0, 1] * 60)))
    assert (said["reference.from"], said["reference.to"]) == (date(2025, 1, 1), to)


def test_the_first_day_is_a_day_of_the_time_zone():
    told = draft("orders", Source(events(), {"files": "e"}, ""), None, said=Said(), timezone="Asia/Tokyo")
    early = draft("orders", Source(events(), {"files": "e"}, ""), None, said=Said(), timezone="Pacific/Honolulu")
    assert answers(told)["reference.from"] == date(2025, 1, 1)
    assert answers(early)["reference.from"] == date(2024, 12, 31)


def test_times_written_as_text_are_times():
    rows = events().drop_columns("placed_at").append_column("when", [[t.strftime("%Y-%m-%d %H:%M") for t in times()]])
    assert answers(drafted(rows))["columns.time"] == "when"


def test_a_feature_between_0_and_1_is_not_taken_for_a_score():
    rows = events(humidity=np.linspace(0.1, 0.9, ROWS)).drop_columns("score")
    assert [q.option for q in drafted(rows, labels([0, 1] * 60)).questions] == ["--score"]


def test_what_cannot_be_told_is_asked_all_at_once():
    rows = pa.table({"colour": ["red", "blue"] * 60, "weight": np.linspace(1, 9, ROWS)})
    asked = drafted(rows).questions
    assert [q.option for q in asked] == ["--id", "--time", "--task"]
    assert "colour, weight" in asked[0].what


def test_labels_that_do_not_say_which_is_positive_are_asked_about():
    assert [q.option for q in drafted(events(), labels(["stays", "goes"] * 60)).questions] == ["--positive"]
    assert answers(drafted(events(), labels(["stays", "goes"] * 60), positive="goes"))["positive"] == "goes"
    assert answers(drafted(events(), labels(["no", "yes"] * 60)))["positive"] == "yes"


def test_ids_that_repeat_are_no_ids():
    rows = events().set_column(0, "order_id", [["same"] * ROWS])
    assert "--id" in [q.option for q in drafted(rows).questions]


def test_a_label_file_may_name_the_id_otherwise():
    truth = labels([0, 1] * 60).rename_columns(["order", "returned"])
    assert answers(drafted(events(), truth))["labels.join"] == "order"


def test_several_columns_of_truth_are_asked_about():
    truth = labels([0, 1] * 60, refunded=[0, 1] * 60)
    assert "--label" in [q.option for q in drafted(events(), truth).questions]
    assert answers(drafted(events(), truth, label="refunded"))["labels.column"] == "refunded"


def test_the_truth_may_stand_in_the_events_and_is_then_no_feature():
    said = answers(drafted(events(target=[0, 1] * 60, weight=np.linspace(1, 9, ROWS))))
    assert (said["labels.column"], said["labels.files"], said["labels.join"]) == ("target", "e-*.csv", "order_id")
    assert said["features"] == ["weight"]


def decided_by(score: pa.ChunkedArray, *, least: float = 0.35, astray: int = 0) -> np.ndarray:
    """Return what was decided at a threshold, with some rows decided otherwise."""
    decided = np.asarray(score) >= least
    decided[:astray] = ~decided[:astray]
    return decided


@pytest.mark.parametrize("name", ["flagged", "approved", "declined", "alert", "outcome_ok"])
@pytest.mark.parametrize("written", [bool, int, float, str], ids=["true or false", "1 or 0", "1.0 or 0.0", "texts"])
def test_two_values_that_follow_the_score_by_one_threshold_are_the_decision(name: str, written: type):
    rows = events()
    decided = decided_by(rows["score"])
    told = drafted(rows.append_column(name, [[written(d) for d in decided]]), labels([0, 1] * 60))
    assert (answers(told)["columns.prediction"], "threshold" in answers(told)) == (name, False)
    least = np.asarray(rows["score"])[decided].min()
    why = next(a.why for a in told.answers if a.key == "columns.prediction")
    assert why == f"two values, and positive where `score` is {least:.3g} or more"


def test_a_decision_may_be_otherwise_in_one_row_of_a_hundred():
    rows = events()
    once = drafted(rows.append_column("flagged", [decided_by(rows["score"], astray=1)]), labels([0, 1] * 60))
    assert next(a.why for a in once.answers if a.key == "columns.prediction").endswith(" or more but for 0.8 % of rows")
    thrice = drafted(rows.append_column("flagged", [decided_by(rows["score"], astray=3)]), labels([0, 1] * 60))
    assert "columns.prediction" not in answers(thrice)


def test_of_two_columns_that_follow_the_score_the_one_named_so_is_the_decision():
    rows = events()
    both = rows.append_column("upper", [decided_by(rows["score"])]).append_column("flagged", [decided_by(rows["score"], least=0.6, astray=1)])
    assert answers(drafted(both, labels([0, 1] * 60)))["columns.prediction"] == "flagged"


@pytest.mark.parametrize(
    "values",
    [
        lambda score: np.arange(len(score)) % 2,
        lambda score: np.arange(len(score)) == 7,
        lambda score: score < 0.35,
        lambda score: np.where(score < 0.3, 0, np.where(score < 0.6, 1, 2)),
    ],
    ids=["unrelated", "once in a file", "the other way round", "three values"],
)
def test_what_does_not_follow_the_score_is_no_decision_and_the_threshold_is_said_to_be_assumed(values):
    rows = events()
    told = drafted(rows.append_column("is_vip", [values(np.asarray(rows["score"]))]), labels([0, 1] * 60))
    assert "columns.prediction" not in answers(told)
    [assumed] = [a for a in told.answers if a.key == "threshold"]
    assert (assumed.value, assumed.why) == (0.5, "assumed: no decision column found")
    text = monitor_text(told.answers, "orders.csv")
    assert re.search(r"^threshold: 0\.5 +# assumed: no decision column found$", text, re.MULTILINE)
    assert understand(Monitor, parse_yaml(text, "orders.yaml"))[0].threshold == 0.5


def test_a_decision_is_read_by_the_label_that_counts_as_positive():
    rows = events()
    said = np.where(decided_by(rows["score"]), "goes", "stays")
    told = drafted(rows.append_column("offer", [said]), labels(["stays", "goes"] * 60), positive="goes")
    assert answers(told)["columns.prediction"] == "offer"


def test_personal_data_are_private_and_no_segments():
    said = answers(drafted(events(email=["a@x", "b@x"] * 60, region=["n", "s"] * 60), labels([0, 1] * 60)))
    assert (said["private"], said["segments"]) == (["email"], ["region"])


def test_personal_data_that_somebody_asks_for_as_a_segment_are_one_and_not_private():
    rows = events(email=["a@x", "b@x"] * 60, phone=["1", "2"] * 60, region=["n", "s"] * 60)
    said = answers(drafted(rows, labels([0, 1] * 60), segments=["email"]))
    assert (said["private"], said["segments"]) == (["phone"], ["email"])


def test_at_most_three_segments_are_taken_those_with_fewest_values_first():
    rows = events(five=list("abcde") * 24, two=["a", "b"] * 60, four=list("abcd") * 30, three=list("abc") * 40, many=[f"v{i}" for i in range(ROWS)])
    assert answers(drafted(rows, labels([0, 1] * 60)))["segments"] == ["two", "three", "four"]


def test_a_probability_is_found_for_every_class():
    rows = events(predicted=list("abc") * 40, p_a=[0.2] * ROWS, p_b=[0.3] * ROWS, prob_c=[0.5] * ROWS)
    assert answers(drafted(rows, labels(list("abc") * 40)))["columns.probabilities"] == {"a": "p_a", "b": "p_b", "c": "prob_c"}


def test_a_decision_that_is_named_still_finds_the_score_it_follows():
    rng = np.random.default_rng(3)
    risk = rng.uniform(0, 1, ROWS)
    rows = events(risk=risk, share=rng.uniform(0, 1, ROWS), outcome_is=risk >= 0.4).drop_columns("score")
    told = drafted(rows, labels([0, 1] * 60), prediction="outcome_is", label="returned")
    assert (told.questions, told.left_out) == ([], [])
    assert {answers(told)[k] for k in ("columns.prediction", "columns.score")} == {"outcome_is", "risk"}
    why = next(a.why for a in told.answers if a.key == "columns.score")
    assert why.startswith("between 0 and 1, and `outcome_is` is positive where it is 0.4")


def of_two(*names: str) -> pa.Table:
    """Return events with two columns that add up to 1, named in this order: the first is drawn, the second its complement."""
    first = np.random.default_rng(3).uniform(0.01, 0.99, ROWS)
    return pa.table({**events().drop_columns("score").to_pydict(), **dict(zip(names, (first, 1 - first), strict=True))})


@pytest.mark.parametrize("is_reversed", [False, True])
@pytest.mark.parametrize(
    ("names", "truth", "positive", "score"),
    [
        (("prob_0", "prob_1"), [0, 1], None, "prob_1"),
        (("predict_proba_0", "predict_proba_1"), [False, True], None, "predict_proba_1"),
        (("prob_0", "prob_1"), [0, 1], "0", "prob_0"),
        (("prob_0", "score"), [0, 1], None, "score"),
        (("p_no", "p_yes"), ["no", "yes"], None, "p_yes"),
        (("probStays", "probGoes"), ["stays", "goes"], "goes", "probGoes"),
        (("p_on_time", "p_late"), ["on time", "late"], None, "p_late"),
        (("p_rest", "p_late"), ["on time", "late"], None, "p_late"),
        (("score_neg", "score_pos"), ["stays", "goes"], "goes", "score_pos"),
        (("p_kept", "p_return"), [0, 1], None, "p_return"),
        (("p_not_returned", "p_returned"), [0, 1], None, "p_returned"),
    ],
)
def test_of_two_columns_that_add_up_to_1_the_positive_labels_is_the_score(names, truth, positive, score, is_reversed):
    told = drafted(of_two(*(names[::-1] if is_reversed else names)), labels(truth * 60), positive=positive)
    assert told.questions == []
    (other,) = {*names} - {score}
    why = next(a.why for a in told.answers if a.key == "columns.score")
    assert (answers(told)["columns.score"], why) == (score, f"adds up to 1 with `{other}`, and by the names it is that of the positive label")


@pytest.mark.parametrize(
    ("name", "truth", "positive"),
    [
        ("prob_0", [0, 1], None),
        ("p_0", [False, True], None),
        ("predict_proba_0", [0, 1], None),
        ("prob_0", ["stays", "goes"], "goes"),
        ("prob_stays", ["stays", "goes"], "goes"),
        ("p_no", ["no", "yes"], None),
        ("score_neg", ["stays", "goes"], "goes"),
        ("p_not_returned", [0, 1], None),
        ("no_return_prob", [0, 1], None),
        ("no_fraud_score", [0, 1], None),
    ],
)
def test_a_score_alone_that_is_named_after_the_negative_label_is_asked_about(name, truth, positive):
    rows = events().rename_columns({"score": name})
    told = drafted(rows, labels(truth * 60), positive=positive)
    assert [q.option for q in told.questions] == ["--score"]
    assert told.questions[0].what.startswith(f"which column is the probability of the positive label; `{name}` is named like that of another label")
    assert "columns.score" not in answers(told)
    again = drafted(rows, labels(truth * 60), positive=positive, score=name)
    assert (again.questions, answers(again)["columns.score"]) == ([], name)


@pytest.mark.parametrize(
    ("name", "truth", "positive"),
    [
        ("prob_1", [0, 1], None),
        ("prob_0", [0, 1], "0"),
        ("prob_goes", ["stays", "goes"], "goes"),
        ("p_no", ["no", "yes"], "no"),
        ("p_returned", [0, 1], None),
        ("score_v0", [0, 1], None),
        ("probability", ["stays", "goes"], "goes"),
    ],
)
def test_a_score_alone_that_is_named_otherwise_is_taken(name, truth, positive):
    told = drafted(events().rename_columns({"score": name}), labels(truth * 60), positive=positive)
    assert (told.questions, answers(told)["columns.score"]) == ([], name)


def test_a_prediction_that_follows_a_score_upwards_tells_more_than_its_name():
    rows = events().rename_columns({"score": "prob_0"})
    up, down = (np.asarray(rows["prob_0"]) >= 0.6, np.asarray(rows["prob_0"]) < 0.6)
    assert answers(drafted(rows.append_column("is_returned", [up]), labels([0, 1] * 60)))["columns.score"] == "prob_0"
    assert [q.option for q in drafted(rows.append_column("is_returned", [down]), labels([0, 1] * 60)).questions] == ["--score"]


@pytest.mark.parametrize("names", [("prob_0", "prob_1"), ("prob_1", "prob_0")])
def test_without_labels_true_is_positive(names):
    assert answers(drafted(of_two(*names)))["columns.score"] == "prob_1"


@pytest.mark.parametrize("said", [{}, {"prediction": "is_returned"}])
def test_the_prediction_tells_which_of_two_columns_is_the_score(said):
    rows = of_two("score_a", "score_b")
    is_returned = np.asarray(rows["score_b"]) >= 0.7
    told = drafted(rows.append_column("is_returned", [is_returned]), labels([0, 1] * 60), **said)
    assert (told.questions, answers(told)["columns.score"], answers(told)["columns.prediction"]) == ([], "score_b", "is_returned")


@pytest.mark.parametrize("names", [("score_a", "score_b"), ("prob_0", "prob_1")])
def test_two_columns_that_nothing_tells_apart_are_asked_about(names):
    """Classes with names are in no order: whether `prob_1` is that of `goes` is not known."""
    told = drafted(of_two(*names), labels(["stays", "goes"] * 60), positive="goes")
    assert [(q.option, q.what) for q in told.questions] == [
        ("--score", f"which of `{names[0]}` and `{names[1]}` is the probability of the positive label; they add up to 1")
    ]
    assert "columns.score" not in answers(told)
    assert told.left_out == []
    again = drafted(of_two(*names), labels(["stays", "goes"] * 60), positive="goes", score=names[1])
    assert (again.questions, answers(again)["columns.score"]) == ([], names[1])


def test_a_choice_made_by_the_other_column_does_not_tell_which_is_the_score():
    """An offer is accepted where no return is expected."""
    rows = of_two("score_a", "score_b")
    told = drafted(rows.append_column("decision", [np.asarray(rows["score_a"]) >= 0.4]), labels([0, 1] * 60))
    assert [q.option for q in told.questions] == ["--score"]


def test_which_label_is_positive_is_asked_before_which_column_is_its_probability():
    told = drafted(of_two("prob_stays", "prob_goes"), labels(["stays", "goes"] * 60))
    assert ([q.option for q in told.questions], "columns.score" in answers(told)) == (["--positive"], False)
    told = drafted(of_two("prob_stays", "prob_goes"), labels(["stays", "goes"] * 60), positive="goes")
    assert (told.questions, answers(told)["columns.score"]) == ([], "prob_goes")


def test_scores_that_are_missing_in_some_rows_still_add_up():
    rows = of_two("prob_0", "prob_1")
    gone = pa.array(np.arange(ROWS) < 30)
    for name in ("prob_0", "prob_1"):
        rows = rows.set_column(rows.column_names.index(name), name, pc.if_else(gone, None, rows[name]))
    assert answers(drafted(rows, labels([0, 1] * 60)))["columns.score"] == "prob_1"


def test_two_scores_that_do_not_add_up_to_1_are_no_pair():
    rng = np.random.default_rng(5)
    rows = events(score_b=rng.uniform(0, 1, ROWS))
    told = drafted(rows, labels([0, 1] * 60))
    assert (told.questions, answers(told)["columns.score"]) == ([], "score")


def test_a_decision_named_like_a_score_is_not_taken_for_it():
    told = drafted(events(pred_score=[0, 1] * 60), labels([0, 1] * 60), prediction="pred_score")
    assert {answers(told)[k] for k in ("columns.prediction", "columns.score")} == {"pred_score", "score"}


def test_a_decision_without_a_score_says_what_is_left_out_and_how_to_name_it():
    rows = events(share=np.random.default_rng(3).uniform(0, 1, ROWS), sent_back=[False, True, True] * 40).drop_columns("score")
    told = drafted(rows, labels([0, 1] * 60), prediction="sent_back")
    assert "columns.score" not in answers(told)
    (told_of,) = told.left_out
    assert told_of.startswith("no column was found with the probability behind `sent_back`, so that AUC, log loss and estimates are left out")
    assert told_of.endswith("name it by --score (`share` lies between 0 and 1)")
    assert drafted(rows, labels([0, 1] * 60), prediction="sent_back", score="share").left_out == []


def test_a_class_that_never_came_true_keeps_its_probability():
    rows, truth = of_three_classes()
    told = drafted(rows, labels(np.minimum(truth, 1)), task="multiclass", prediction="klasse", label="returned")
    assert (answers(told)["columns.probabilities"], told.left_out) == ({"0": "prob 0", "1": "prob 1", "2": "prob 2"}, [])


def test_a_class_of_labels_without_a_probability_leaves_those_of_the_others_and_is_named():
    rows, truth = of_three_classes()
    rows = rows.set_column(rows.column_names.index("prob 0"), "prob 0", pc.if_else(pa.array(np.arange(ROWS) < 10), None, rows["prob 0"]))
    told = drafted(rows, labels(np.where(np.arange(ROWS) % 20 == 0, 7, truth)), task="multiclass", prediction="klasse", label="returned")
    assert answers(told)["columns.probabilities"] == {"0": "prob 0", "1": "prob 1", "2": "prob 2"}
    (said,) = told.left_out
    assert said.startswith("no column is the probability of `7`, of which there are labels")


def test_classes_without_probabilities_say_what_is_left_out():
    rows = events(said=["a", "b", "c"] * 40).drop_columns("score")
    told = drafted(rows, labels(["a", "b", "c"] * 40), prediction="said")
    (said,) = told.left_out
    assert said.startswith("no columns were found with the probabilities behind `said`, so that AUC, log loss and estimates are left out")


def test_probabilities_of_other_classes_are_left_out_and_named():
    rows, _ = of_three_classes()
    told = drafted(rows, labels(["fine", "late", "lost"] * 40), task="multiclass", prediction="klasse", label="returned")
    assert "columns.probabilities" not in answers(told)
    (said,) = told.left_out
    assert said.startswith("`prob 0`, `prob 1`, `prob 2` look like probabilities of classes, but none is of ")
    assert "fine" in said
    assert said.endswith("name each class's in `columns.probabilities` of the monitor file")


def test_a_column_that_is_not_there_names_the_nearest():
    with pytest.raises(UsageError, match=r"--time: there is no column 'placd_at'. Did you mean 'placed_at'\?"):
        drafted(events(), time="placd_at")
    with pytest.raises(UsageError, match="--segments: there is no column 'zone'"):
        drafted(events(), segments=["zone"])


def test_numbers_that_are_no_probabilities_are_refused_as_a_score():
    margins = np.linspace(-6, 4, 120)
    with pytest.raises(UsageError, match=r"--score: most of `margin` lies outside \[0, 1\] \(-6 to 4\)"):
        drafted(events(margin=margins), task="binary", score="margin")
    assert answers(drafted(events(p=np.where(np.arange(120) < 3, 7.0, 0.4)), task="binary", score="p"))["columns.score"] == "p"


@pytest.mark.parametrize(
    ("path", "glob"),
    [
        ("/w/inbox/e-2025-01-01.csv.gz", "inbox/e-*.csv.gz"),
        ("/w/e.csv", "e.csv"),
        ("/w/part0001.parquet", "part*.parquet"),
        ("/other/e_1_2.csv", "/other/e_*.csv"),
    ],
)
def test_the_glob_lets_the_digits_of_a_name_vary(path, glob):
    assert glob_of(Path(path), Path("/w"))[0] == glob


@pytest.mark.parametrize(
    ("path", "model", "glob"),
    [
        ("/w/calm1-2025-01-01.csv", "calm1", "calm1-*.csv"),
        ("/w/calm1_truth-2025-01-01.csv", "calm1", "calm1_truth-*.csv"),
        ("/w/calm1-2025-01-01.csv", "calm", "calm*.csv"),
        ("/w/calm12-2025.csv", "calm1", "calm*.csv"),
        ("/w/fraud2.csv", "fraud2", "fraud*.csv"),
    ],
)
def test_digits_of_the_model_s_name_stay_where_others_vary(path, model, glob):
    assert glob_of(Path(path), Path("/w"), model)[0] == glob


@pytest.mark.parametrize(
    ("name", "glob"), [("calm1-2025-01-01", "calm1-*"), ("v2_e-20250101T00", "v2_e-*"), ("e2025-01-01", "e*"), ("part7", "part*")]
)
def test_a_tight_glob_keeps_a_number_that_follows_a_letter_where_others_vary(name, glob):
    assert glob_of(Path(f"/w/{name}.csv"), Path("/w"), is_tight=True)[0] == f"{glob}.csv"


@pytest.mark.parametrize("name", ["version", "model_version", "release", "model_release", "build"])
def test_a_version_is_told_by_its_name(name):
    assert answers(drafted(events(**{name: ["v1", "v2"] * 60})))["columns.version"] == name


def test_a_build_that_differs_from_row_to_row_is_no_version():
    assert "columns.version" not in answers(drafted(events(build=[f"b{i}" for i in range(ROWS)])))


@pytest.mark.parametrize("name", ["latency", "latency_ms", "took_ms", "elapsed_ms", "processing_time_ms"])
def test_a_latency_is_told_by_its_name(name):
    assert answers(drafted(events(**{name: [3.5, 12.0] * 60})))["columns.latency"] == name


@pytest.mark.parametrize("name", ["took", "runtime", "elapsed"])
def test_a_duration_whose_name_says_no_unit_is_no_latency(name):
    assert "columns.latency" not in answers(drafted(events(**{name: [3.5, 12.0] * 60})))


def test_version_and_latency_may_be_said():
    rows = events(image=["a", "b"] * 60, release=["x", "y"] * 60, ms=[3.5, 12.0] * 60)
    said = answers(drafted(rows, version_column="image", latency="ms"))
    assert (said["columns.version"], said["columns.latency"]) == ("image", "ms")
    with pytest.raises(UsageError, match=r"--version-column: there is no column 'imge'. Did you mean 'image'\?"):
        drafted(rows, version_column="imge")


def test_a_task_that_is_none_names_the_nearest():
    with pytest.raises(UsageError) as refused:
        drafted(events(), task="regresion")
    assert str(refused.value) == "--task: there is no task 'regresion'. Did you mean 'regression'?"


def test_times_with_the_day_first_and_dots_are_times():
    rows = events().drop_columns("placed_at").append_column("when", [[t.strftime("%d.%m.%Y %H:%M:%S") for t in times()]])
    said = answers(drafted(rows))
    assert (said["columns.time"], said["reference.from"]) == ("when", START.date())


def test_a_column_without_readable_times_is_told_what_can_be_read():
    rows = events().drop_columns("placed_at").append_column("when", [[t.strftime("%d/%m/%Y") for t in times()]])
    [asked] = drafted(rows, time="when").questions
    assert asked.option == "--time"
    assert asked.what == (
        "which column says when an event happened; `when` holds no time that can be read: ISO text (2026-01-05 19:28:33,"
        " 2026-01-05T19:28:33+01:00), the day first with dots (05.01.2026 19:28:33), or an epoch in seconds, milliseconds,"
        " microseconds or nanoseconds"
    )


def test_messages_are_given_words_of_their_own_where_the_names_say_them():
    told = draft(
        "orders",
        Source(events(), {"files": "inbox/orders-*.csv"}, "digits"),
        Source(labels([0, 1] * 60).rename_columns(["order_id", "was_returned"]), {"files": "l-*.csv"}, "digits"),
        said=Said(),
        timezone="UTC",
    )
    assert (answers(told)["wording.rows"], answers(told)["wording.positive"]) == ("orders", "returned")
    assert "wording.rows" not in answers(drafted(events(), labels([0, 1] * 60)))
    text = monitor_text(told.answers, "orders.csv")
    assert understand(Monitor, parse_yaml(text, "orders.yaml"))[0].wording == Wording(rows="orders", positive="returned")


def test_the_days_of_a_reference_are_those_of_every_file(tmp_path):
    home = Home(tmp_path)
    (tmp_path / "inbox").mkdir()
    for day in range(40):
        at = [START + timedelta(days=day, hours=h) for h in range(30)]
        pq.write_table(pa.table({"id": [f"{day}-{h}" for h in range(30)], "at": at}), tmp_path / "inbox" / f"orders-{day:03}.parquet")
    (tmp_path / "inbox" / "orders-999.parquet").write_bytes(b"PAR1 and then nothing")
    [column, whose] = _times(home, tmp_path / "inbox" / "orders-000.parquet", "inbox/orders-*.parquet", "at")
    assert (len(column), whose) == (40 * 30, "the files'")
    told = Draft(Said())
    _reference(told, "at", column, whose, "UTC")
    assert next(a.why for a in told.answers if a.key == "reference.to") == "the first 21 days of the files' 41"
    _reference(told, "at", column, "the first 1,000 of 1,464 files'", "UTC")
    assert told.answers[-1].why == "the first 21 days of the first 1,000 of 1,464 files' 41"


def of_three_classes(names: tuple[str, str, str] = ("prob 0", "prob 1", "prob 2"), seed: int = 4) -> tuple[pa.Table, np.ndarray]:
    """Return events with a probability for each of three classes and the most probable one, and what came true."""
    rng = np.random.default_rng(seed)
    shares = rng.dirichlet([1, 1, 1], ROWS)
    truth = np.array([rng.choice(3, p=row) for row in shares])
    columns = {"amount": rng.integers(0, 3, ROWS), **dict(zip(names, shares.T, strict=True)), "klasse": shares.argmax(axis=1)}
    return pa.table({"order_id": [f"o{i}" for i in range(ROWS)], "placed_at": times(), **columns}), truth


@pytest.mark.parametrize("names", [("prob 0", "prob 1", "prob 2"), ("p_0", "p_1", "p_2"), ("0.score", "1.score", "2.score")])
@pytest.mark.parametrize("has_truth", [True, False])
def test_a_probability_for_each_of_some_whole_numbers_makes_a_multiclass_task(names, has_truth):
    rows, truth = of_three_classes(names)
    told = drafted(rows, labels(truth) if has_truth else None)
    said = answers(told)
    assert told.questions == []
    assert (said["task"], said["columns.prediction"]) == ("multiclass", "klasse")
    assert said["columns.probabilities"] == dict(zip("012", names, strict=True))
    assert "columns.score" not in said


def test_a_class_that_is_not_the_most_probable_one_is_asked_for():
    rows, truth = of_three_classes()
    for unlike in (rows.drop_columns("klasse"), rows.set_column(rows.column_names.index("klasse"), "klasse", [truth])):
        told = drafted(unlike, task="multiclass")
        assert [q.option for q in told.questions] == ["--prediction"]


def test_a_decision_may_be_named_as_the_truth_is_in_the_labels():
    rows, truth = of_three_classes()
    told = drafted(rows, labels(truth).rename_columns(["order_id", "klasse"]))
    assert (told.questions, answers(told)["columns.prediction"], answers(told)["labels.column"]) == ([], "klasse", "klasse")


def test_numbers_named_alike_that_do_not_add_up_are_no_probabilities():
    rng = np.random.default_rng(5)
    rows = events(**{f"score {i}": rng.uniform(0, 1, ROWS) for i in range(3)})
    assert answers(drafted(rows))["task"] == "binary"


ODD = (
    "VIP?",
    "? a",
    "-",
    "- a",
    "a: b",
    "a:",
    ":",
    "a #b",
    "#",
    "yes",
    "no",
    "on",
    "null",
    "~",
    "1e3",
    "0x1f",
    "12:30",
    "2025-01-01",
    "=",
    "<<",
    "'",
    '"',
    "",
)
NAMES = st.one_of(st.sampled_from(ODD), st.text(max_size=6), st.text(alphabet="aZ?-:,[]{}#&*!|>'\"%@`=~<. \t\n\r\\0\x00\x85\u2028\ufeff", max_size=6))


@given(names=st.lists(NAMES, min_size=1, max_size=4), column=NAMES)
def test_a_draft_says_every_name_as_it_is_however_odd(names: list[str], column: str):
    told = [
        Answer("columns.id", column, f"named like `{column}`"),
        Answer("columns.probabilities", {n: n for n in names}, "one each"),
        Answer("segments", names, f"texts of few values: {', '.join(names)}"),
    ]
    text = monitor_text(told, column)
    meant = {"columns": {"id": column, "probabilities": {n: n for n in names}}, "segments": names}
    assert parse_yaml(text, "odd.yaml").data == meant
    assert yaml.safe_load(text) == meant


def test_a_plain_name_has_no_quotes():
    text = monitor_text([Answer("segments", ["VIP?", "region", "Ladungsträger", "a b"], "few")], "f.csv")
    assert 'segments: ["VIP?", region, Ladungsträger, a b]' in text
