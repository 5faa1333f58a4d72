"""Gzip and zstd: bytes as they were before.

Belongs here: unpacking, and that what is cut off is told of. Does not: which bytes are packed (files.py by their names, otlp.py by how they begin).
"""

import pyarrow as pa

from watchkeeper.errors import UnreadableError


def unpack(data: bytes, packing: str, name: str, *, most: int | None = None) -> bytes:
    """Return bytes as they were before `packing` (gzip or zstd), of many the first `most` alone.

    Raises:
        UnreadableError: they are cut off, or no such data.

    """
    try:
        with pa.input_stream(pa.py_buffer(data), compression=packing) as stream:
            found: bytes = stream.read(most)
    except (OSError, EOFError) as error:
        raise UnreadableError(f"is not whole {packing} data", where=name, then="Copy it again.") from error
    return found
