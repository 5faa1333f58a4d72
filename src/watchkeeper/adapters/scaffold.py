"""New files of a workspace: the package's templates laid out, and drafts written, never over what is there.

Belongs here: creating files that people will own. Does not: what a draft says (operations/draft.py).
"""

import json
from collections.abc import Iterator
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

from watchkeeper.adapters.workspace import WORKSPACE_FILE
from watchkeeper.errors import ConfigurationError

_FOLDERS = ("inbox", "expectations")
_FILLED = {WORKSPACE_FILE, "README.md"}
_RENAMED = {"gitignore": ".gitignore"}


def lay_out(root: Path, *, name: str, timezone: str) -> list[Path]:
    """Make a workspace in `root` from the templates; return what was made, relative to it.

    Raises:
        ConfigurationError: one of its files is there already; then nothing is written.

    """
    planned = {Path(_RENAMED.get(path, path)): _text(path, source, name, timezone) for path, source in _templates(files("watchkeeper") / "templates")}
    taken = sorted(str(path) for path in planned if (root / path).exists())
    if taken:
        raise ConfigurationError(f"already has {', '.join(taken)}, and nothing is overwritten", where=str(root), then="Name another folder.")
    for path, text in planned.items():
        create(root / path, text)
    for folder in _FOLDERS:
        (root / folder).mkdir(exist_ok=True)
    return sorted([*planned, *(Path(folder) for folder in _FOLDERS)])


def create(path: Path, text: str) -> None:
    """Write a new file, and the folders above it.

    Raises:
        ConfigurationError: the file is there already, or cannot be written.

    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError as error:
        raise ConfigurationError(
            "is there already, and nothing is overwritten", where=str(path), then="Remove it first, or choose another name."
        ) from error
    except OSError as error:
        raise ConfigurationError(f"cannot be written ({error.strerror})", where=str(path)) from error


def _templates(folder: Traversable, above: str = "") -> Iterator[tuple[str, Traversable]]:
    for item in folder.iterdir():
        if item.is_dir():
            yield from _templates(item, f"{above}{item.name}/")
        elif not item.name.endswith((".py", ".pyc")):
            yield f"{above}{item.name}", item


def _text(path: str, source: Traversable, name: str, timezone: str) -> str:
    text = source.read_text(encoding="utf-8")
    said = json.dumps(name, ensure_ascii=False) if path.endswith(".yaml") else name
    return text.format(name=said, timezone=timezone) if path in _FILLED else text
