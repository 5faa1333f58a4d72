"""A server that answers like Slack: chat.postMessage, chat.update, auth.test and incoming webhooks.

Belongs here: what Slack accepts and how it refuses. Does not: the plain recording server (receiver.py).
"""

from typing import Any

from receiver import Answer, Receiver, Request
from watchkeeper.adapters.settings import Settings

TOKEN = "xoxb-secret-token"  # noqa: S105 - a made-up one
HOOK = "/services/T0/B0/hook-secret"


def rate_limited(seconds: float) -> Answer:
    return Answer(429, {"ok": False, "error": "ratelimited"}, {"Retry-After": str(seconds)})


def broken(status: int = 500) -> Answer:
    return Answer(status, "upstream connect error")


def delivered_but_silent() -> Answer:
    return Answer(silent=True, is_processed=True)


def refused(code: str) -> Answer:
    return Answer(200, {"ok": False, "error": code})


class Slack(Receiver):
    """Keeps what arrived in `messages`, edits in `updates`, webhook messages in `hooked`."""

    def __init__(self, channels: tuple[str, ...] = ("#flight-ops", "#parcels")) -> None:
        super().__init__()
        self.channels = {name: f"C{number:03}" for number, name in enumerate(channels)}
        self.messages: list[dict[str, Any]] = []
        self.updates: list[dict[str, Any]] = []
        self.hooked: list[dict[str, Any]] = []
        self._failing = ""

    def fail_on(self, method: str) -> None:
        """Answer 500 to every call of a method until another is named; to none by an empty name."""
        self._failing = method

    @property
    def as_bot(self) -> Settings:
        return Settings(slack_bot_token=TOKEN, slack_api_url=f"{self.url}/api/")

    @property
    def as_webhook(self) -> Settings:
        return Settings(slack_webhook_url=f"{self.url}{HOOK}")

    def keys(self) -> list[str]:
        """The idempotency key of each message, in the order of arrival."""
        return [m["metadata"]["event_payload"]["key"] for m in self.messages + self.hooked]

    def answer(self, request: Request) -> Answer:
        if request.path == HOOK:
            return self._hook(request.content)
        if request.headers.get("authorization") != f"Bearer {TOKEN}":
            return refused("invalid_auth")
        method = request.path.removeprefix("/api/")
        if method == self._failing:
            return broken()
        handler = {"chat.postMessage": self._post, "chat.update": self._update, "auth.test": self._auth}.get(method)
        return handler(request.content) if handler else refused("unknown_method")

    def _hook(self, content: dict[str, Any]) -> Answer:
        complaint = complaint_about(content)
        if complaint:
            return Answer(400, complaint)
        self.hooked.append(content)
        return Answer(200, "ok")

    def _post(self, content: dict[str, Any]) -> Answer:
        channel = self.channels.get(content["channel"]) or (content["channel"] if content["channel"] in self.channels.values() else None)
        complaint = "channel_not_found" if channel is None else complaint_about(content)
        if complaint:
            return refused(complaint)
        ts = f"1700000000.{len(self.messages):06}"
        self.messages.append({**content, "channel": channel, "ts": ts})
        return Answer(200, {"ok": True, "channel": channel, "ts": ts})

    def _update(self, content: dict[str, Any]) -> Answer:
        if not any(m["ts"] == content["ts"] and m["channel"] == content["channel"] for m in self.messages):
            return refused("message_not_found")
        complaint = complaint_about(content)
        if complaint:
            return refused(complaint)
        self.updates.append(content)
        return Answer(200, {"ok": True, "channel": content["channel"], "ts": content["ts"]})

    def _auth(self, _: dict[str, Any]) -> Answer:
        return Answer(200, {"ok": True, "team": "Flights", "user": "watchkeeper"})


def complaint_about(content: dict[str, Any]) -> str:
    """Return Slack's error code for a message that breaks its limits, empty when it does not."""
    blocks = content.get("blocks", [])
    if len(content.get("text", "")) > 40_000:
        return "msg_too_long"
    if not blocks and not content.get("text"):
        return "no_text"
    if len(blocks) > 50 or any(_is_invalid(b) for b in blocks):
        return "invalid_blocks"
    if sum(len(_text(b)) for b in blocks) > 13_200:
        return "msg_blocks_too_long"
    return ""


def _text(block: dict[str, Any]) -> str:
    return "".join(e["text"] for e in block["elements"]) if block["type"] == "context" else str(block["text"]["text"])


def _is_invalid(block: dict[str, Any]) -> bool:
    limit = {"header": 150, "section": 3000, "context": 3000}.get(block["type"], 0)
    kind = block["text"]["type"] if "text" in block else "mrkdwn"
    return not 0 < len(_text(block)) <= limit or (block["type"] == "header") != (kind == "plain_text")
