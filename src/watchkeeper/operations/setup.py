"""Makes a workspace.

Belongs here: the one action behind `watchkeeper init`. Does not: the files it lays out (templates/), or adding models (add.py).
"""

from pathlib import Path

from watchkeeper.adapters.monitor_files import mistakes, understand
from watchkeeper.adapters.scaffold import lay_out
from watchkeeper.adapters.yaml_lines import Document
from watchkeeper.errors import UsageError
from watchkeeper.workspace import Workspace


def init(root: Path, *, name: str, timezone: str) -> list[Path]:
    """Make a workspace in `root`; return what was made, relative to it.

    Raises:
        UsageError: the time zone is not one, or the folder is a file.
        ConfigurationError: something of it is there already.

    """
    if root.exists() and not root.is_dir():
        raise UsageError("is a file, not a folder", where=str(root), then="Name a folder.")
    workspace, problems = understand(Workspace, Document("init", {"name": name, "timezone": timezone}))
    if workspace is None:
        raise mistakes(problems)
    return lay_out(root, name=name, timezone=timezone)
