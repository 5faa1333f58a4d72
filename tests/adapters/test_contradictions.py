"""What a monitor file says that cannot be: each mistake in one sentence with its line, and all of them at once."""

from collections.abc import Callable

import pytest

from watchkeeper.adapters.workspace import Home, load_monitors

GOOD = """\
model: parcels
task: binary
events: {files: "inbox/*.parquet"}
labels: {files: "labels/*.parquet", join: parcel, column: was_late, time: known_at}
columns:
  id: parcel
  time: sent_at
  score: p_late
  latency: took_ms
  trace_id: parcel
reference: {from: 2025-01-01, to: 2025-02-01}
private: [email]
segments: [depot, depot&size]
targets:
- {metric: recall, at_least: 0.3}
- {metric: psi, feature: dest, at_most: 0.25}
- {metric: psi, feature: "@score", segment: "depot=a&b", at_most: 0.25}
- {metric: recall, segment: "depot=north&size=small=er", at_least: 0.1}
- {metric: latency_p95, at_most: 100, segment: depot=north}
"""
PRIVATE = (
    "segments: 'email' is private, and a segment shows its values in scores, pages and messages (line 13):"
    " take it out of `segments`, or out of `private`"
)


@pytest.fixture
def told(make_home: Callable[..., Home]) -> Callable[[str], list[str]]:
    """Return what is told of a text as the only monitor file."""

    def tell(text: str) -> list[str]:
        home = make_home()
        (home.monitors_dir / "parcels.yaml").write_text(text)
        return [str(p).removeprefix("deployments/monitors/parcels.yaml: ") for p in load_monitors(home)[1]]

    return tell


def target(said: str) -> str:
    return GOOD + f"- {{{said}}}\n"


@pytest.mark.parametrize("pattern", ["inbox/*.parquet", "inbox/[ab]*", "inbox/[!ab]*", "inbox/[]]*", "inbox/[[]*", "inbox/a]*"])
def test_what_can_be_is_no_mistake(told: Callable[[str], list[str]], pattern: str) -> None:
    assert told(GOOD.replace("inbox/*.parquet", pattern)) == []


@pytest.mark.parametrize(
    ("task", "expected"),
    [("regression", []), ("binary", ["columns.prediction: column 'p_late' is columns.score already (line 10): a column has one role"])],
)
def test_of_a_regression_the_score_may_be_the_prediction_too(told: Callable[[str], list[str]], task: str, expected: list[str]) -> None:
    text = GOOD.partition("targets:")[0].replace("task: binary", f"task: {task}").replace("trace_id: parcel", "prediction: p_late")
    assert told(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (GOOD.replace("score: p_late", "score: parcel"), "columns.score: column 'parcel' is columns.id already (line 8): a column has one role"),
        (GOOD.replace("time: sent_at", "time: parcel"), "columns.time: column 'parcel' is columns.id already (line 7): a column has one role"),
        (GOOD.replace("column: was_late", "column: parcel"), "labels.column: column 'parcel' is labels.join already (line 4): a column has one role"),
        (
            GOOD.replace("inbox/*.parquet", "inbox/**/["),
            "events.files: a [ in 'inbox/**/[' is never closed (line 3): close it, or write [[] for the character",
        ),
        (
            GOOD.replace("labels/*.parquet", "labels[/]*.parquet"),
            "labels.files: a [ in 'labels[/]*.parquet' is never closed (line 4): close it, or write [[] for the character",
        ),
        (GOOD + "threshold: .nan\n", "threshold: nan lies outside [0, 1], where a probability must be (line 20)"),
        (GOOD + "threshold: 1.5\n", "threshold: 1.5 lies outside [0, 1], where a probability must be (line 20)"),
        (GOOD + "features: [dest, '@score']\n", "features: '@score' begins with @, as the model's own outputs do (line 20): rename the column"),
        (GOOD.replace("[depot,", "[depot, email,"), PRIVATE),
        (GOOD.replace("[depot,", "[depot, depot&email,"), PRIVATE),
        (GOOD.replace("[depot,", "[depot, parcel,"), "segments: 'parcel' is the id, whose values are no groups of rows (line 13)"),
        (GOOD.replace("[depot,", "[depot, sent_at,"), "segments: 'sent_at' is the time, whose values are no groups of rows (line 13)"),
        (GOOD.replace("[depot,", "[depot, p_late,"), "segments: 'p_late' is the score, whose values are no groups of rows (line 13)"),
        (GOOD.replace("[depot,", "[depot, depot,"), "segments: 'depot' is named twice (line 13)"),
        (target("metric: recall, at_least: .nan"), "targets.5: a limit must be a finite number (line 20)"),
        (target("metric: recall, at_least: 0.9, at_most: 0.1"), "targets.5: no number is at least 0.9 and at most 0.1 (line 20)"),
        (target("metric: recal, at_least: 0.9"), "unknown metric 'recal' (line 20): did you mean 'recall'?"),
        (target("metric: mae, at_most: 2"), "metric 'mae' is one of regression models, and this one is binary (line 20)"),
        (
            target("metric: psi, at_most: 2"),
            "metric 'psi' is one of a column, and the target names none (line 20): add `feature`; `@score` is the model's output",
        ),
        (
            target("metric: recall, feature: dest, at_least: 0.1"),
            "metric 'recall' is one of the whole model, not of a column (line 20): leave `feature` out",
        ),
        (target("metric: f1, segment: depot=a, at_least: 0.1"), "metric 'f1' is not measured in segments (line 20): leave `segment` out"),
        (
            target("metric: recall, segment: nope=1, at_least: 0.1"),
            "segment 'nope=1' is of no declared segment (line 20): declared: depot, depot&size",
        ),
        (
            target("metric: recall, at_least: 7"),
            "at_least: 7 is no value of 'recall', which lies between 0 and 1 (line 20): write a share as 0.7, not as 70",
        ),
        (target("metric: psi, feature: dest, at_most: -0.1"), "at_most: -0.1 is no value of 'psi', which is never below 0 (line 20)"),
        (target("metric: matthews, at_least: -2"), "at_least: -2 is no value of 'matthews', which lies between -1 and 1 (line 20)"),
        (GOOD + "alerts: {cooldown: 0h}\n", "alerts.cooldown: must be longer than nothing; write for example 6h (line 20)"),
        (GOOD + "keep: 0d\n", "keep: must be longer than nothing; write for example 6h (line 20)"),
        *(
            (
                GOOD + f"retraining: {{webhook: '{address}'}}\n",
                f"retraining.webhook: '{address}' is no web address; write for example https://train.example/start (line 20)",
            )
            for address in ("ftp://train.example/start", "train.example", "https://", "http://[::1", "/start")
        ),
        (
            GOOD.replace("from: 2025-01-01", "from: 2025-02-30"),
            "is not good YAML, 2025-02-30 is no day of the calendar (day is out of range for month) (line 11)",
        ),
        (
            GOOD.replace("to: 2025-02-01", "to: 2025-13-01"),
            "is not good YAML, 2025-13-01 is no day of the calendar (month must be in 1..12) (line 11)",
        ),
        ("", "is empty, and should describe a model"),
        ("# nothing yet\n", "is empty, and should describe a model"),
        ("- model: parcels\n", "is a list, and should hold `key: value` lines (line 1)"),
        ("parcels\n", "is a single value, and should hold `key: value` lines (line 1)"),
        (GOOD + "positive: [1]\n", "positive: must be one label: a text, a number, true or false (line 20)"),
        (GOOD + "positive: .nan\n", "positive: must be one label: a text, a number, true or false (line 20)"),
        (GOOD + "positive:\n", "positive: must be one label: a text, a number, true or false (line 20)"),
    ],
)
def test_what_cannot_be_is_one_sentence(told: Callable[[str], list[str]], text: str, expected: str) -> None:
    assert told(text) == [expected]


