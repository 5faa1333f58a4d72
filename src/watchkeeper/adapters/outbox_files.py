"""Messages as files, for workspaces without Slack.

Belongs here: writing one message to one file, whole or not at all. Does not: words (site/message.py).
"""

import os
import tempfile
from pathlib import Path

from watchkeeper.errors import DeliveryError


def write(folder: Path, name: str, text: str) -> str:
    """Write a message and return its file name; the same message again replaces itself.

    Raises:
        DeliveryError: the folder cannot be written.

    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _replace(folder / name, text.replace("\n", "  \n"))  # two spaces keep the lines apart where markdown is rendered
    except OSError as error:
        then = "Free space or correct its permissions; the message is tried again at the next run."
        raise DeliveryError(f"the message could not be written: {error.strerror}.", where=str(folder), then=then) from error
    return name


def _replace(path: Path, text: str) -> None:
    handle, aside = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(aside).chmod(0o644)
        Path(aside).replace(path)
    except BaseException:
        Path(aside).unlink(missing_ok=True)
        raise
