"""The command `demo` before it trains: whose folder it may use, and what it says when it may not."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from watchkeeper.adapters.workspace import Home, find_home, load_monitors
from watchkeeper.cli import app
from watchkeeper.records import Batch

ROOT = Path(__file__).parent.parent.parent


def demo(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["demo", *arguments])


@pytest.fixture
def new_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is not there yet, named while standing in the project."""
    monkeypatch.chdir(ROOT)
    return tmp_path / "flights"


def test_a_new_folder_is_given_the_monitor_the_suites_and_the_prices(new_folder: Path) -> None:
    assert demo("--home", str(new_folder), "--until", "2013-01-01").exit_code == 2
    monitors, problems = load_monitors(find_home(new_folder))
    assert problems == []
    assert "flight_delays" in monitors
    assert {f.name for f in (new_folder / "expectations").iterdir()} >= {"flight_delays_events.json", "flight_delays_labels.json"}
    assert (new_folder / "warehouse" / "seeds" / "gpu_prices.csv").exists()


def test_a_folder_with_other_things_in_it_is_left_alone(new_folder: Path) -> None:
    new_folder.mkdir()
    (new_folder / "thesis.txt").write_text("years of work")
    said = demo("--home", str(new_folder))
    assert said.exit_code == 2
    assert "not empty" in said.output
    assert [f.name for f in new_folder.iterdir()] == ["thesis.txt"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--until", "2013-03-31"], "--until: the watch begins on 2 April 2013"),
        (["--until", "April"], "--until: 'April' is not a day"),
        (["--every", "0d"], "--every: the steps must have a length"),
        (["--every", "weekly"], "--every: 'weekly' is not a duration"),
    ],
)
def test_what_cannot_be_walked_is_said_in_one_sentence(home: Home, arguments: list[str], said: str) -> None:
    result = demo("--home", str(home.root), *arguments)
    assert result.exit_code == 2
    assert said in result.output


@pytest.mark.parametrize("again", [[], ["--again"]])
def test_a_workspace_with_rows_of_another_model_is_refused(home: Home, again: list[str], watchkeeper: Callable[..., Result]) -> None:
    landed = Batch(batch_id="b", model="parcels", source="events", name="f", status="landed", landed_at=datetime(2025, 1, 1, tzinfo=UTC))
    home.lake.append_records(Batch, [landed])
    result = watchkeeper("demo", *again)
    assert result.exit_code == 2
    assert str(home.root) in result.output
    assert home.lake.read(Batch.TABLE).num_rows == 1
