"""The pages of a workspace, served to this machine alone.

Belongs here: a static file server on loopback. Does not: what the pages say (site/).
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http import HTTPStatus
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

LOOPBACK = "127.0.0.1"
METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"
"""What Prometheus must be told of the file `metrics`, or it refuses to read it."""


class _Pages(SimpleHTTPRequestHandler):
    """Serves files, lists no folders, logs nothing, and is never cached, since pages change under the same name."""

    error_message_format = "<!doctype html><meta charset=utf-8><title>No page</title><p>%(explain)s</p>"

    def end_headers(self) -> None:
        self.send_header("Cache-Control", "no-store")
        super().end_headers()

    def list_directory(self, path: Any) -> None:  # noqa: ARG002 - the base's signature
        self.send_error(
            HTTPStatus.NOT_FOUND, explain="No page here yet. Pages appear after the first run: start one in Prefect, or run `watchkeeper run`."
        )

    def guess_type(self, path: Any) -> str:
        return METRICS_TYPE if Path(path).name == "metrics" else super().guess_type(path)

    def log_message(self, *words: Any) -> None:
        pass


@contextmanager
def serving(folder: Path, port: int) -> Iterator[str]:
    """Serve the files of `folder` on loopback while the body runs; yields the address. Port 0 takes a free one."""
    folder.mkdir(parents=True, exist_ok=True)
    server = ThreadingHTTPServer((LOOPBACK, port), partial(_Pages, directory=str(folder)))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.1,), name="pages", daemon=True)
    thread.start()
    try:
        yield f"http://{LOOPBACK}:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
