"""Three models on scikit-learn's own data, with made ids and times: files as production systems would write them.

    python docs/examples/sklearn_models.py diabetes models/inbox
    python docs/examples/sklearn_models.py wine models/inbox
    python docs/examples/sklearn_models.py tumours models/inbox

`diabetes` predicts a number (regression), `wine` one of three cultivars (multiclass), `tumours` whether one is benign (binary). Each model learns
from half of its data; the other half is drawn from, again and again, so that there are 150 rows a day for eight weeks. From 20 February a fault is
planted: the body mass index of the patients arrives ten times too large, and for the wines two columns are swapped. Of the third model a new version
answers two thirds of the rows from 29 January on, and all of them from 5 February.
"""  # noqa: INP001 - a script, not a package

import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
from sklearn.datasets import load_breast_cancer, load_diabetes, load_wine
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import train_test_split

FIRST, FAULT, LAST = datetime(2025, 1, 1, tzinfo=UTC), datetime(2025, 2, 20, tzinfo=UTC), datetime(2025, 2, 26, tzinfo=UTC)
SHARED, TAKEN_OVER = datetime(2025, 1, 29, tzinfo=UTC), datetime(2025, 2, 5, tzinfo=UTC)
ROWS_A_DAY = 150
HISTORY = timedelta(days=42)


def draw(features: np.ndarray, truth: np.ndarray) -> tuple[np.ndarray, np.ndarray, list[datetime]]:
    """Return rows drawn again and again, with the truth and a time for each."""
    rng = np.random.default_rng(0)
    rows = ROWS_A_DAY * (LAST - FIRST).days
    chosen = rng.integers(0, len(features), rows)
    times = [FIRST + (LAST - FIRST) * float(share) for share in np.sort(rng.uniform(size=rows))]
    return features[chosen].copy(), truth[chosen], times


def diabetes() -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return predictions of how far diabetes has progressed after a year, and the truth, which comes a day later."""
    data = load_diabetes()
    learn, rest, learn_truth, rest_truth = train_test_split(data.data, data.target, test_size=0.5, random_state=0)
    model = LinearRegression().fit(learn, learn_truth)
    features, truth, times = draw(rest, rest_truth)
    features[np.array(times) >= FAULT, data.feature_names.index("bmi")] *= 10
    ids = [f"patient-{i:05d}" for i in range(len(times))]
    clinic = [("north", "south", "west")[i % 7 % 3] for i in range(len(times))]
    columns = dict(zip(data.feature_names, features.T, strict=True))
    events = pl.DataFrame({"visit_id": ids, "seen_at": times, "predicted": model.predict(features), "clinic": clinic, **columns})
    return events, pl.DataFrame({"visit_id": ids, "progression": truth, "known_at": [t + timedelta(hours=24) for t in times]})


def wine() -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return which of three cultivars a wine is said to come from, with a probability for each, and the truth twelve hours later."""
    data = load_wine()
    learn, rest, learn_truth, rest_truth = train_test_split(data.data, data.target, test_size=0.5, random_state=0)
    model = RandomForestClassifier(n_estimators=50, max_depth=4, random_state=0).fit(learn, learn_truth)
    features, truth, times = draw(rest, rest_truth)
    swapped = np.ix_(np.array(times) >= FAULT, [data.feature_names.index("flavanoids"), data.feature_names.index("color_intensity")])
    features[swapped] = features[swapped][:, ::-1]
    shares = model.predict_proba(features)
    names = np.array(["barolo", "grignolino", "barbera"])
    ids = [f"bottle-{i:05d}" for i in range(len(times))]
    probabilities = {f"p_{name}": shares[:, k] for k, name in enumerate(names)}
    columns = {name.replace("/", "_"): column for name, column in zip(data.feature_names, features.T, strict=True)}
    events = pl.DataFrame({"bottle_id": ids, "tasted_at": times, "predicted": names[shares.argmax(axis=1)], **probabilities, **columns})
    return events, pl.DataFrame({"bottle_id": ids, "cultivar": names[truth], "known_at": [t + timedelta(hours=12) for t in times]})


def tumours() -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the probability that a tumour is benign, by one of two versions of a model, and the truth a day later."""
    data = load_breast_cancer()
    learn, rest, learn_truth, rest_truth = train_test_split(data.data[:, :6], data.target, test_size=0.5, random_state=0)
    versions = [LogisticRegression(max_iter=5000).fit(learn[:, :2], learn_truth), RandomForestClassifier(50, random_state=0).fit(learn, learn_truth)]
    features, truth, times = draw(rest, rest_truth)
    at, turn = np.array(times), np.arange(len(times)) % 3
    is_new = (at >= TAKEN_OVER) | ((at >= SHARED) & (turn > 0))
    p_benign = np.where(is_new, versions[1].predict_proba(features)[:, 1], versions[0].predict_proba(features[:, :2])[:, 1])
    ids = [f"sample-{i:05d}" for i in range(len(times))]
    columns = {name.replace(" ", "_"): column for name, column in zip(data.feature_names, features.T, strict=False)}
    events = pl.DataFrame({"sample_id": ids, "seen_at": times, "p_benign": p_benign, "release": np.where(is_new, "2", "1"), **columns})
    return events, pl.DataFrame({"sample_id": ids, "benign": truth, "known_at": [t + timedelta(hours=24) for t in times]})


def write(rows: pl.DataFrame, time: str, name: str, folder: Path) -> None:
    """Write six weeks as one file, then a file every two weeks, by when the rows became known."""
    ends = [FIRST + HISTORY, *(FIRST + HISTORY + timedelta(weeks=w) for w in (2, 4))]
    for start, end in zip([FIRST, *ends], ends, strict=False):
        part = rows.filter((pl.col(time) >= start) & (pl.col(time) < end))
        if part.height:
            part.write_parquet(folder / f"{name}-{start:%Y-%m-%d}.parquet")


def main(model: str, folder: Path) -> None:
    """Write one model's predictions and truth into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    make, truth = {"diabetes": (diabetes, "progression"), "wine": (wine, "cultivar"), "tumours": (tumours, "biopsies")}[model]
    events, labels = make()
    write(events, events.columns[1], model, folder)
    write(labels, "known_at", truth, folder)
    print(f"Wrote {events.height:,} predictions and {labels.height:,} labels of {model} into {folder}")  # noqa: T201 - this is what it says


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
