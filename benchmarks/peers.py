"""Other tools on the same rows: drift of 30 features, one window against a reference, each in an environment of its own.

Belongs here: making the environments, what each tool is asked, and ours asked the same. Does not: our scan alone (engines.py).
Each tool runs at its defaults, since those are what people get; whatever it prints is kept out.
"""

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

from benchmarks.rows import write

ROOT = Path(__file__).parent.parent
_REFERENCE_SEED, _WINDOW_SEED = 1, 0
_TIMED = """
    import json, sys, time
    def told(read, work):
        a = time.process_time(); reference, window = read(sys.argv[1]), read(sys.argv[2])
        b = time.process_time(); work(reference, window)
        c = time.process_time()
        print("FIGURES", json.dumps({"read_cpu_s": b - a, "work_cpu_s": c - b, "process_cpu_s": time.process_time()}))
"""
PEERS: dict[str, tuple[list[str], str]] = {
    "evidently": (
        ["evidently==0.7.23", "pandas<3.1", "plotly<6", "pyarrow"],
        """
    import pandas as pd
    from evidently import DataDefinition, Dataset, Report
    from evidently.presets import DataDriftPreset
    def work(reference, window):
        kinds = DataDefinition(numerical_columns=[c for c in window if c[0] == "n"], categorical_columns=[c for c in window if c[0] == "s"])
        data = [Dataset.from_pandas(frame, data_definition=kinds) for frame in (window, reference)]
        Report([DataDriftPreset()]).run(*data)
    told(lambda path: pd.read_parquet(path).drop(columns=["ts", "region", "client"]), work)
    """,
    ),
    "nannyml": (
        ["nannyml==0.13.1", "pyarrow", "statsmodels"],
        """
    import pandas as pd, nannyml as nml
    def work(reference, window):
        found = nml.UnivariateDriftCalculator(column_names=list(window), continuous_methods=["jensen_shannon"],
                                              categorical_methods=["jensen_shannon"], chunk_number=1)
        found.fit(reference); found.calculate(window)
    told(lambda path: pd.read_parquet(path).drop(columns=["ts", "region", "client"]), work)
    """,
    ),
    "whylogs": (
        ["whylogs==1.6.4", "pandas<2.3", "numpy<2", "pyarrow<20", "scipy", "ipython"],
        """
    import pandas as pd, whylogs as why
    from whylogs.viz.drift.column_drift_algorithms import calculate_drift_scores
    def work(reference, window):
        views = [why.log(frame).profile().view() for frame in (window, reference)]
        calculate_drift_scores(target_view=views[0], reference_view=views[1], with_thresholds=True)
    told(lambda path: pd.read_parquet(path).drop(columns=["ts", "region", "client"]), work)
    """,
    ),
}
_OURS = """
    import sys
    from pathlib import Path
    from benchmarks.engines import drift_of
    drift_of(Path(sys.argv[1]), Path(sys.argv[2]))
"""


def compare(data: Path, rows: int) -> dict[str, Any]:
    """Return each tool's CPU seconds and how many times ours they are; a tool that cannot be installed or fails says so."""
    reference = write(data / f"reference-{rows}.parquet", rows, seed=_REFERENCE_SEED)
    window = write(data / f"rows-{rows}.parquet", rows, seed=_WINDOW_SEED)
    ours = _run([sys.executable], _OURS, reference, window, timed=False)
    found: dict[str, Any] = {"rows": rows, "ours": ours}
    for name, (requirements, script) in PEERS.items():
        print(f"{name}: making its environment ...", file=sys.stderr, flush=True)
        try:
            python = environment(data / "peers" / name, requirements)
            theirs = _run([str(python)], script, reference, window, timed=True)
        except (subprocess.CalledProcessError, RuntimeError) as error:
            found[name] = {"failed": str(error)[-300:]}
            continue
        work_and_read = (theirs["work_cpu_s"] + theirs["read_cpu_s"]) / (ours["work_cpu_s"] + ours["read_cpu_s"])
        found[name] = theirs | {
            "work_and_read_to_ours": round(work_and_read, 1),
            "process_to_ours": round(theirs["process_cpu_s"] / ours["process_cpu_s"], 1),
        }
    return found


def environment(folder: Path, requirements: list[str]) -> Path:
    """Return the interpreter of an environment with these packages, made unless it is there."""
    python = folder / "bin" / "python"
    if not (folder / ".made").exists():
        uv = Path(sys.executable).parent / "uv"
        subprocess.run([str(uv), "venv", "--quiet", "--clear", "--python", sys.executable, str(folder)], check=True)
        subprocess.run([str(uv), "pip", "install", "--quiet", "--python", str(python), *requirements], check=True, capture_output=True, text=True)
        (folder / ".made").touch()
    return python


def _run(command: list[str], script: str, reference: Path, window: Path, *, timed: bool) -> dict[str, float]:
    text = textwrap.dedent(_TIMED) * timed + textwrap.dedent(script)
    quiet = os.environ | {"NML_DISABLE_USAGE_LOGGING": "1", "DO_NOT_TRACK": "1", "WHYLOGS_NO_ANALYTICS": "True"}
    if timed:
        quiet.pop("PYTHONPATH", None)
    done = subprocess.run([*command, "-c", text, str(reference), str(window)], cwd=ROOT, env=quiet, capture_output=True, text=True, check=False)
    line = next((one for one in done.stdout.splitlines() if one.startswith("FIGURES ")), None)
    if line is None:
        raise RuntimeError(done.stderr.strip().splitlines()[-1] if done.stderr.strip() else "no figures")
    return {key: round(value, 3) for key, value in json.loads(line.removeprefix("FIGURES ")).items()}
