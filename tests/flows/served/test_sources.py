"""A source that breaks fails its own model's intake and no other; the address of a database may lie in a Prefect block."""

from collections.abc import Callable
from datetime import date
from typing import Any

import pytest

from conftest import PARCELS
from postgres import PASSWORD, Database
from prefect_world import Starting
from watchkeeper.adapters.connections import block_of, find
from watchkeeper.adapters.settings import Settings
from watchkeeper.adapters.workspace import Home
from watchkeeper.errors import ConfigurationError
from watchkeeper.records import Run

pytestmark = [pytest.mark.prefect, pytest.mark.slow, pytest.mark.postgres]

URL = "postgresql://ann:s3cret@127.0.0.1:1/shop"
SQL = "select parcel, sent_at, p_late, is_late, version, depot from parcels"


def test_a_secret_block_holds_an_address_where_the_environment_does_not(starting: Starting) -> None:
    from prefect.blocks.system import Secret

    api = f"{starting.server.ui}/api"
    known = Settings.from_environment({"PREFECT_API_URL": api})
    with starting.ready():
        with pytest.raises(ConfigurationError, match=r"or keep it in a Prefect Secret block named watchkeeper-connection-shop"):
            find("shop", known)
        Secret(value=URL).save(block_of("shop"))
        found = find("shop", known)
    assert (found.url, found.origin) == (URL, "the Prefect block watchkeeper-connection-shop")
    gone = Settings.from_environment({"PREFECT_API_URL": "http://127.0.0.1:1/api"})
    with pytest.raises(ConfigurationError, match=r"the Prefect server, which may hold connection 'shop', gave no answer"):
        find("shop", gone)


def test_one_source_that_is_down_fails_its_model_alone_and_tells_no_secret(
    starting: Starting,
    make_home: Callable[..., Home],
    postgres: Database,
    monkeypatch: pytest.MonkeyPatch,
    parcels_of_day: Callable[..., Any],
    capsys: pytest.CaptureFixture[str],
) -> None:
    from watchkeeper.flows import intake

    asked = {**PARCELS, "model": "asked", "labels": None, "events": {"sql": SQL, "connection": "shop"}}
    home = make_home(PARCELS, asked, name="two")
    parcels_of_day(date(2025, 1, 1), rows=5)
    for file in (home.root.parent / "home" / "inbox").iterdir():
        file.rename(home.root / "inbox" / file.name)
    monkeypatch.setenv("WATCHKEEPER_HOME", str(home.root))
    monkeypatch.setenv("WATCHKEEPER_CONNECTION_SHOP", postgres.url)
    with starting.ready():
        state = intake.intake(return_state=True)
    assert state.is_failed()
    assert "asked: connection 'shop'" in (state.message or "")
    assert [r.reason for r in home.lake.newest(Run) if r.outcome == "failed"] == [_reason(postgres)]
    assert home.lake.read("events/parcels").num_rows == 5  # type: ignore[union-attr]
    printed = "".join(capsys.readouterr())
    assert PASSWORD not in f"{state.message}{printed}"
    assert "s3cr" not in f"{state.message}{printed}"
    postgres.do(
        "create table parcels (parcel text, sent_at timestamptz, p_late float8, is_late boolean, version text, depot text)",
        "insert into parcels values ('x', '2025-01-01 10:00+00', 0.2, false, '1', 'north')",
    )
    with starting.ready():
        assert intake.intake(return_state=True).is_completed()
    assert home.lake.read("events/asked")["parcel"].to_pylist() == ["x"]  # type: ignore[index]


def _reason(database: Database) -> str:
    return (
        f"connection 'shop' (127.0.0.1:{database.server.port}/{database.name}): refuses the query (relation \"parcels\" does not exist). "
        "Correct `sql`, or let the user read what it names; `watchkeeper check` asks again."
    )