def test_all_of_it_is_told_at_once_beside_a_mistyped_key(told: Callable[[str], list[str]]) -> None:
    text = GOOD.replace("score: p_late", "score: parcel").replace("[depot,", "[depot, email,") + "threshold: 7\nwindw: day\n"
    assert [line.partition(":")[0] for line in told(text)] == ["columns.score", "segments", "threshold", "unknown key 'windw' (line 21)"]


@pytest.mark.parametrize(
    ("there", "instead", "said"),
    [
        ("private: [email]", "private: [email, Depot]", "private.1: column 'Depot' differs from 'depot' (segments.0) {} (line 12): {}"),
        ("latency: took_ms", "latency: P_late", "columns.latency: column 'P_late' differs from 'p_late' (columns.score) {} (line 9): {}"),
    ],
)
def test_two_names_that_differ_only_in_case_are_a_mistake(told: Callable[[str], list[str]], there: str, instead: str, said: str) -> None:
    why = "only in case, and the lake keeps one such column"
    assert told(GOOD.replace(there, instead)) == [said.format(why, "name the same column alike; rename one of two in the data")]


CLASSES = GOOD.partition("targets:")[0].replace("task: binary", "task: multiclass") + "targets:\n"
CLASSES = CLASSES.replace("score: p_late", "prediction: said\n  probabilities: {apple: p_apple, pear: p_pear}")


@pytest.mark.parametrize(
    "said", ["metric: recall, feature: '@class=pear', at_least: 0.8", "metric: macro_f1, at_least: 0.8", "metric: brier, at_most: 1.5"]
)
def test_a_promise_about_one_class_or_all_is_no_mistake(told: Callable[[str], list[str]], said: str) -> None:
    assert told(f"{CLASSES}- {{{said}}}\n") == []


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (
            "metric: recall, at_least: 0.8",
            "metric 'recall' is one of a class, and the target names none (line 16): add `feature: \"@class=NAME\"`, or promise `macro_recall`",
        ),
        (
            "metric: estimated_roc_auc, feature: dest, at_least: 0.8",
            "metric 'estimated_roc_auc' is one of a class, and the target names none (line 16): add `feature: \"@class=NAME\"`",
        ),
        (
            "metric: macro_f1, feature: '@class=pear', at_least: 0.8",
            "metric 'macro_f1' is none of a class (line 16): of each class of a multiclass model there are precision, recall, f1, roc_auc",
        ),
        (
            "metric: recall, feature: '@class=aple', at_least: 0.8",
            "columns.probabilities has no class 'aple' (line 16): did you mean '@class=apple'?",
        ),
        ("metric: specificity, at_least: 0.8", "metric 'specificity' is one of binary models, and this one is multiclass (line 16)"),
        (
            "metric: recall, feature: '@class=pear', segment: depot=b, at_least: 0.8",
            "metric 'recall' of a class is not measured in segments (line 16): leave `segment` out",
        ),
    ],
)
def test_a_promise_that_no_class_can_keep_is_one_sentence(told: Callable[[str], list[str]], said: str, expected: str) -> None:
    assert told(f"{CLASSES}- {{{said}}}\n") == [expected]


def test_a_class_of_a_binary_model_is_told(told: Callable[[str], list[str]]) -> None:
    assert "metric 'recall' is none of a class" in told(target("metric: recall, feature: '@class=pear', at_least: 0.8"))[0]
