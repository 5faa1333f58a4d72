"""The floors hold: imports point down, each library stays on its floors, clocks and the environment are read where agreed."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

FLOORS = [
    {"client"},
    {
        "errors",
        "windows",
        "records",
        "samples",
        "story",
        "spelling",
        "alerts",
        "telemetry",
        "reference",
        "monitor",
        "workspace",
        "words",
        "redaction",
    },
    {"stats"},
    {"profiles"},
    {"measures", "judgement"},
    {"adapters", "site"},
    {"operations"},
    {"cli", "demo"},
    {"flows"},
]
"""From the ground up: a module imports from its own floor and from those below; the client, used by others, from none of ours."""

PURE = set.union(*FLOORS[1:5])
ENGINES = {"duckdb", "polars", "pandas", "deltalake", "prefect", "great_expectations", "evidently", "slack_sdk", "httpx", "requests", "typer"}
FORBIDDEN = {
    **dict.fromkeys(PURE, ENGINES),
    "site": {"duckdb", "prefect", "great_expectations", "typer"},
    "operations": {"prefect", "typer"},
}
COSTLY = {"great_expectations", "evidently", "sklearn"}
"""Libraries that take seconds to import: inside functions only, everywhere; Prefect too, except in flows."""

KERNEL = "watchkeeper.profiles.kernel"
"""The compiled loops; they and numba, which compiles them, are loaded where rows are scanned and nowhere else."""

CLOCKLESS = PURE | {"site", "operations"}
CLOCKS = {("datetime", "now"), ("datetime", "utcnow"), ("datetime", "today"), ("date", "today"), ("time", "time"), ("time", "time_ns")}
VAGUE = {"utils", "util", "helpers", "helper", "common", "base", "misc", "core"}


def floor_of(module: str) -> int | None:
    """Return the floor of a dotted module name, None for what is not ours."""
    parts = module.split(".")
    name = parts[0] if parts[0] == "flows" else parts[1] if parts[0] == "watchkeeper" and len(parts) > 1 else None
    return next((height for height, names in enumerate(FLOORS) if name in names), None)


def imports(tree: ast.AST, package: str) -> Iterator[tuple[ast.stmt, str]]:
    """Yield every import statement with each module it may load, relative ones made absolute."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            module = ".".join([*above, *([node.module] if node.module else [])])
            yield node, module
            yield from ((node, f"{module}.{alias.name}") for alias in node.names if module in {"watchkeeper", KERNEL.rpartition(".")[0]})


def type_only(tree: ast.Module) -> set[ast.stmt]:
    """Return the statements under `if TYPE_CHECKING`, which load nothing."""
    blocks = [n for n in ast.walk(tree) if isinstance(n, ast.If) and "TYPE_CHECKING" in ast.dump(n.test)]
    return {statement for block in blocks for statement in block.body}


def violations(root: Path) -> list[str]:
    """Return every broken rule in the sources under `root`, one sentence each."""
    files = [*sorted((root / "src").rglob("*.py")), *sorted((root / "flows").rglob("*.py"))]
    return [f"{path.relative_to(root)}: {what}" for path in files for what in broken_by(path, root)]


def broken_by(path: Path, root: Path) -> Iterator[str]:
    """Yield what one file breaks."""
    dotted = ".".join(path.relative_to(root / "src" if (root / "src") in path.parents else root).with_suffix("").parts)
    tree = ast.parse(path.read_text())
    height, name = floor_of(dotted), dotted.split(".")[1] if dotted.startswith("watchkeeper.") else dotted.split(".")[0]
    yield from wrong_imports(tree, dotted, height, name)
    yield from wrong_reads(tree, dotted, name)
    if path.stem in VAGUE:
        yield f"the name {path.stem} says nothing"
    charter = " ".join((ast.get_docstring(tree) or "").split())
    if tree.body and path.name != "__init__.py" and not ("elongs here" in charter and "oes not" in charter):
        yield "no charter: the first docstring says what belongs here, what does not, and where that goes"


def wrong_imports(tree: ast.Module, dotted: str, height: int | None, name: str) -> Iterator[str]:
    """Yield imports that point up, are forbidden on this floor, or cost seconds at the top of a module."""
    for node, module in imports(tree, dotted.rpartition(".")[0]):
        library, there = module.split(".")[0], floor_of(module)
        if height is not None and there is not None and there > height:
            yield f"line {node.lineno} imports {module}, which lies above"
        if library in FORBIDDEN.get(name, ()):
            yield f"line {node.lineno} imports {library}, which is forbidden in {name}"
        costly = library in COSTLY or (library == "prefect" and name != "flows") or module == KERNEL or (library == "numba" and dotted != KERNEL)
        if costly and node in tree.body and node not in type_only(tree):
            yield f"line {node.lineno} imports {library} at the top, which costs everybody seconds"


