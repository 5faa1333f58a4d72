"""The documentation is true: its commands run, its outputs are what they print, its links lead somewhere, nothing is left out.

A fenced block of `console` is run line by line in a temporary folder, in order, page by page; of what is shown below a
command each line must have been printed (`...` stands for anything). `console checked` is not run (it needs a server, the demo
or a network): its commands and options must exist. `exit=3` after `console` is the exit code of the block's last command.
Every page but the quickstart begins where the quickstart ends.
"""

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import pytest
import typer.main
from pydantic import BaseModel
from typer.testing import CliRunner

from object_store import ObjectStore
from parcels_database import a_shop_of_parcels
from watchkeeper import monitor, workspace
from watchkeeper.cli import VERBS, app
from watchkeeper.cli.frame import Verbs
from watchkeeper.spelling import parse_duration

REPOSITORY = Path(__file__).parent.parent
QUICKSTART = REPOSITORY / "docs" / "quickstart-your-model.md"
PAGES = [REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").glob("*.md"))]
LONG = {"alerts", "backfill", "cluster", "fairness", "near-real-time", "own-kpis", "sources", "versions"}
"""Pages that take long and wait for the night, beside tests of the same commands; that their commands and options exist is known at each change."""

ANYTHING = "..."
_BLOCK = re.compile(r"^```(?P<language>\w*)(?P<marks>[^\n]*)\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\]\((?!https?:)([^)#\s]+)(?:#[^)]*)?\)")


@dataclass(frozen=True)
class Command:
    """One command of a page, what is shown below it, and whether and how it is run."""

    text: str
    shown: list[str]
    is_run: bool
    exit_code: int


def commands(page: Path) -> list[Command]:
    found: list[Command] = []
    for block in _BLOCK.finditer(page.read_text(encoding="utf-8")):
        if block["language"] != "console":
            continue
        marks = block["marks"].split()
        parts = re.split(r"^\$ ", block["body"].replace("\\\n", " "), flags=re.MULTILINE)[1:]
        codes = [int(m.removeprefix("exit=")) for m in marks if m.startswith("exit=")]
        for n, part in enumerate(parts, 1):
            text, *shown = part.rstrip().split("\n")
            found.append(Command(text.strip(), shown, "checked" not in marks, codes[0] if codes and n == len(parts) else 0))
    return found


class Terminal:
    """A person's terminal: a folder, an environment, and what the last command printed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.variables: dict[str, str] = {"COLUMNS": "160"}
        if not (folder / "docs").exists():
            (folder / "docs").symlink_to(REPOSITORY / "docs")

    def type(self, command: Command) -> None:
        printed, code = self._run(command.text)
        assert code == command.exit_code, f"$ {command.text}\n{printed}"
        missing = [line for line in command.shown if not _was_printed(line, printed)]
        assert not missing, f"$ {command.text}\nprinted\n{printed}\nand not\n" + "\n".join(missing)

    def _run(self, text: str) -> tuple[str, int]:
        if text.startswith("export "):
            name, _, value = text.removeprefix("export ").partition("=")
            self.variables[name] = value
            return "", 0
        before, _, ours = ("", "", text) if text.startswith("watchkeeper ") else text.rpartition(" | ")
        if ours.startswith("watchkeeper ") and not re.search(r"[|<>&;]", re.sub(r"'[^']*'|\"[^\"]*\"", "", ours)):
            return self._run_here(shlex.split(ours)[1:], given=self._run(before)[0] if before else "")
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        done = subprocess.run(
            ["bash", "-c", text], cwd=self.folder, env={**os.environ, **self.variables, "PATH": path}, capture_output=True, text=True, check=False
        )
        return done.stdout + done.stderr, done.returncode

    def _run_here(self, arguments: list[str], given: str = "") -> tuple[str, int]:
        """Run the command in this process, which spares the seconds that imports take; what is `given` it reads as a pipe would give it."""
        before = Path.cwd()
        os.chdir(self.folder)
        try:
            done = CliRunner().invoke(app, arguments, input=given, env=self.variables)
        finally:
            os.chdir(before)
        return done.output + (repr(done.exception) if done.exit_code and not done.output else ""), done.exit_code


def _was_printed(line: str, printed: str) -> bool:
    wanted = [re.escape(" ".join(part.split())) for part in line.split(ANYTHING)]
    return any(re.search(".*".join(wanted), " ".join(p.split())) for p in printed.splitlines()) if any(wanted) else True


@pytest.fixture(scope="module")
def quickstart(tmp_path_factory: pytest.TempPathFactory) -> Terminal:
    """The terminal at the end of the quickstart, every command of which has run."""
    terminal = Terminal(tmp_path_factory.mktemp("quickstart"))
    for command in commands(QUICKSTART):
        if command.is_run:
            terminal.type(command)
    return terminal


def test_the_quickstart_does_what_it_says(quickstart: Terminal) -> None:
    assert len([c for c in commands(QUICKSTART) if c.is_run]) >= 10
    assert (quickstart.folder / "models" / "warehouse" / "watchkeeper.duckdb").exists()


@pytest.mark.slow
@pytest.mark.parametrize(
    "page",
    [pytest.param(p, marks=[pytest.mark.nightly] if p.stem in LONG else []) for p in PAGES if p != QUICKSTART and any(c.is_run for c in commands(p))],
    ids=lambda p: p.stem,
)
def test_the_commands_of_a_page_run_and_print_what_it_shows(page: Path, quickstart: Terminal, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    shutil.copytree(quickstart.folder / "models", tmp_path / "models")
    terminal = Terminal(tmp_path)
    terminal.variables |= quickstart.variables
    if any("s3://" in c.text for c in commands(page) if c.is_run):
        store: ObjectStore = request.getfixturevalue("object_store")
        terminal.variables |= store.new_bucket("watch").environment
    if page.stem == "sources":  # its commands ask a database
        terminal.variables["WATCHKEEPER_CONNECTION_SHOP"] = a_shop_of_parcels(request.getfixturevalue("postgres"))
    for command in commands(page):
        if command.is_run:
            terminal.type(command)


@pytest.mark.parametrize(("model", "kpi"), [("diabetes", "mae"), ("wine", "accuracy")])
def test_a_model_of_another_task_is_measured_from_drafts_alone(model: str, kpi: str, quickstart: Terminal) -> None:
    import json

    def ask(*arguments: str) -> Any:
        text, code = quickstart._run_here([*arguments, "--json", "--now", "2025-02-28T06:00Z"])
        assert code == 0, text
        return json.loads(text)

    found = ask("scores", model, "--metric", kpi)
    assert len(found) == 56
    assert {s["state"] for s in found} == {"mature"}
    good, bad = (_mean(s["value"] for s in found if (s["window_start"] >= "2025-02-20") == is_late) for is_late in (False, True))
    assert (bad > 2 * good) if kpi == "mae" else (bad < good - 0.1)
    assert [i["model"] for i in ask("incidents") if i["window_start"][:10] == "2025-02-20" and i["model"] == model]
    assert model in {row["model"] for row in ask("status")}


def _mean(values: Iterator[float]) -> float:
    known = list(values)
    return sum(known) / len(known)


def _tree() -> dict[str, click.Command]:
    """Return every command by its whole name: `run`, `quarantine list`."""
    group: Any = typer.main.get_command(app)
    assert isinstance(group, Verbs)
    found: dict[str, click.Command] = {}
    for verb in VERBS:
        command = group.load(verb.name)
        found[verb.name] = command
        found |= {f"{verb.name} {name}": sub for name, sub in getattr(command, "commands", {}).items()}
    return found


def _options(command: click.Command) -> Iterator[str]:
    for parameter in command.params:
        if parameter.param_type_name == "option":
            yield from (o for o in (*parameter.opts, *parameter.secondary_opts) if o.startswith("--") and o != "--help")


def _understood(text: str, tree: Mapping[str, click.Command]) -> None:
    """Parse a command line of ours as the application would, without running it."""
    words_ = shlex.split(text)
    while words_ and ("=" in words_[0] or words_[0] == "sudo"):
        words_ = words_[1:]
    if words_[0] == "make":
        targets = re.findall(r"^([a-z-]+):", (REPOSITORY / "Makefile").read_text(), re.MULTILINE)
        assert {w for w in words_[1:] if "=" not in w} <= set(targets), text
    if words_[0] != "watchkeeper":
        return
    arguments = words_[1:]
    if arguments[:1] == ["--home"]:
        arguments = arguments[2:]
    name = next(n for n in (" ".join(arguments[:2]), arguments[0]) if n in tree)
    tree[name].make_context(name, arguments[len(name.split()) :])


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.stem)
def test_every_command_that_is_shown_exists_with_its_options(page: Path) -> None:
    tree = _tree()
    for command in commands(page):
        try:
            _understood(command.text, tree)
        except click.ClickException as error:
            pytest.fail(f"$ {command.text}: {error.format_message()}")


def test_every_command_and_every_option_is_documented() -> None:
    text = "\n".join(p.read_text(encoding="utf-8") for p in PAGES)
    silent = [f"watchkeeper {name}" for name in _tree() if f"watchkeeper {name}" not in text]
    silent += sorted({o for command in _tree().values() for o in _options(command) if not re.search(rf"{o}(?![\w-])", text)})
    assert not silent


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.stem)
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    broken = [link for link in _LINK.findall(page.read_text(encoding="utf-8")) if not (page.parent / link).exists()]
    assert not broken


def test_every_page_is_reached_from_the_readme() -> None:
    reached = {(REPOSITORY / link).resolve() for link in _LINK.findall((REPOSITORY / "README.md").read_text(encoding="utf-8"))}
    assert {p.name for p in PAGES[1:]} <= {r.name for r in reached}


def _keys(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    for name, field in model.model_fields.items():
        key = f"{prefix}{field.alias or name}"
        parts = [a for a in _arguments(field.annotation) if isinstance(a, type) and issubclass(a, BaseModel)]
        if parts:
            yield from (k for part in parts for k in _keys(part, f"{key}."))
        else:
            yield key


def _arguments(annotation: Any) -> Iterator[Any]:
    yield annotation
    for argument in getattr(annotation, "__args__", ()):
        yield from _arguments(argument)


@pytest.mark.parametrize(("heading", "model"), [("The monitor file", monitor.Monitor), ("The workspace file", workspace.Workspace)])
def test_the_key_tables_list_exactly_the_keys_there_are(heading: str, model: type[BaseModel]) -> None:
    text = (REPOSITORY / "docs" / "monitor-file.md").read_text(encoding="utf-8")
    section = text.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    assert re.findall(r"^\| `([^`]+)` \|", section, re.MULTILINE) == list(_keys(model))


def test_the_key_tables_show_the_defaults_there_are() -> None:
    text = (REPOSITORY / "docs" / "monitor-file.md").read_text(encoding="utf-8")
    shown = dict(re.findall(r"^\| `([^`]+)` \| ([^|]*?) \|", text, re.MULTILINE))
    plain = {"window": "day", "environment": "production", "threshold": "0.5", "positive": "1", "id_scope": "90d", "keep": "800d", "timezone": "UTC"}
    defaults = monitor.Monitor.model_fields
    for key, said in plain.items():
        value = defaults[key].default
        assert said == shown[key].strip("`") if key != "timezone" else True
        assert parse_duration(said) == value if said.endswith("d") else str(value) == said
