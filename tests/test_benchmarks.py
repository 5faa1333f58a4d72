"""The benchmarks run with the options their pages show, and print the figures they promise; how large those are is not tested.

Those that take long even when they are small are `nightly`: that they still run need not be known at each change.
"""

import json
import os
import shutil
import subprocess
import sys
from contextlib import redirect_stdout
from importlib import import_module
from io import StringIO
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

ROOT = Path(__file__).parent.parent


def run(module: str, *arguments: str) -> str:
    """Return what a benchmark prints, in this process: each of its own would import for seconds."""
    printed = StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(printed):
        patch.setattr(sys, "argv", [module, *arguments])
        import_module(module).main()
    return printed.getvalue()


def run_alone(*arguments: str) -> str:
    """Return what a benchmark prints that must be a process of its own, as its page shows it."""
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src")}
    done = subprocess.run([sys.executable, "-m", *arguments], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.nightly
@pytest.mark.slow
def test_the_profile_benchmark_prints_ratios_and_versions(tmp_path):
    found = json.loads(run("benchmarks.profile", "--rows", "20000", "--runs", "1", "--data", str(tmp_path), "--json"))
    assert set(found["ratio_to_floor"]) == {"ungrouped", "hour_segment"}
    assert all(ratio > 0 for ratio in found["ratio_to_floor"].values())
    assert {"duckdb", "numba", "pyarrow"} <= set(found["versions"])
    spent = found["sizes"]["20000"]["spent"]
    assert set(spent) == {"floor_ungrouped", "ours_ungrouped", "floor_grouped", "ours_grouped", "ours_decode"}
    assert all(one["cpu_s"] > 0 and one["peak_mb"] > 0 for one in spent.values())


@pytest.mark.nightly
@pytest.mark.slow
def test_the_growth_benchmark_prints_what_a_late_day_costs_beside_an_early_one():
    found = json.loads(run("benchmarks.growth", "--days", "42", "--rows", "60"))
    assert found["days"] == 42
    assert all(found[key] > 0 for key in ("day_10_cpu_s", "last_day_cpu_s", "ratio", "feature_month_cpu_s", "segment_quarter_cpu_s"))


@pytest.mark.nightly
@pytest.mark.slow
def test_of_some_small_models_in_one_run_the_first_alone_loads_the_compiled_loops():
    found = json.loads(run_alone("benchmarks.fleet", "--models", "8", "--rows", "30"))
    assert found["models"] == 8
    assert found["kernel_imports"] == 1
    assert found["compiled_after_the_first"] == 0
    assert found["cpu_s_per_model_after_the_first"] > 0


@pytest.mark.nightly
@pytest.mark.slow
def test_the_budgets_benchmark_prints_coverage_quiet_months_and_how_long_before_it_breaks_a_budget_is_told():
    found = json.loads(run("benchmarks.budgets", "--months", "2", "--worlds", "steady", "--json"))
    steady = found["worlds"]["steady"]
    assert set(steady["coverage"]) == set(steady["width_to_total"]) == {"3", "10", "20", "27"}
    assert steady["told_though_kept"]["by 10%"] == 0
    assert steady["days_before_it_broke"]["by 10%"] > 0


@pytest.mark.nightly
@pytest.mark.slow
def test_the_service_benchmark_prints_errors_of_percentiles_what_a_minute_takes_and_pages_of_quiet_services():
    found = json.loads(run("benchmarks.service", "--rows", "100000", "--minutes", "2", "--per-second", "50", "--services", "1", "--json"))
    assert found["percentiles"]["largest"] <= 0.01
    assert found["throughput"]["rows_per_minute"] == 3_000
    assert 0 < found["throughput"]["wall_s"] <= found["throughput"]["worst_wall_s"]
    assert found["quiet"]["days"] == 28
    assert found["quiet"]["hours_with_a_page_now"] <= 1


def test_the_slices_benchmark_prints_false_finds_power_and_times():
    found = json.loads(run("benchmarks.slices", "--runs", "4", "--json"))
    assert found["runs"] == 4
    assert {"wrong or not", "absolute errors, normal"} <= set(found["clean"])
    assert all(0 <= share <= 1 for share in found["clean"].values())
    best = next(row for row in found["planted"] if (row["share"], row["effect"]) == (0.2, 0.3))
    assert best["found"] == 1.0
    assert all(spent > 0 for spent in found["milliseconds"].values())


@pytest.mark.slow
def test_the_fairness_benchmark_prints_how_often_audits_are_wrong_and_how_often_they_find_a_gap():
    found = json.loads(run("benchmarks.fairness", "--audits", "4"))
    assert set(found["planted_gap_found"]) == {"demographic_parity", "equal_opportunity", "equalised_odds", "predictive_parity", "calibration"}
    shares = [*found["audits_with_a_false_violation"].values(), *found["planted_gap_found"].values()]
    assert len(shares) == 10
    assert all(0 <= share <= 1 for share in shares)


@pytest.mark.nightly
@pytest.mark.slow
def test_the_kpis_benchmark_prints_what_a_month_costs_beside_the_floor():
    found = json.loads(run("benchmarks.kpis", "--rows", "30000", "--runs", "1", "--json"))
    assert found["scores"] > 3_000
    assert set(found["ratio_to_floor"]) == {"all", "asked in SQL", "joined and counted", "measured from profiles"}
    assert found["ratio_to_sql"] > 0
    assert all(spent > 0 for spent in found["cpu_s"].values())


@pytest.mark.nightly
@pytest.mark.slow
def test_the_estimates_benchmark_sets_ours_beside_theirs_and_what_was_realised(tmp_path):
    """The other tool's rows and estimates are read from where it leaves them; here they are made up."""
    for name, chunk in (("car_loan", 400), ("car_price", 400)):
        rng, folder = np.random.default_rng(1), tmp_path / name
        folder.mkdir()
        for part, rows in (("reference", 5_000), ("window", 800)):
            x, noise = rng.normal(size=rows), rng.random(rows)
            score = 1 / (1 + np.exp(-2 * x))
            binary = {"y_pred_proba": score, "y_pred": (score >= 0.5).astype(int), "repaid": (noise < score).astype(float)}
            price = {"y_pred": 1_000 + 100 * x, "y_true": 1_000 + 100 * x + rng.normal(size=rows) * 20}
            pq.write_table(pa.table({"id": np.arange(rows), "x": x, **(binary if name == "car_loan" else price)}), folder / f"{part}.parquet")
        metrics = ["accuracy", "roc_auc"] if name == "car_loan" else ["mae"]
        theirs = {"chunk": chunk, "truth": "repaid" if name == "car_loan" else "y_true", "estimates": {key: [0.8, 0.8] for key in metrics}}
        (folder / "theirs.json").write_text(json.dumps(theirs))
    found = json.loads(run("benchmarks.estimates", "--data", str(tmp_path), "--json"))
    assert found["car_loan"]["chunks"] == found["car_price"]["chunks"] == 2
    assert found["car_loan"]["metrics"]["accuracy"]["ours_mean_error"] < 0.05, found
    assert found["car_price"]["metrics"]["mae"]["pooled"]["ours"] == pytest.approx(16, abs=1.5)


@pytest.mark.nightly
@pytest.mark.slow
def test_the_coverage_benchmark_prints_how_often_intervals_hold_the_truth():
    found = json.loads(run("benchmarks.coverage", "--simulations", "40", "--json"))
    assert found["simulations"] == 40
    promised = [c for c in found["cells"] if c["promised"]]
    assert {c["metric"] for c in promised} == {"roc_auc", "precision", "recall", "mae"}
    assert min(c["n"] for c in promised if c["metric"] == "mae") == 1_000
    assert {"log_loss", "average_precision", "f1", "rmse", "error_p95", "lift_at_10"} <= {c["metric"] for c in found["cells"]}
    assert 0.9 < sum(c["covered"] for c in promised) / len(promised) <= 1


def test_the_clusters_benchmark_prints_how_often_intervals_over_clusters_and_over_rows_hold():
    found = json.loads(run("benchmarks.clusters", "--runs", "10", "--json"))
    assert found["summary"]["cells"] == len(found["cells"]) == 178
    assert {(c["of"], c["kind"]) for c in found["cells"]} >= {("entities", "share .05"), ("entities", "mean, skewed"), ("days", "share .2")}
    assert all(0 <= c[what] <= 1 for c in found["cells"] for what in ("clusters", "rows", "approximate"))
    low, high = found["summary"]["rows of entities that are alike"]
    assert low < 0.7
    assert low < high


STREAMS = """
from types import SimpleNamespace
import numpy as np
NUM, CAT = ["weight", "distance"], ["depot"]
def specs():
    return {name: SimpleNamespace(name=name, R=28, M=7, wpw=7) for name in ("calm", "in_grams")}
class Stream:
    def __init__(self, spec, seed):
        self.s, self.seed = spec, seed
    def window(self, t):
        rng = np.random.default_rng([self.seed, t])
        weight, distance, p = rng.gamma(2, 1, 300), rng.normal(50, 9, 300), rng.beta(2, 5, 300)
        if self.s.name == "in_grams" and t >= 28 + 3:
            weight = weight * 1000
        depot, seg = rng.integers(0, 3, 300), rng.integers(0, 2, 300)
        return {"weight": weight, "distance": distance, "depot": depot, "seg": seg, "p": p, "y": rng.random(300) < p, "delay": np.full(300, 2)}
"""


@pytest.mark.nightly
@pytest.mark.slow
def test_the_detection_benchmark_writes_the_alerts_of_each_stream_once(tmp_path):
    (tmp_path / "streams.py").write_text(STREAMS)
    given = ["--streams", str(tmp_path / "streams.py"), "--streams-seeds", "0:1", "--out", str(tmp_path / "alerts.jsonl"), "--processes", "1"]
    run("benchmarks.detection", *given, "--only", "calm")
    run("benchmarks.detection", *given)
    lines = {line["stream"]: line for line in map(json.loads, (tmp_path / "alerts.jsonl").read_text().splitlines())}
    assert len((tmp_path / "alerts.jsonl").read_text().splitlines()) == 2
    assert lines["calm"]["alerts"] == []
    assert {tuple(a) for a in lines["in_grams"]["alerts"]} >= {(t, "feature", "weight") for t in range(3, 7)}
    assert min(a[0] for a in lines["in_grams"]["alerts"]) == 3


@pytest.mark.nightly
@pytest.mark.slow
def test_the_peers_benchmark_writes_what_another_tool_alerts_of_the_same_streams(tmp_path):
    """Evidently as it is installed here, in the place of an environment of its own, which takes a package index."""
    (tmp_path / "streams.py").write_text(STREAMS)
    python = tmp_path / "peers" / "evidently" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    python.chmod(0o755)
    (tmp_path / "peers" / "evidently" / ".made").touch()
    out = tmp_path / "alerts.jsonl"
    out.write_text(json.dumps({"policy": "watchkeeper", "stream": "calm", "seed": 0, "alerts": []}) + "\n")
    given = ["--streams", str(tmp_path / "streams.py"), "--streams-seeds", "0:1", "--out", str(out), "--processes", "1"]
    for _ in range(2):
        run("benchmarks.peers", *given, "--tools", "evidently", "--data", str(tmp_path))
    lines = [json.loads(line) for line in out.read_text().splitlines()]
    assert [(line["policy"], line["stream"]) for line in lines] == [("watchkeeper", "calm"), ("evidently", "calm"), ("evidently", "in_grams")]
    found = {line["stream"]: {tuple(a) for a in line["alerts"]} for line in lines[1:]}
    assert {(t, "feature", "weight") for t in range(3, 7)} <= found["in_grams"]
    assert {alert for alert in found["in_grams"] if alert[0] < 3} == {alert for alert in found["calm"] if alert[0] < 3}


@pytest.mark.slow
def test_the_judging_benchmark_finds_what_is_wrong_once():
    found = json.loads(run("benchmarks.judging", "--models", "10", "--json"))
    assert found["opened"][0] >= 1
    assert found["opened"][1] == 0
    assert found["scores"] > 30_000
    assert all(spent > 0 for spent in found["cpu_s"].values())


@pytest.mark.nightly
@pytest.mark.slow
def test_the_causes_benchmark_prints_how_often_the_planted_cause_is_told(tmp_path):
    given = ["benchmarks.causes", "--seeds", "0:1", "--only", "null_burst,fails_everywhere", "--processes", "1"]
    out = ["--out", str(tmp_path / "worlds.jsonl")]
    found = json.loads(run(*given, *out, "--json"))
    assert (found["worlds"], set(found["by_kind"])) == (2, {"null_burst", "fails_everywhere"})
    assert set(found) >= {"top1", "top3", "decoy_top1", "nothing_known", "onset_error_windows"}
    assert found["found"] == 1.0, "a planted incident opens"
    assert found["by_kind"]["null_burst"]["top1"] == 1.0
    assert found["nothing_known"] == 1.0, "of what left no trace no cause is told"
    assert found["onset_error_windows"] <= 1
    assert "null_burst" in run(*given, *out), "worlds that are there already are not run again"
    assert len((tmp_path / "worlds.jsonl").read_text().splitlines()) == 2


@pytest.mark.nightly
@pytest.mark.slow
@pytest.mark.parametrize("task", ["regression", "multiclass"])
def test_the_causes_benchmark_plants_incidents_of_models_that_say_a_number_or_a_class(task):
    kinds = [f"{task}: {what}" for what in ("storm", "concept in a range beside a drift", "noise")]
    found = json.loads(run("benchmarks.causes", "--seeds", "0:1", "--only", ",".join(kinds), "--processes", "1", "--json"))
    assert set(found["by_kind"]) == set(kinds)
    assert (found["top1"], found["decoy_top1"], found["nothing_known"]) == (1.0, 1.0, 1.0)


@pytest.mark.nightly
@pytest.mark.slow
def test_the_causes_benchmark_runs_worlds_in_processes_beside_each_other():
    found = json.loads(run("benchmarks.causes", "--seeds", "0:1", "--only", "codes_exchanged,label_fault", "--processes", "2", "--json"))
    assert (found["worlds"], set(found["by_kind"])) == (2, {"codes_exchanged", "label_fault"})
    assert found["found"] == 1.0, "a planted incident opens"
    assert found["by_kind"]["codes_exchanged"]["top1"] == 1.0
    assert found["onset_error_windows"] <= 1


@pytest.mark.nightly
@pytest.mark.slow
def test_the_causes_benchmark_tells_throttles_that_do_harm_from_those_that_do_none():
    given = ["benchmarks.causes", "--seeds", "0:1", "--only", "gpu_throttled_on_hosts,throttle elsewhere", "--processes", "1"]
    found = json.loads(run(*given, "--json"))
    assert (found["infrastructure_top1"], found["throttle_ruled_out"], found["harmless_hardware_blamed"]) == (1.0, 1.0, 0.0)
    assert found["by_kind"]["throttle elsewhere"]["ruled_out"] == 1.0
    assert "ruled_out" not in found["by_kind"]["gpu_throttled_on_hosts"], "what does harm is not to be ruled out"


@pytest.mark.gcc
@pytest.mark.skipif(shutil.which("gcc") is None, reason="gcc is not installed; it compiles the stand-in for NVML")
def test_the_sampler_benchmark_prints_its_share_of_a_core():
    found = json.loads(run("benchmarks.sampler", "--readings", "12", "--idle", "1", "--json"))
    assert (found["gpus"], found["processes"], found["landed"]) == (8, 16, {"GpuSample": 24 * 8, "GpuProcess": 24 * 16})
    assert 0 < found["cpu_s_per_reading"] / found["every_s"] < found["share_of_a_core"] + 1e-9
    assert found["resident_mb"] > 0


@pytest.mark.nightly
@pytest.mark.slow
def test_the_near_real_time_benchmark_prints_what_a_step_costs():
    found = json.loads(run("benchmarks.nearlive", "--cost", "--repeats", "1", "--json"))
    assert set(found) == {f"{kind}_{clock}_s" for kind in ("idle", "rows") for clock in ("cpu", "wall")}
    assert 0 < found["idle_cpu_s"] < found["rows_cpu_s"]
