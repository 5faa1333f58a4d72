"""Slack, through slack-sdk: one message into a channel or a thread, and the new headline of an old one.

Belongs here: the calls, and what Slack's answers mean. Does not: the form (site/block_kit.py), when to try again
(judgement/outbox.py). slack-sdk's own retries are off: the outbox is the one place that repeats.
"""

import logging
from collections.abc import Callable
from typing import Any

from slack_sdk import WebClient, WebhookClient
from slack_sdk.errors import SlackApiError, SlackClientError

from watchkeeper.adapters.settings import Settings
from watchkeeper.adapters.webhook import seconds
from watchkeeper.errors import DeliveryError
from watchkeeper.site import block_kit
from watchkeeper.site.message import Message

TIMEOUT_S = 10
_REFUSED_FORM = ("invalid_blocks", "invalid_blocks_format", "msg_too_long", "msg_blocks_too_long", "no_text")
_GONE = ("message_not_found", "cant_update_message", "edit_window_closed", "thread_not_found")
_ADVICE = {
    "invalid_auth": "Set SLACK_BOT_TOKEN to the token of an installed app.",
    "not_authed": "Set SLACK_BOT_TOKEN to the token of an installed app.",
    "account_inactive": "Set SLACK_BOT_TOKEN to the token of an installed app.",
    "token_revoked": "Set SLACK_BOT_TOKEN to the token of an installed app.",
    "missing_scope": "Give the app the scope chat:write.",
    "channel_not_found": "Name an existing channel in alerts.routes, alerts.channel or owner, or invite the app to it.",
    "not_in_channel": "Invite the app to the channel.",
    "is_archived": "Name a channel that is not archived.",
}
_OK = 200
_LOG = logging.getLogger("watchkeeper.slack")
_LOG.setLevel(logging.CRITICAL)  # slack-sdk would log addresses, which hold the webhook's secret, and what we raise anyway


def post(message: Message, *, settings: Settings, channel: str, key: str, thread: str = "") -> str:
    """Send a message and return the receipt to thread under: `channel/ts` with a bot token, `ok` with a webhook.

    Raises:
        DeliveryError: Slack refused it, asked to wait, or could not be reached.

    """
    if settings.slack_bot_token:
        return _post_as_bot(message, settings, channel, key, thread)
    if settings.slack_webhook_url:
        return _post_to_webhook(message, settings, key)
    raise DeliveryError("is no longer configured.", where="Slack", then="Set SLACK_BOT_TOKEN or SLACK_WEBHOOK_URL.")


def edit(message: Message, *, settings: Settings, receipt: str) -> None:
    """Replace a message sent earlier; one that is gone, or was sent through a webhook, is left as it is.

    Raises:
        DeliveryError: as `post`.

    """
    channel, _, ts = receipt.partition("/")
    if not ts or not settings.slack_bot_token:
        return
    try:
        _client(settings).chat_update(channel=channel, ts=ts, text=block_kit.fallback(message), blocks=block_kit.blocks(message))
    except SlackApiError as error:
        if _code(error) not in _GONE + _REFUSED_FORM:
            raise _refused(error) from error
    except (SlackClientError, OSError) as error:
        raise _unreachable(error) from error


def check(settings: Settings) -> str:
    """Return the name of the workspace that the token belongs to.

    Raises:
        DeliveryError: the token is refused or Slack cannot be reached.

    """
    try:
        return str(_client(settings).auth_test()["team"])
    except SlackApiError as error:
        raise _refused(error) from error
    except (SlackClientError, OSError) as error:
        raise _unreachable(error) from error


def _client(settings: Settings) -> WebClient:
    base = settings.slack_api_url.rstrip("/") + "/"
    return WebClient(token=settings.slack_bot_token, base_url=base, timeout=TIMEOUT_S, retry_handlers=[], logger=_LOG)


def _post_as_bot(message: Message, settings: Settings, channel: str, key: str, thread: str) -> str:
    if not channel:
        then = "Name alerts.channel or owner in the monitor file, or slack.channel in watchkeeper.yaml."
        raise DeliveryError("no channel is named.", where="Slack", then=then)
    parent_channel, _, ts = thread.partition("/")
    target: dict[str, Any] = {"channel": parent_channel, "thread_ts": ts} if ts else {"channel": channel}

    def send(**form: Any) -> str:
        answer = _client(settings).chat_postMessage(**target, **form, metadata=_metadata(key), unfurl_links=False)
        return f"{answer['channel']}/{answer['ts']}"

    try:
        return _plainer_if_refused(send, message)
    except SlackApiError as error:
        raise _refused(error) from error
    except (SlackClientError, OSError) as error:
        raise _unreachable(error) from error


def _plainer_if_refused(send: Callable[..., str], message: Message) -> str:
    try:
        return send(text=block_kit.fallback(message), blocks=block_kit.blocks(message))
    except SlackApiError as error:
        if _code(error) not in _REFUSED_FORM:
            raise
        return send(text=block_kit.brief(message))


def _post_to_webhook(message: Message, settings: Settings, key: str) -> str:
    client = WebhookClient(settings.slack_webhook_url, timeout=TIMEOUT_S, retry_handlers=[], logger=_LOG)
    try:
        answer = client.send(text=block_kit.fallback(message), blocks=block_kit.blocks(message), metadata=_metadata(key))
        if answer.body in _REFUSED_FORM:
            answer = client.send(text=block_kit.brief(message), metadata=_metadata(key))
    except (SlackClientError, OSError) as error:
        raise _unreachable(error) from error
    if answer.status_code != _OK:
        raise _answered(answer.body if answer.body in (*_ADVICE, *_REFUSED_FORM) else str(answer.status_code), answer.headers)
    return "ok"


def _metadata(key: str) -> dict[str, Any]:
    """Carry the idempotency key, so that a message sent twice can be told from two messages."""
    return {"event_type": "watchkeeper", "event_payload": {"key": key}}


def _code(error: SlackApiError) -> str:
    body = error.response.data
    return str(body.get("error", "")) if isinstance(body, dict) else ""


def _refused(error: SlackApiError) -> DeliveryError:
    return _answered(_code(error) or str(error.response.status_code), error.response.headers)


def _answered(code: str, headers: Any) -> DeliveryError:
    then = _ADVICE.get(code, "It is tried again at the next run.")
    return DeliveryError(f"answered {code}.", where="Slack", then=then, retry_after_s=seconds(headers))


def _unreachable(error: Exception) -> DeliveryError:
    return DeliveryError(f"no answer ({type(error).__name__}).", where="Slack", then="It is tried again at the next run.")