def wrong_reads(tree: ast.Module, dotted: str, name: str) -> Iterator[str]:
    """Yield reads of the environment outside settings.py, and of clocks where `now` is an argument."""
    for node in ast.walk(tree):
        reads_environment = (
            isinstance(node, ast.Attribute)
            and node.attr in {"environ", "getenv", "environb"}
            and isinstance(node.value, ast.Name)
            and node.value.id == "os"
        )
        imports_it = isinstance(node, ast.ImportFrom) and node.module == "os" and any(a.name in {"environ", "getenv"} for a in node.names)
        if (reads_environment or imports_it) and dotted != "watchkeeper.adapters.settings":
            yield f"line {node.lineno} reads the environment, which only adapters/settings.py does"
        if name in CLOCKLESS and isinstance(node, ast.Attribute) and (ast.unparse(node.value).rpartition(".")[2], node.attr) in CLOCKS:
            yield f"line {node.lineno} reads a clock; `now` is an argument"


def test_every_rule_holds_in_the_sources():
    assert violations(ROOT) == []


def test_every_module_lies_on_a_floor():
    """A new top-level module is given a floor here before it is used."""
    top = {p.stem for p in (ROOT / "src" / "watchkeeper").iterdir() if (p.suffix == ".py" or (p / "__init__.py").exists())}
    assert top - {"__init__"} <= set.union(*FLOORS)


CHARTER = '"""Numbers. Belongs here: a test. Does not: anything else."""\n'


@pytest.mark.parametrize(
    ("path", "source", "expected"),
    [
        ("src/watchkeeper/stats/x.py", "from watchkeeper.adapters.lake import Lake", "lies above"),
        ("src/watchkeeper/stats/x.py", "from watchkeeper import adapters", "lies above"),
        ("src/watchkeeper/stats/x.py", "from ..operations import judge", "lies above"),
        ("src/watchkeeper/adapters/x.py", "def f():\n    import watchkeeper.operations.judge", "lies above"),
        ("src/watchkeeper/operations/x.py", "import flows.intake", "lies above"),
        ("src/watchkeeper/measures/x.py", "def f():\n    import polars as pl", "imports polars, which is forbidden in measures"),
        ("src/watchkeeper/operations/x.py", "def f():\n    from prefect import flow", "imports prefect, which is forbidden in operations"),
        ("src/watchkeeper/adapters/x.py", "import great_expectations as gx", "costs everybody seconds"),
        ("src/watchkeeper/cli/x.py", "from prefect import flow", "costs everybody seconds"),
        ("src/watchkeeper/stats/x.py", "import numba", "costs everybody seconds"),
        ("src/watchkeeper/profiles/x.py", "from watchkeeper.profiles import kernel", "costs everybody seconds"),
        ("src/watchkeeper/adapters/x.py", "import os\nHOME = os.environ.get('HOME')", "reads the environment"),
        ("src/watchkeeper/adapters/x.py", "from os import getenv", "reads the environment"),
        ("flows/x.py", "import os\nHOME = os.getenv('HOME')", "reads the environment"),
        ("src/watchkeeper/operations/x.py", "from datetime import UTC, datetime\nnow = datetime.now(UTC)", "reads a clock"),
        ("src/watchkeeper/judgement/x.py", "import datetime as d\nimport time\nnow = time.time()", "reads a clock"),
        ("src/watchkeeper/adapters/utils.py", "x = 1", "says nothing"),
    ],
)
def test_a_planted_violation_is_caught(tmp_path: Path, path: str, source: str, expected: str):
    planted = tmp_path / path
    planted.parent.mkdir(parents=True)
    planted.write_text(CHARTER + source + "\n")
    found = violations(tmp_path)
    assert len(found) == 1
    assert expected in found[0]


def test_a_module_without_charter_is_caught(tmp_path: Path):
    (tmp_path / "src" / "watchkeeper").mkdir(parents=True)
    (tmp_path / "src" / "watchkeeper" / "x.py").write_text('"""Numbers."""\n')
    assert [v.partition(": ")[2] for v in violations(tmp_path)] == [
        "no charter: the first docstring says what belongs here, what does not, and where that goes"
    ]


def test_what_is_allowed_is_not_caught(tmp_path: Path):
    """Imports for types alone, costly ones inside functions, and clocks in the command line."""
    allowed = {
        "src/watchkeeper/cli/x.py": "from datetime import datetime\nimport watchkeeper.operations.judge\nnow = datetime.now()",
        "src/watchkeeper/adapters/x.py": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import prefect\ndef f():\n    import evidently",
        "flows/x.py": "from prefect import flow\nimport watchkeeper.operations.judge",
        "src/watchkeeper/adapters/__init__.py": "",
    }
    for path, source in allowed.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(CHARTER + source + "\n" if source else "")
    assert violations(tmp_path) == []
