"""A run on a GPU host's worker samples it, with a real Prefect server."""

from pathlib import Path

import pytest

from nvml_world import NvmlWorld, needs_gcc
from prefect_world import Starting
from watchkeeper.adapters.workspace import Home
from watchkeeper.errors import UsageError
from watchkeeper.samples import GpuSample

pytestmark = [pytest.mark.prefect, pytest.mark.slow, *needs_gcc]


def test_a_run_samples_for_its_time_and_says_what_landed(starting: Starting, home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from watchkeeper.flows import sampling

    NvmlWorld(tmp_path, "- count 2", "* utilisation 40").enter(monkeypatch)
    monkeypatch.setenv("WATCHKEEPER_HOME", str(home.root))
    with starting.ready():
        state = sampling.sample_gpus(hours=1 / 3600, every="0.2s", model="parcels", return_state=True)
        wrong = sampling.sample_gpus(processes=["parcels"], return_state=True)
    landed = home.lake.newest(GpuSample)
    assert state.is_completed(), state.message
    assert {(s.device, s.model, s.utilisation_ratio) for s in landed} == {(0, "parcels", 0.4), (1, "parcels", 0.4)}
    assert (state.message or "").startswith(f"{len(landed)} GPU readings, 0 process readings, ")
    assert isinstance(wrong.result(raise_on_failure=False), UsageError)
