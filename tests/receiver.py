"""An HTTP server on a free loopback port that writes down every request and answers as told.

Belongs here: requests, answers, faults on demand. Does not: how Slack answers (slack_standin.py).
"""

import json
import threading
from collections import deque
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qs


@dataclass
class Request:
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def content(self) -> Any:
        if self.headers.get("content-type", "").startswith("application/json"):
            return json.loads(self.body or b"{}")
        return {k: v[0] for k, v in parse_qs(self.body.decode()).items()}


@dataclass
class Answer:
    """`silent` closes the connection instead of answering; `is_processed` says whether the request took effect before."""

    status: int = 200
    content: Any = "ok"
    headers: dict[str, str] = field(default_factory=dict)
    silent: bool = False
    is_processed: bool = False


class Receiver:
    """Answers `faults` first, one a request, then `answer(request)`; `held` delays answers until `release` is set."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.faults: deque[Answer] = deque()
        self.arrived = threading.Event()
        self.release = threading.Event()
        self.release.set()
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.release.set()
        self._server.shutdown()
        self._server.server_close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def answer(self, request: Request) -> Answer:
        """Take the request in and answer it."""
        del request
        return Answer()

    def take(self, request: Request) -> Answer:
        with self._lock:
            self.requests.append(request)
            fault = self.faults.popleft() if self.faults else None
            if fault is None:
                return self.answer(request)
            if fault.is_processed:
                self.answer(request)
            return fault

    def _handler(receiver) -> type[BaseHTTPRequestHandler]:  # noqa: N805 - the handler's own self is the request
        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                answer = receiver.take(Request(self.path, {k.lower(): v for k, v in self.headers.items()}, body))
                receiver.arrived.set()
                receiver.release.wait(30)
                if answer.silent:
                    self.close_connection = True
                    return
                self._reply(answer)

            do_GET = do_POST  # noqa: N815 - the name that http.server calls

            def _reply(self, answer: Answer) -> None:
                is_text = isinstance(answer.content, str)
                content = answer.content.encode() if is_text else json.dumps(answer.content).encode()
                try:
                    self.send_response(answer.status)
                    kind = "text/plain" if is_text else "application/json"
                    for name, value in {"Content-Type": kind, "Content-Length": str(len(content)), **answer.headers}.items():
                        self.send_header(name, value)
                    self.end_headers()
                    self.wfile.write(content)
                except (BrokenPipeError, ConnectionResetError):
                    pass  # the client was killed or gave up, as tests want it to

            def log_message(self, *_: Any) -> None:
                pass

        return Handler
