"""A day that ends with its week is a day."""

from datetime import UTC, datetime, timedelta

import pyarrow as pa

from watchkeeper.monitor import Target
from watchkeeper.operations.judge import _episodes
from watchkeeper.records import Signal

SUNDAY = datetime(2025, 2, 9, tzinfo=UTC)


def test_the_last_day_of_a_week_opens_no_episode_of_the_week(parcels):
    monitor = parcels.model_copy(update={"targets": [Target(metric="recall", at_least=0.5)], "timezone": "UTC"})
    days = [SUNDAY + timedelta(days=i) for i in range(-3, 4)]
    scores = pa.table(
        {
            "grain": ["day"] * 7,
            "metric": ["log_loss"] * 7,
            "segment": [""] * 7,
            "value": [0.5] * 7,
            "state": ["mature"] * 7,
            "window_start": pa.array(days, pa.timestamp("us", "UTC")),
            "window_end": pa.array([d + timedelta(days=1) for d in days], pa.timestamp("us", "UTC")),
        }
    )
    about = {
        "model": "parcels",
        "environment": "production",
        "family": "kpi",
        "level": "page",
        "rule": "sudden",
        "metric": "log_loss",
        "state": "mature",
    }
    signal = Signal(
        signal_id="s",
        **about,
        window_start=SUNDAY,
        window_end=SUNDAY + timedelta(days=1),
        value=1.0,
        low=None,
        high=None,
        expected=0.5,
        normal_low=None,
        normal_high=None,
        p=1e-6,
        computed_at=SUNDAY,
    )
    assert len(_episodes(monitor, [signal], scores, timedelta(0), SUNDAY + timedelta(days=9), [])) == 1
