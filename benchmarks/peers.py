"""Other tools on the same rows, each in an environment of its own: what they take, and what they alert of.

Belongs here: making the environments, what each tool is asked to be timed, and ours asked the same. Does not: our scan alone (engines.py), asking a tool
about a stream (peer_alerts.py). Each tool runs at its defaults, since those are what people get; whatever it prints is kept out.

    python -m benchmarks.profile --peers
    python -m benchmarks.peers --streams benchmarks/streams.py --streams-seeds 0:1 --out alerts.jsonl

The first times drift of 30 features, one window against a reference. The second writes what Evidently and NannyML alert of streams whose onsets are
known, in the form of detection.py; both may write one file. A tool's environment is made once, from the package index, in `--data`.
"""

import json
import os
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Any

from benchmarks import rows as made_rows
from benchmarks.alert_files import Asked, Line, parser_of, still_asked, write

ROOT = Path(__file__).parent.parent
ALERTING = ("evidently", "nannyml")
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
    reference = made_rows.write(data / f"reference-{rows}.parquet", rows, seed=_REFERENCE_SEED)
    window = made_rows.write(data / f"rows-{rows}.parquet", rows, seed=_WINDOW_SEED)
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


def alerts(path: str, wanted: Sequence[Asked], pythons: Mapping[str, Path], processes: int) -> Iterator[Line]:
    """Yield what each tool alerts of each stream and seed as it comes.

    Raises:
        RuntimeError: a tool failed.

    """
    with ThreadPoolExecutor(processes) as pool:
        for done in as_completed([pool.submit(_alerts_of, pythons[tool], tool, path, name, seed) for tool, name, seed in wanted]):
            yield done.result()


def _alerts_of(python: Path, tool: str, path: str, name: str, seed: int) -> Line:
    script = Path(__file__).with_name("peer_alerts.py")
    return _told([str(python), "-P", str(script), tool, str(Path(path).resolve()), name, str(seed)], "ALERTS", is_theirs=True)


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
    found = _told([*command, "-c", text, str(reference), str(window)], "FIGURES", is_theirs=timed)
    return {key: round(value, 3) for key, value in found.items()}


def _told(command: list[str], word: str, *, is_theirs: bool) -> dict[str, Any]:
    """Return the JSON behind a word at the beginning of a line that a command prints.

    Raises:
        RuntimeError: there is no such line.

    """
    quiet = os.environ | {"NML_DISABLE_USAGE_LOGGING": "1", "DO_NOT_TRACK": "1", "WHYLOGS_NO_ANALYTICS": "True"}
    if is_theirs:
        quiet.pop("PYTHONPATH", None)
    done = subprocess.run(command, cwd=ROOT, env=quiet, capture_output=True, text=True, check=False)
    line = next((one for one in done.stdout.splitlines() if one.startswith(f"{word} ")), None)
    if line is None:
        raise RuntimeError(done.stderr.strip().splitlines()[-1] if done.stderr.strip() else f"no {word.lower()}")
    found: dict[str, Any] = json.loads(line.removeprefix(word))
    return found


def main() -> None:
    """Ask other tools about streams and write what they alert of."""
    parser = parser_of(__doc__)
    parser.add_argument("--tools", default=",".join(ALERTING), help=f"which, with commas between (default: {','.join(ALERTING)})")
    parser.add_argument("--data", type=Path, default=Path(tempfile.gettempdir()) / "watchkeeper-benchmarks", help="where their environments are kept")
    given = parser.parse_args()
    tools = given.tools.split(",")
    if unknown := sorted(set(tools) - set(ALERTING)):
        parser.error(f"--tools: {', '.join(unknown)} is none of {', '.join(ALERTING)}")
    pythons = {tool: environment(given.data / "peers" / tool, PEERS[tool][0]) for tool in tools}
    wanted = still_asked(given, tools)
    write(given.out, alerts(given.streams, wanted, pythons, given.processes), len(wanted))


if __name__ == "__main__":
    main()
