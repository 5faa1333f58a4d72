"""The demo's model: will a flight arrive more than 15 minutes late? Trained on January to March, kept all year.

Belongs here: training, scoring, the threshold. Does not: the data (flights.py). The trained months are scored
out of fold by week, since a model's scores on its own training rows would make every later week look bad.
"""

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import polars as pl

from watchkeeper.demo.flights import CATEGORIES, NUMBERS

TRAINED_UNTIL = date(2013, 4, 1)
VERSION = "v1"
_FOLDS = 5
EVENT_COLUMNS = ("flight_id", "scheduled_at", *CATEGORIES, *NUMBERS, "p_late", "is_late", "model_version")
LABEL_COLUMNS = ("flight_id", "was_late", "arrived_at")


@dataclass(frozen=True)
class Year:
    """What the model saw and said in a year, and what became known of it."""

    events: pl.DataFrame
    labels: pl.DataFrame
    threshold: float


@dataclass(frozen=True)
class _Encoder:
    """Category -> number as learned from the training rows; a category never seen is a missing value."""

    codes: dict[str, dict[str, int]]

    @classmethod
    def fit(cls, rows: pl.DataFrame) -> "_Encoder":
        return cls({name: {v: i for i, v in enumerate(rows[name].unique().sort())} for name in CATEGORIES})

    def __call__(self, rows: pl.DataFrame) -> np.ndarray[Any, Any]:
        coded = [pl.col(n).replace_strict(codes, default=None, return_dtype=pl.Float64) for n, codes in self.codes.items()]
        return rows.select(*coded, pl.col(NUMBERS).cast(pl.Float64)).to_numpy()


def score(flights: pl.DataFrame, *, seed: int = 0) -> Year:
    """Train on the flights that arrived before `TRAINED_UNTIL` and score all of them, cancelled ones too.

    The threshold is the one at which the model flags as many flights of the trained months as were late.
    """
    is_before = pl.col("day") < TRAINED_UNTIL
    past, future = flights.filter(is_before), flights.filter(~is_before)
    encode = _Encoder.fit(past)
    p_past = _out_of_fold(past, encode, seed)
    model = _fit(past, encode, seed)
    threshold = _threshold(past["was_late"], p_past)
    p_late = np.concatenate([p_past, model.predict_proba(encode(future))[:, 1]])
    scored = pl.concat([past, future]).with_columns(p_late=pl.Series(p_late), model_version=pl.lit(VERSION))
    scored = scored.with_columns(is_late=(pl.col("p_late") >= threshold).cast(pl.Int64))
    labels = scored.filter(pl.col("arrived_at").is_not_null()).sort("arrived_at", "flight_id")
    return Year(scored.select(EVENT_COLUMNS), labels.select(LABEL_COLUMNS), threshold)


def _out_of_fold(rows: pl.DataFrame, encode: _Encoder, seed: int) -> np.ndarray[Any, Any]:
    """Score each row by a model that saw nothing of its week."""
    week = rows["day"].dt.truncate("1w").rank("dense").cast(pl.Int64)
    p = np.empty(rows.height)

    def fill(fold: int) -> None:
        left_out = week % _FOLDS == fold
        model = _fit(rows.filter(~left_out), encode, seed)
        p[left_out.to_numpy()] = model.predict_proba(encode(rows.filter(left_out)))[:, 1]

    with ThreadPoolExecutor(max_workers=os.cpu_count()) as folds:
        list(folds.map(fill, range(_FOLDS)))
    return p


def _fit(rows: pl.DataFrame, encode: _Encoder, seed: int) -> Any:
    from sklearn.ensemble import HistGradientBoostingClassifier
    from threadpoolctl import threadpool_limits

    arrived = rows.filter(pl.col("was_late").is_not_null())
    is_category = [True] * len(CATEGORIES) + [False] * len(NUMBERS)
    model = HistGradientBoostingClassifier(
        learning_rate=0.07, max_features=0.5, early_stopping=False, categorical_features=is_category, random_state=seed
    )
    with threadpool_limits(1, "openmp"):  # more threads for one model gain little and may round differently
        return model.fit(encode(arrived), arrived["was_late"].to_numpy())


def _threshold(was_late: pl.Series, p_late: np.ndarray[Any, Any]) -> float:
    known = was_late.is_not_null().to_numpy()
    return float(np.quantile(p_late[known], 1.0 - float(was_late.drop_nulls().to_numpy().mean())))
