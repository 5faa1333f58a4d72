"""Files that readers never see half done: written aside in the same folder, then swapped in whole.

Belongs here: the swap. Does not: what is in the files (operations/publish.py, operations/pages.py).
"""

import errno
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from watchkeeper.errors import UnwritableError

_STALE_S = 3600.0
_REFUSALS = tuple(os.strerror(code) for code in (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EFBIG, errno.EIO))


def unwritable(error: Exception, where: str) -> UnwritableError:
    """Return in one sentence that a place cannot be written: what the system said, which libraries wrap in words of their own."""
    said = next((refusal for refusal in _REFUSALS if refusal in str(error)), str(error).splitlines()[0])
    return UnwritableError(f"cannot be written ({said})", where=where, then="Check its permissions, and the space left there.")


@contextmanager
def aside(path: Path) -> Iterator[Path]:
    """Yield a place to write to; what lies there afterwards replaces `path` at once, and nothing happens on an error.

    Whoever has the old file open keeps the old one. What killed writers left behind is removed after an hour.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    for left in path.parent.glob(f".{path.name}.*"):
        if time.time() - left.stat().st_mtime > _STALE_S:
            shutil.rmtree(left, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix=f".{path.name}.", dir=path.parent) as folder:
        written = Path(folder) / path.name
        yield written
        written.replace(path)


def write_whole(path: Path, content: str) -> bool:
    """Write a text file in one step and tell whether that changed it; one that holds the same already is left alone.

    Raises:
        UnwritableError: the folder or the disk refused; the old file stays.

    """
    if path.is_file() and path.read_text(encoding="utf-8") == content:
        return False
    write_bytes_whole(path, content.encode())
    return True


def write_bytes_whole(path: Path, content: bytes) -> None:
    """Write a file in one step.

    Raises:
        UnwritableError: the folder or the disk refused; the old file stays.

    """
    try:
        with aside(path) as written:
            written.write_bytes(content)
    except OSError as error:
        raise unwritable(error, str(path)) from error
