"""Slack: what is sent, within which limits, and what each of Slack's answers means."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from slack_standin import HOOK, TOKEN, Slack, broken, complaint_about, delivered_but_silent, rate_limited, refused
from watchkeeper.adapters import slack
from watchkeeper.adapters.settings import Settings
from watchkeeper.errors import DeliveryError
from watchkeeper.site.block_kit import blocks
from watchkeeper.site.message import Message

MESSAGE = Message(
    icon="🔴",
    title="flight_delays: 57 % late; 11 % expected",
    lead="Mon 22 April",
    facts=[("Labels", "907 of 985 (92 %)")],
    verdict=[("Likely cause", "unknown."), ("Do", "ask flight-ops.")],
    footer="`abc`, high, #flight-ops.",
    links=[("Incident", "https://docs.example/incidents/abc.html")],
)
ENDLESS = replace(MESSAGE, facts=[(f"Fact {n}", "value & more " * 400) for n in range(120)])


@pytest.fixture
def standin() -> Iterator[Slack]:
    with Slack() as server:
        yield server


def send(standin: Slack, message: Message = MESSAGE, **more: str) -> str:
    return slack.post(message, settings=standin.as_bot, channel=more.pop("channel", "#flight-ops"), key="key-1", **more)


def test_a_message_carries_blocks_a_fallback_and_its_key(standin: Slack):
    send(standin)
    sent = standin.messages[0]
    assert sent["text"] == "🔴 flight_delays: 57 % late; 11 % expected"
    assert [b["type"] for b in sent["blocks"]] == ["header", "section", "section", "context"]
    assert sent["metadata"]["event_payload"] == {"key": "key-1"}


def test_the_receipt_of_a_message_opens_its_thread_in_the_same_channel(standin: Slack):
    receipt = send(standin)
    send(standin, channel="#parcels", thread=receipt)
    assert receipt == "C000/1700000000.000000"
    assert (standin.messages[1]["thread_ts"], standin.messages[1]["channel"]) == ("1700000000.000000", "C000")


def test_a_webhook_takes_separate_messages_that_name_the_incident(standin: Slack):
    assert slack.post(MESSAGE, settings=standin.as_webhook, channel="#flight-ops", key="key-1", thread="C000/1.0") == "ok"
    assert "`abc`" in standin.hooked[0]["blocks"][-1]["elements"][0]["text"]
    assert "thread_ts" not in standin.hooked[0]


def test_an_endless_message_is_cut_to_what_slack_takes_and_says_what_is_missing(standin: Slack):
    send(standin, ENDLESS)
    slack.post(ENDLESS, settings=standin.as_webhook, channel="", key="key-2")
    said = "\n".join(b["text"]["text"] for b in standin.messages[0]["blocks"] if b["type"] == "section")
    assert "more lines left out; the rest is on <https://docs.example/incidents/abc.html|Incident>" in said
    assert "characters left out; the rest is on" in said
    assert "*Do:* ask flight-ops." in said
    assert len(standin.messages) == len(standin.hooked) == 1
    assert len(standin.requests) == 2


def test_the_stand_in_refuses_what_slack_refuses():
    section = {"type": "section", "text": {"type": "mrkdwn", "text": "x"}}
    assert complaint_about({"text": "t", "blocks": [section] * 50}) == ""
    assert complaint_about({"text": "t", "blocks": [section] * 51}) == "invalid_blocks"
    assert complaint_about({"text": "t", "blocks": [{"type": "section", "text": {"type": "mrkdwn", "text": "x" * 3001}}]}) == "invalid_blocks"
    assert complaint_about({"text": "t" * 40_001}) == "msg_too_long"


@pytest.mark.parametrize("code", ["invalid_blocks", "msg_too_long", "msg_blocks_too_long"])
def test_a_message_whose_form_is_refused_goes_out_as_plain_text(standin: Slack, code: str):
    standin.faults.append(refused(code))
    send(standin)
    assert "blocks" not in standin.messages[0]
    assert "ask flight-ops" in standin.messages[0]["text"]
    assert "`abc`" in standin.messages[0]["text"]


def test_a_rate_limit_names_its_wait(standin: Slack):
    standin.faults.append(rate_limited(17))
    with pytest.raises(DeliveryError) as caught:
        send(standin)
    assert caught.value.retry_after_s == 17.0
    assert standin.messages == []


def test_a_rate_limited_webhook_names_its_wait(standin: Slack):
    standin.faults.append(rate_limited(3))
    with pytest.raises(DeliveryError) as caught:
        slack.post(MESSAGE, settings=standin.as_webhook, channel="", key="k")
    assert caught.value.retry_after_s == 3.0


@pytest.mark.parametrize("status", [500, 503])
def test_a_broken_slack_is_a_delivery_error_and_is_asked_once(standin: Slack, status: int):
    standin.faults.append(broken(status))
    with pytest.raises(DeliveryError, match=r"Slack: "):
        send(standin)
    assert len(standin.requests) == 1


def test_silence_after_delivery_is_not_taken_for_success(standin: Slack):
    standin.faults.append(delivered_but_silent())
    with pytest.raises(DeliveryError, match="no answer"):
        send(standin)
    assert standin.keys() == ["key-1"]
    assert len(standin.requests) == 1


@pytest.mark.parametrize(
    ("code", "advice"), [("invalid_auth", "SLACK_BOT_TOKEN"), ("channel_not_found", r"alerts\.channel"), ("not_in_channel", "Invite the app")]
)
def test_a_refusal_says_how_to_mend_it(standin: Slack, code: str, advice: str):
    standin.faults.append(refused(code))
    with pytest.raises(DeliveryError, match=rf"answered {code}\. .*{advice}"):
        send(standin)


def test_a_wrong_token_and_a_wrong_channel_are_refused_by_name(standin: Slack):
    with pytest.raises(DeliveryError, match="invalid_auth"):
        slack.post(MESSAGE, settings=replace(standin.as_bot, slack_bot_token=TOKEN[::-1]), channel="#flight-ops", key="k")
    with pytest.raises(DeliveryError, match="channel_not_found"):
        send(standin, channel="#nowhere")
    with pytest.raises(DeliveryError, match="no channel is named"):
        send(standin, channel="")


def test_the_headline_of_an_old_message_is_replaced(standin: Slack):
    receipt = send(standin)
    slack.edit(replace(MESSAGE, icon="✅"), settings=standin.as_bot, receipt=receipt)
    assert standin.updates[0]["text"].startswith("✅")
    assert standin.updates[0]["blocks"][0]["text"]["text"].startswith("✅")


def test_a_message_that_people_deleted_does_not_stop_what_follows(standin: Slack):
    slack.edit(MESSAGE, settings=standin.as_bot, receipt="C000/1.1")
    slack.edit(MESSAGE, settings=standin.as_webhook, receipt="ok")
    assert standin.updates == []


def test_values_cannot_mention_people_or_forge_links():
    hostile = replace(MESSAGE, facts=[("Carrier", "<!channel> <https://evil|click> a&b")])
    said = blocks(hostile)[1]["text"]["text"]
    assert "&lt;!channel&gt; &lt;https://evil|click&gt; a&amp;b" in said


def test_check_names_the_workspace_or_says_what_is_wrong(standin: Slack):
    assert slack.check(standin.as_bot) == "Flights"
    with pytest.raises(DeliveryError, match="invalid_auth"):
        slack.check(replace(standin.as_bot, slack_bot_token=TOKEN[::-1]))
    with pytest.raises(DeliveryError, match="no answer"):
        slack.check(Settings(slack_bot_token=TOKEN, slack_api_url="http://127.0.0.1:1/"))


def test_no_error_text_holds_a_secret(standin: Slack, caplog: pytest.LogCaptureFixture):
    texts = []
    for settings in (standin.as_bot, standin.as_webhook):
        for fault in (broken(), rate_limited(9), refused("invalid_auth"), delivered_but_silent()):
            standin.faults.append(replace(fault, status=403) if fault.status == 200 and settings.slack_webhook_url else fault)
            with pytest.raises(DeliveryError) as caught:
                slack.post(MESSAGE, settings=settings, channel="#flight-ops", key="k")
            texts.append(str(caught.value) + repr(caught.value))
    seen = " ".join([*texts, caplog.text, repr(standin.as_bot), repr(standin.as_webhook)])
    assert len(texts) == 8
    assert TOKEN not in seen
    assert HOOK.rpartition("/")[2] not in seen
