"""Files of alerts: what a policy said of streams whose onsets are known, one JSON line for each policy, stream and seed.

Belongs here: which lines are asked for and not there yet, and writing them as they come. Does not: who alerts (detection.py, peers.py), the streams.
"""

import argparse
import importlib.util
import json
import sys
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

Line = dict[str, Any]
Asked = tuple[str, str, int]
"""Policy, stream and seed."""


@cache
def module_of(path: str) -> Any:
    """Return a module of streams by its path."""
    spec = importlib.util.spec_from_file_location("streams", path)
    if spec is None or spec.loader is None:
        message = f"{path} is no Python module"
        raise SystemExit(message)
    module = importlib.util.module_from_spec(spec)
    sys.modules["streams"] = module
    spec.loader.exec_module(module)
    return module


def parser_of(description: str | None) -> argparse.ArgumentParser:
    """Return a parser of what every writer of such files is told."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--streams", required=True, help="the module of streams, a Python file")
    parser.add_argument("--streams-seeds", required=True, metavar="A:B", help="seeds A up to but without B")
    parser.add_argument("--out", required=True, type=Path, help="where alerts go, a JSON line for each stream and seed")
    parser.add_argument("--only", default="", help="streams by name, with commas between (default: all)")
    parser.add_argument("--processes", type=int, default=2, help="streams at a time (default: 2)")
    return parser


def still_asked(given: argparse.Namespace, policies: Sequence[str]) -> list[Asked]:
    """Return what is asked for and not in the file yet: a run that was stopped goes on."""
    first, last = (int(text) for text in given.streams_seeds.split(":"))
    names = given.only.split(",") if given.only else list(module_of(given.streams).specs())
    before = given.out.read_text().splitlines() if given.out.exists() else []
    there = {(line["policy"], line["stream"], line["seed"]) for line in map(json.loads, before)}
    every = ((policy, name, seed) for seed in range(first, last) for policy in policies for name in names)
    return [asked for asked in every if asked not in there]


def write(out: Path, lines: Iterable[Line], count: int) -> None:
    """Add lines to a file as they come, and say so on stderr."""
    with out.open("a") as file:
        for place, line in enumerate(lines, 1):
            file.write(json.dumps(line) + "\n")
            file.flush()
            windows = len({alert[0] for alert in line["alerts"]})
            print(f"{place:4}/{count} {line['policy']} {line['stream']} {line['seed']}: alerts in {windows} windows", file=sys.stderr, flush=True)
