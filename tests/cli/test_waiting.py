"""`watchkeeper run` says what waits for the end of quiet hours, and tells it at the first run after them."""

from datetime import date

from conftest import PARCELS
from worlds import parcels_days


def test_what_waits_is_said_and_told_by_the_first_run_after_the_quiet_hours(make_home, watchkeeper):
    quiet = {"from": "22:00", "to": "07:00", "except": "none"}
    home = make_home(PARCELS | {"timezone": "UTC", "alerts": {"quiet_hours": quiet}}, name="quiet")
    parcels_days(home.root, date(2025, 1, 1), 30, rows=300, late=dict.fromkeys((21, 22, 23), 0.5))
    by_night = watchkeeper("run", "--now", "2025-02-02T00:00Z", at=home)
    assert "1 message waits until Sun 2 Feb 2025, 07:00: quiet hours.\n" in by_night.output
    assert "1 incident opened, 1 resolved" in by_night.output
    in_the_morning = watchkeeper("run", "--now", "2025-02-02T07:00Z", at=home).output
    [said] = [line for line in in_the_morning.splitlines() if line.startswith("✅ **parcels: ")]
    assert "; opened Sun 2 Feb 2025, 00:00, resolved Sun 2 Feb 2025, 00:00**" in said
    assert "1 message sent" in in_the_morning
    assert "wait" not in in_the_morning
