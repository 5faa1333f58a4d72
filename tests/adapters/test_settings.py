"""What the environment says, and that its secrets stay there."""

import os

from watchkeeper.adapters.settings import TELEMETRY_OFF, Settings, child_environment

VARIABLES = {
    "SLACK_BOT_TOKEN": "xoxb-hunter2",
    "SLACK_WEBHOOK_URL": "https://hooks.example.com/hunter2",
    "WATCHKEEPER_WEBHOOK_URL": "https://pager.example.com/hunter2",
    "WATCHKEEPER_WEBHOOK_SECRET": "hunter2",
    "WATCHKEEPER_TRAINING_SECRET": "hunter2",
    "AWS_SECRET_ACCESS_KEY": "hunter2",
    "PREFECT_API_URL": "http://127.0.0.1:4200/api",
    "UNRELATED": "x",
}


def test_secrets_never_show():
    settings = Settings.from_environment(VARIABLES)
    assert "hunter2" not in repr(settings)
    assert "hunter2" not in f"{settings}"
    assert (settings.slack_bot_token, settings.storage_options) == ("xoxb-hunter2", {"AWS_SECRET_ACCESS_KEY": "hunter2"})


def test_nothing_said_is_nothing_configured():
    settings = Settings.from_environment({})
    assert (settings.home, settings.slack_bot_token, settings.prefect_api_url) == (None, "", "")
    assert settings.slack_api_url == "https://slack.com/api/"


def test_telemetry_is_off_here_and_in_children():
    assert {name: os.environ.get(name) for name in TELEMETRY_OFF} == TELEMETRY_OFF
    assert TELEMETRY_OFF.items() <= child_environment().items()
    assert child_environment(PREFECT_API_URL="x")["PREFECT_API_URL"] == "x"
