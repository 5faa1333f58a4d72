"""One action of the outbox, carried to where it goes.

Belongs here: which adapter takes which target, and short waits that a receiver asks for. Does not: what is due, and when
it is tried again (judgement/outbox.py), or what is said (site/).
"""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from watchkeeper.adapters import outbox_files, prefect_events, slack, training, webhook
from watchkeeper.adapters.settings import Settings
from watchkeeper.errors import DeliveryError
from watchkeeper.monitor import Retraining
from watchkeeper.records import Action
from watchkeeper.site.message import Message, text

LONGEST_WAIT_S = 5.0
TRIES = 3
_EVENTS = {"open": "opened", "update": "updated", "resolve": "resolved", "digest": "published"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Posting:
    """An action to deliver, with what it needs to know: the message that opened its thread, what that says once this is told, and how training starts."""

    action: Action
    now: datetime
    opener: Action | None = None
    reworded: Message | None = None
    retraining: Retraining | None = None


Post = Callable[[Posting], str]


def targets(settings: Settings) -> list[str]:
    """Return where messages go: Slack or files, and besides a webhook and Prefect where they are configured."""
    people = "slack" if settings.slack_bot_token or settings.slack_webhook_url else "file"
    return [people, *(["webhook"] if settings.webhook_url else []), *(["event"] if settings.prefect_api_url else [])]


def has_channels(settings: Settings) -> bool:
    """Tell whether a message to Slack reaches the channel that it names: a webhook has one channel of its own."""
    return bool(settings.slack_bot_token)


def courier(settings: Settings, folder: Path) -> Post:
    """Return the function that delivers a posting and returns its receipt; it raises DeliveryError."""

    def post(posting: Posting) -> str:
        return _patiently(lambda: _deliver(posting, settings, folder))

    return post


def _deliver(posting: Posting, settings: Settings, folder: Path) -> str:
    action, content = posting.action, json.loads(posting.action.payload)
    if action.target == "training":
        return training.start(posting.retraining, content, settings=settings, key=action.action_id, now=posting.now)
    if action.target == "webhook":
        return _to_webhook(posting, content, settings)
    if action.target == "event":
        return _to_prefect(action, content, settings)
    message = Message.from_dict(content["message"])
    if action.target == "slack":
        return _to_slack(posting, message, content["channel"], settings)
    return outbox_files.write(folder, content["file"], text(message))


def _to_slack(posting: Posting, message: Message, channel: str, settings: Settings) -> str:
    action, opener = posting.action, posting.opener
    if opener is not None and posting.reworded is not None:
        # before the reply: repeating an edit is harmless, repeating a reply is not
        slack.edit(posting.reworded, settings=settings, receipt=opener.receipt)
    return slack.post(message, settings=settings, channel=channel, key=action.action_id, thread=opener.receipt if opener else "")


def _to_webhook(posting: Posting, content: dict[str, Any], settings: Settings) -> str:
    if not settings.webhook_url:
        raise DeliveryError("is no longer configured.", where="webhook", then="Set WATCHKEEPER_WEBHOOK_URL.")
    return webhook.post(
        settings.webhook_url, _notice(posting.action, content), secret=settings.webhook_secret, key=posting.action.action_id, now=posting.now
    )


def _to_prefect(action: Action, content: dict[str, Any], settings: Settings) -> str:
    return prefect_events.emit(
        f"watchkeeper.{'digest' if action.kind == 'digest' else 'incident'}.{_EVENTS[action.kind]}",
        api_url=settings.prefect_api_url,
        key=action.action_id,
        occurred_at=action.at,
        model=action.model,
        severity=content["severity"],
        payload=_notice(action, content),
    )


def _notice(action: Action, content: dict[str, Any]) -> dict[str, Any]:
    """Return what machines are told: the same words, with the fields they route by."""
    message = Message.from_dict(content["message"])
    return {
        "key": action.action_id,
        "kind": action.kind,
        "incident_id": action.incident_id,
        "model": action.model,
        "severity": content["severity"],
        "channel": content["channel"],
        "headline": message.title,
        "text": text(message),
        "links": dict(message.links),
        "at": action.at.isoformat(),
    }


def _patiently(deliver: Callable[[], str]) -> str:
    """Deliver; where the receiver asks for a wait of a few seconds, wait and try again here."""
    for _ in range(TRIES - 1):
        try:
            return deliver()
        except DeliveryError as error:
            if error.retry_after_s is None or error.retry_after_s > LONGEST_WAIT_S:
                raise
            time.sleep(error.retry_after_s)
    return deliver()
