"""A fault of data and the KPI that suffers by it are one story to people: one thread, one line, one end. What has another cause stays its own."""

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from conftest import PARCELS
from slack_standin import Slack
from watchkeeper.adapters.workspace import Home
from watchkeeper.judgement.incidents import Incident
from watchkeeper.operations.incident_book import known_incidents
from watchkeeper.operations.listing import incident_listing, told
from watchkeeper.operations.watch import watch
from watchkeeper.records import IncidentEvent
from worlds import DAY, Change, parcels_days

FIRST, BEGIN = date(2025, 1, 1), datetime(2025, 1, 1, tzinfo=UTC)
DAYS, ROWS = 34, 300
WAIT = {"labels": PARCELS["labels"] | {"mature_after": "3d"}, "segments": [], "features": ["weight_kg", "size_cm"]}
AT_ONCE = {"labels": PARCELS["labels"] | {"mature_after": "1h"}}
"""Labels come the day after, and count as final three days after the rows."""


@pytest.fixture
def slack(monkeypatch: pytest.MonkeyPatch) -> Iterator[Slack]:
    """Slack, which every run of a watch sends to."""
    with Slack(("#parcels", "#letters")) as server:
        monkeypatch.setenv("SLACK_BOT_TOKEN", str(server.as_bot.slack_bot_token))
        monkeypatch.setenv("SLACK_API_URL", str(server.as_bot.slack_api_url))
        yield server


def a_day(*, gone: float = 0.0, factor: float = 1.0, harm: float = 0.0) -> Change:
    """Return what becomes of a day: weights that are missing, or in another unit, in which rows the model expects more late parcels by units of the logit."""

    def changed(events: pa.Table, labels: pa.Table) -> tuple[pa.Table, pa.Table]:
        rng = np.random.default_rng(events["sent_at"][0].as_py().toordinal())
        score, weight = (events[name].to_numpy().copy() for name in ("p_late", "weight_kg"))
        is_hit = (rng.uniform(size=events.num_rows) < gone) | (factor != 1.0)
        score = np.where(is_hit, 1 / (1 + np.exp(-(np.log(score / (1 - score)) + harm))), score)
        weight = np.where(is_hit & (gone > 0), np.nan, weight * factor)
        for name, values in {"p_late": score, "is_late": score >= 0.5, "weight_kg": weight}.items():
            events = events.set_column(events.column_names.index(name), name, pa.array(values, from_pandas=True))
        return events.append_column("size_cm", pa.array(rng.lognormal(3.0, 0.4, events.num_rows))), labels

    return changed


HARMFUL, HARMLESS = a_day(gone=0.6, harm=2.5), a_day(gone=0.6)


def world(root: Path, change: dict[int, Change], late: dict[int, float] | None = None) -> Path:
    """Write the days of a world into a store, from which they are handed over."""
    store = root / "store"
    (store / "inbox").mkdir(parents=True)
    parcels_days(store, FIRST, DAYS, rows=ROWS, change={d: change.get(d, a_day()) for d in range(DAYS)}, late=late)
    return store


def hand_over(home: Home, store: Path, now: datetime, labels_after: timedelta = DAY) -> None:
    """Hand over the files of the days that are over, and the labels of those for which it is time."""
    for file in sorted((store / "inbox").iterdir()):
        of = datetime.fromisoformat(file.stem.split("-", 1)[1]).replace(tzinfo=UTC)
        if of + DAY + (labels_after if file.name.startswith("delivered") else timedelta(0)) <= now:
            file.rename(home.root / "inbox" / file.name)


def run(home: Home, store: Path, *days: int, labels_after: timedelta = DAY) -> None:
    """Watch some hours after each of some days has ended."""
    for day in days:
        now = at(day)
        hand_over(home, store, now, labels_after)
        watch(home, now=now)


def at(day: int) -> datetime:
    return BEGIN + (day + 1) * DAY + timedelta(hours=6)


def said(slack: Slack) -> list[tuple[str, str]]:
    """Return (text, text of the message that it answers) of each message that is no digest."""
    heads = {m["ts"]: m["text"] for m in slack.messages}
    return [(m["text"], heads.get(m.get("thread_ts", ""), "")) for m in slack.messages if not m["text"].startswith("📊")]


def parts(home: Home, day: int) -> set[tuple[str, str]]:
    """Return the families of what leads and of each that is told with it."""
    every = {i.id: i for i in known_incidents(home, now=at(day))}
    return {(every[i.leader].family, i.family) for i in every.values()}


def of(home: Home, family: str, day: int) -> Incident:
    [one] = [i for i in known_incidents(home, now=at(day)) if i.family == family]
    return one


def test_probe_kpi_first(make_home, tmp_path, slack):
    """Labels come with the rows."""
    home = make_home(PARCELS | WAIT | AT_ONCE)
    store = world(tmp_path, dict.fromkeys(range(21, 23), a_day(factor=10, harm=2.5)) | dict.fromkeys(range(23, 27), HARMFUL))
    for day in range(20, 33):
        run(home, store, day, labels_after=timedelta(0))
        print(day, [(i.family, i.state, i.severity, i.part_of[:4], i.id[:4], i.story.causes[:1]) for i in known_incidents(home, now=at(day))])
    for m in said(slack): print(m)
