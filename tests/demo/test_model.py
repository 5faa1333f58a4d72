"""The demo's model: honest scores for the months it learned from, the same every time, and as good as they should be."""

from datetime import date, timedelta

import polars as pl
import pytest
from sklearn.metrics import log_loss, roc_auc_score

from watchkeeper.demo.model import Year, score

SPRING = date(2013, 4, 1)


def flipped(flights: pl.DataFrame, where: pl.Expr) -> pl.DataFrame:
    return flights.with_columns(was_late=pl.when(where).then(1 - pl.col("was_late")).otherwise(pl.col("was_late")))


def week_of(monday: date) -> pl.Expr:
    return pl.col("day").is_between(monday, monday + timedelta(days=6))


def p_late(rows: pl.DataFrame, year: Year) -> list[float]:
    return rows.select("flight_id").join(year.events, on="flight_id", how="left", maintain_order="left")["p_late"].to_list()


@pytest.fixture(scope="module")
def scored(few: pl.DataFrame) -> Year:
    return score(few)


def test_a_trained_week_is_scored_without_its_own_outcomes(few: pl.DataFrame, scored: Year) -> None:
    monday, next_monday = date(2013, 2, 4), date(2013, 2, 11)
    rows, others = few.filter(week_of(monday)), few.filter(week_of(next_monday))
    assert rows.height > 150
    changed = score(flipped(few, week_of(monday)))
    assert p_late(rows, scored) == p_late(rows, changed)
    assert p_late(others, scored) != p_late(others, changed)


def test_the_same_seed_gives_the_same_scores_whatever_came_after_training(few: pl.DataFrame, scored: Year) -> None:
    assert p_late(few, scored) == p_late(few, score(flipped(few, pl.col("day") >= SPRING)))


def test_another_seed_gives_other_scores(few: pl.DataFrame, scored: Year) -> None:
    assert p_late(few, scored) != p_late(few, score(few, seed=1))


def test_the_model_flags_as_many_known_trained_flights_as_were_late(scored: Year) -> None:
    known = scored.events.join(scored.labels, on="flight_id").filter(pl.col("scheduled_at") < pl.datetime(2013, 4, 1, 4, time_zone="UTC"))
    assert known["is_late"].mean() == pytest.approx(known["was_late"].mean(), abs=0.001)


def test_every_flight_is_scored_and_only_arrived_ones_are_labelled(few: pl.DataFrame, scored: Year) -> None:
    assert scored.events.height == few.height
    assert scored.events["p_late"].is_between(0, 1).all()
    assert scored.labels.height == few["arrived_at"].is_not_null().sum()


@pytest.fixture(scope="module")
def judged(flights: pl.DataFrame) -> pl.DataFrame:
    """Every labelled flight of the year with its score, by the day of New York."""
    year: Year = score(flights)
    day = pl.col("scheduled_at").dt.convert_time_zone("America/New_York").dt.date()
    return year.events.join(year.labels, on="flight_id").with_columns(day=day)


def figures(rows: pl.DataFrame) -> dict[str, float]:
    late, p = rows["was_late"].to_numpy(), rows["p_late"].to_numpy()
    return {"late": late.mean(), "expected": p.mean(), "auc": roc_auc_score(late, p), "log_loss": log_loss(late, p)}


@pytest.mark.nightly
@pytest.mark.slow
def test_the_model_is_as_modest_as_it_was_measured_to_be(judged: pl.DataFrame) -> None:
    reference, after = figures(judged.filter(pl.col("day") < SPRING)), figures(judged.filter(pl.col("day") >= SPRING))
    assert reference == pytest.approx({"late": 0.228, "expected": 0.222, "auc": 0.692, "log_loss": 0.497}, abs=0.01)
    assert after == pytest.approx({"late": 0.240, "expected": 0.207, "auc": 0.694, "log_loss": 0.509}, abs=0.012)


@pytest.mark.nightly
@pytest.mark.slow
def test_the_week_of_22_april_is_worse_than_any_week_of_the_reference(judged: pl.DataFrame) -> None:
    by_week = {week: figures(rows) for (week,), rows in judged.group_by(pl.col("day").dt.truncate("1w"))}
    reference = [f["log_loss"] for week, f in by_week.items() if week < SPRING]
    april = by_week[date(2013, 4, 22)]
    assert april["log_loss"] > max(reference) + 0.2
    assert april["late"] == pytest.approx(0.391, abs=0.001)
    assert april["expected"] < 0.16


@pytest.mark.nightly
@pytest.mark.slow
def test_virgin_america_fails_in_silence(judged: pl.DataFrame) -> None:
    virgin = judged.filter(pl.col("carrier") == "VX")
    before, after = figures(virgin.filter(pl.col("day") < SPRING)), figures(virgin.filter(pl.col("day") >= SPRING))
    assert before["late"] == pytest.approx(0.088, abs=0.001)
    assert after["late"] == pytest.approx(0.200, abs=0.001)
    assert after["expected"] < 0.12
