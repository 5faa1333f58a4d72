"""What is missing in the expectation suites of a workspace, for the people who write them.

Belongs here: advice on suites that can be read. Does not: reading them (suites.py).
"""

from pathlib import Path

from watchkeeper.adapters.suites import load, parse
from watchkeeper.errors import ConfigurationError


def lint_suites(folder: Path) -> list[str]:
    """Return what is missing in the suites of a folder, one sentence each; nothing when all is well.

    Raises:
        ConfigurationError: some suites cannot be read; all their mistakes are named at once.

    """
    broken, warnings = [], []
    for path in sorted(folder.glob("*.json")):
        try:
            load(path)
        except ConfigurationError as error:
            broken.append(f"{path.name}: {error.what}")
        else:
            warnings += _gaps(path)
    if broken:
        raise ConfigurationError(" ".join(broken), where=str(folder), then="Correct the suites named.")
    return warnings


def _gaps(path: Path) -> list[str]:
    written = parse(path, path.read_text("utf-8"))
    found = []
    if written.get("name", path.stem) != path.stem:
        found.append(f"{path.name}: the suite calls itself {written['name']!r}; it is known by its file name, {path.stem!r}.")
    for index, entry in enumerate(written["expectations"]):
        place = f"{path.name}: expectations[{index}] ({entry['type']})"
        lacks = [] if "severity" in entry else ["severity (critical is taken)"]
        lacks += [f"meta.{word}" for word in ("owner", "why") if not (entry.get("meta") or {}).get(word)]
        if lacks:
            found.append(f"{place} has no {', no '.join(lacks)}.")
    return found
