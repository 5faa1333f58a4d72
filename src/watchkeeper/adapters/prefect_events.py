"""Incidents as Prefect events, so that automations and pagers can answer them.

Belongs here: the event's shape and its delivery. Does not: flows (flows/), starting a training run (training.py).
The event is posted to the API and acknowledged by it; `emit_event` hands it to a background thread and tells nobody
when it was lost. Its id comes from the action's key, so an event sent twice is one event.
"""

import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from watchkeeper.errors import DeliveryError, WatchkeeperError

TIMEOUT_S = 10.0
_NAMESPACE = uuid.UUID("6f1d1a52-6f0e-5a52-9c39-0d6d5a7f2b11")


def emit(name: str, *, api_url: str, key: str, occurred_at: datetime, model: str, severity: str, payload: Mapping[str, Any]) -> str:
    """Post one event about a model to Prefect and return its id.

    Raises:
        DeliveryError: Prefect refused it or could not be reached.

    """
    event_id = uuid.uuid5(_NAMESPACE, key)
    resource = {"prefect.resource.id": f"watchkeeper.model.{model}", "prefect.resource.name": model, "watchkeeper.severity": severity}
    related = [{"prefect.resource.id": f"watchkeeper.incident.{payload.get('incident_id', '')}", "prefect.resource.role": "incident"}]
    content = {"idempotency_key": key, **payload}
    event = {"id": str(event_id), "event": name, "occurred": occurred_at.isoformat(), "resource": resource, "related": related, "payload": content}
    with client(api_url) as prefect:
        prefect.request("POST", "/events", json=[event])
    return str(event_id)


@contextmanager
def client(api_url: str) -> Iterator[Any]:
    """Yield Prefect's client for the API at `api_url`; what goes wrong inside becomes a DeliveryError.

    Its own retries are off: the outbox is the one place that repeats.
    """
    if not api_url:
        raise DeliveryError("no API is configured.", where="Prefect", then="Set PREFECT_API_URL.")
    from prefect.client.orchestration import get_client
    from prefect.settings import PREFECT_API_REQUEST_TIMEOUT, PREFECT_API_URL, PREFECT_CLIENT_MAX_RETRIES, temporary_settings

    try:
        with (
            temporary_settings({PREFECT_API_URL: api_url, PREFECT_CLIENT_MAX_RETRIES: 0, PREFECT_API_REQUEST_TIMEOUT: TIMEOUT_S}),
            get_client(sync_client=True) as found,
        ):
            yield found
    except WatchkeeperError:
        raise
    except Exception as error:  # Prefect and httpx raise a dozen unrelated classes here
        raise DeliveryError(_said(error), where="Prefect", then="It is tried again at the next run.") from error


def _said(error: Exception) -> str:
    """Return what went wrong in one line without addresses, which may hold credentials."""
    response = getattr(error, "response", None)
    status = getattr(response, "status_code", None)
    return f"answered {status}." if status else f"no answer ({type(error).__name__})."
