"""Asking for a model to be trained again: a Prefect deployment, or an HTTP webhook.

Belongs here: the two calls. Does not: whether to ask (judgement/retraining.py).
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from watchkeeper.adapters import prefect_events, webhook
from watchkeeper.adapters.settings import Settings
from watchkeeper.errors import DeliveryError
from watchkeeper.monitor import Retraining


def start(rule: Retraining | None, parameters: Mapping[str, Any], *, settings: Settings, key: str, now: datetime) -> str:
    """Start training with `parameters` and return the flow run's id, or the webhook's answer; the same key starts it once.

    Raises:
        DeliveryError: refused, unreachable, or no longer configured.

    """
    if rule is None:
        raise DeliveryError(
            "is no longer configured.", where="retraining", then="Name retraining.deployment or retraining.webhook in the monitor file."
        )
    if rule.deployment:
        return _run(rule.deployment, parameters, settings.prefect_api_url, key)
    return webhook.post(rule.webhook or "", dict(parameters), secret=settings.training_secret or settings.webhook_secret, key=key, now=now)


def _run(deployment: str, parameters: Mapping[str, Any], api_url: str, key: str) -> str:
    with prefect_events.client(api_url):
        from prefect.deployments import run_deployment
        from prefect.exceptions import ObjectNotFound

        try:
            # as_subflow=False: the asking flow must neither wait for the training nor fail with it
            run = run_deployment(deployment, timeout=0, idempotency_key=key, parameters=dict(parameters), as_subflow=False)
        except ObjectNotFound as error:
            then = "Deploy it, or correct retraining.deployment in the monitor file."
            raise DeliveryError(f"deployment {deployment} does not exist.", where="Prefect", then=then) from error
    return str(run.id)  # type: ignore[union-attr]
