"""Signed POSTs, Prefect events and training triggers, against servers that write down what arrives."""

import hashlib
import hmac
import json
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from receiver import Answer, Receiver, Request
from watchkeeper.adapters import prefect_events, training, webhook
from watchkeeper.adapters.settings import Settings
from watchkeeper.errors import DeliveryError
from watchkeeper.monitor import Retraining

NOW = datetime(2025, 3, 4, 6, tzinfo=UTC)
SECRET = "s3cret"  # noqa: S105 - a made-up one
DEPLOYMENT = {
    "id": str(uuid.UUID(int=1)),
    "created": NOW.isoformat(),
    "updated": NOW.isoformat(),
    "name": "parcels",
    "flow_id": str(uuid.UUID(int=2)),
}


class Prefect(Receiver):
    """Answers the three routes used here, and starts one run an idempotency key."""

    def __init__(self) -> None:
        super().__init__()
        self.events: list[dict[str, object]] = []
        self.runs: dict[str, str] = {}

    def answer(self, request: Request) -> Answer:
        if request.path == "/api/events":
            self.events += request.content
            return Answer(204, "")
        if request.path == "/api/deployments/name/train/parcels":
            return Answer(200, DEPLOYMENT)
        if request.path.endswith("/create_flow_run"):
            run = self.runs.setdefault(request.content["idempotency_key"], str(uuid.UUID(int=len(self.runs) + 10)))
            return Answer(201, {"id": run, "created": NOW.isoformat(), "updated": NOW.isoformat(), "name": "r", "flow_id": DEPLOYMENT["flow_id"]})
        return Answer(404, {"detail": "no such route"})


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as server:
        yield server


@pytest.fixture
def prefect() -> Iterator[Prefect]:
    with Prefect() as server:
        yield server


def test_a_receiver_can_verify_the_body_and_its_time(receiver: Receiver):
    assert webhook.post(f"{receiver.url}/hook", {"headline": "57 % späte"}, secret=SECRET, key="k1", now=NOW) == "200 ok"
    got = receiver.requests[0]
    expected = hmac.new(SECRET.encode(), str(int(NOW.timestamp())).encode() + b"." + got.body, hashlib.sha256).hexdigest()
    assert got.headers["x-watchkeeper-signature"] == f"sha256={expected}"
    assert got.headers["x-watchkeeper-timestamp"] == "1741068000"
    assert got.headers["idempotency-key"] == "k1"
    assert got.content == {"headline": "57 % späte"}


def test_without_a_secret_there_is_no_signature(receiver: Receiver):
    webhook.post(receiver.url, {}, secret="", key="k1", now=NOW)
    assert "x-watchkeeper-signature" not in receiver.requests[0].headers


@pytest.mark.parametrize(
    ("answer", "said"), [(Answer(500), "answered 500"), (Answer(401), "Check the address and the secret"), (Answer(silent=True), "no answer")]
)
def test_a_failed_post_says_where_without_the_path(receiver: Receiver, answer: Answer, said: str):
    receiver.faults.append(answer)
    with pytest.raises(DeliveryError, match=said) as caught:
        webhook.post(f"{receiver.url}/hook/hidden?token=hidden", {}, secret=SECRET, key="k1", now=NOW)
    assert "webhook at 127.0.0.1" in str(caught.value)
    assert "hidden" not in repr(caught.value) + str(caught.value)


def test_a_receiver_that_hangs_is_given_up(receiver: Receiver):
    receiver.release.clear()
    with pytest.raises(DeliveryError, match="timed out"):
        webhook.post(receiver.url, {}, secret="", key="k1", now=NOW, timeout_s=0.2)


def test_a_webhook_names_its_wait(receiver: Receiver):
    receiver.faults.append(Answer(429, "slow down", {"Retry-After": "7"}))
    with pytest.raises(DeliveryError) as caught:
        webhook.post(receiver.url, {}, secret="", key="k1", now=NOW)
    assert caught.value.retry_after_s == 7.0


def test_an_address_that_is_no_web_address_is_refused():
    with pytest.raises(DeliveryError, match="not an http or https address"):
        webhook.post("file:///etc/passwd", {}, secret="", key="k1", now=NOW)


def test_an_event_names_the_model_and_is_the_same_event_when_repeated(prefect: Prefect):
    for _ in range(2):
        prefect_events.emit(
            "watchkeeper.incident.opened",
            api_url=f"{prefect.url}/api",
            key="k1",
            occurred_at=NOW,
            model="parcels",
            severity="high",
            payload={"incident_id": "i1"},
        )
    first, second = prefect.events
    assert first == second
    assert (first["event"], first["occurred"], first["payload"]) == (
        "watchkeeper.incident.opened",
        "2025-03-04T06:00:00+00:00",
        {"idempotency_key": "k1", "incident_id": "i1"},
    )
    assert first["resource"] == {
        "prefect.resource.id": "watchkeeper.model.parcels",
        "prefect.resource.name": "parcels",
        "watchkeeper.severity": "high",
    }


def test_the_posted_event_is_one_that_prefect_accepts(prefect: Prefect):
    from prefect.events.schemas.events import Event

    prefect_events.emit(
        "watchkeeper.incident.opened", api_url=f"{prefect.url}/api", key="k", occurred_at=NOW, model="parcels", severity="high", payload={}
    )
    assert Event.model_validate(prefect.events[0]).resource.id == "watchkeeper.model.parcels"


def test_prefect_that_is_down_or_refuses_is_a_delivery_error(prefect: Prefect):
    prefect.faults.append(Answer(500, {"detail": "broken"}))
    for api_url, said in ((f"{prefect.url}/api", "answered 500"), ("http://127.0.0.1:1/api", "no answer"), ("", "PREFECT_API_URL")):
        with pytest.raises(DeliveryError, match=said):
            prefect_events.emit("x", api_url=api_url, key="k", occurred_at=NOW, model="m", severity="high", payload={})


def test_a_deployment_is_run_once_for_a_key(prefect: Prefect):
    settings, parameters = (
        Settings(prefect_api_url=f"{prefect.url}/api"),
        {"model": "parcels", "reason": "late", "incident_id": "i1", "window": ["a", "b"]},
    )
    rule = Retraining(deployment="train/parcels")
    ids = {training.start(rule, parameters, settings=settings, key="k1", now=NOW) for _ in range(2)}
    created = [r.content for r in prefect.requests if r.path.endswith("/create_flow_run")]
    assert ids == {str(uuid.UUID(int=10))}
    assert [(c["idempotency_key"], c["parameters"]) for c in created] == [("k1", parameters)] * 2


def test_a_deployment_that_does_not_exist_is_a_delivery_error(prefect: Prefect):
    with pytest.raises(DeliveryError, match=r"deployment train/nothing does not exist"):
        training.start(Retraining(deployment="train/nothing"), {}, settings=Settings(prefect_api_url=f"{prefect.url}/api"), key="k", now=NOW)


def test_a_training_webhook_is_signed_with_its_own_secret(receiver: Receiver):
    settings = Settings(training_secret=SECRET, webhook_secret=SECRET[::-1])
    training.start(Retraining(webhook=receiver.url), {"model": "parcels"}, settings=settings, key="k1", now=NOW)
    got = receiver.requests[0]
    assert json.loads(got.body) == {"model": "parcels"}
    assert got.headers["x-watchkeeper-signature"] == webhook.sign(got.body, secret=SECRET, timestamp=int(NOW.timestamp()))


def test_retraining_that_is_no_longer_configured_says_so():
    with pytest.raises(DeliveryError, match="no longer configured"):
        training.start(None, {}, settings=Settings(), key="k", now=NOW)
