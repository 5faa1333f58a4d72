"""What `telemetry` in watchkeeper.yaml may say: a wrong word is told with its line and the nearest right one, a secret is refused."""

import json

import pytest

from watchkeeper.adapters.settings import Settings
from watchkeeper.adapters.tokens import authorization
from watchkeeper.adapters.workspace import find_home
from watchkeeper.errors import ConfigurationError

PAGE = "{name: a, scrape: 'http://gpu:9400/metrics'}"
QUERY = "{name: b, server: 'http://prom:9090', query: up, step: 30s}"


def read(tmp_path, telemetry):
    (tmp_path / "watchkeeper.yaml").write_text(f"name: w\ntelemetry:\n{telemetry}\n")
    return find_home(tmp_path).workspace.telemetry


def test_all_of_it_is_read(tmp_path):
    found = read(
        tmp_path, f"  files: [inbox/*.jsonl]\n  prometheus: [{PAGE}, {QUERY}]\n  export: {{textfile: a.prom, otlp: 'http://c:4318', bearer: c}}"
    )
    page, query = found.prometheus
    assert (page.scrape, query.query, query.step.total_seconds(), found.export.bearer) == ("http://gpu:9400/metrics", "up", 30, "c")
    assert not found.is_empty


def test_nothing_is_said_by_default(home):
    assert home.workspace.telemetry.is_empty
    assert home.workspace.telemetry.export.otlp is None


@pytest.mark.parametrize(
    ("telemetry", "why"),
    [
        ("  file: [a]", "unknown key 'file' (line 3): did you mean 'files'?"),
        ("  prometheus: [{name: a, scrap: 'http://x/m'}]", "unknown key 'scrap'"),
        ("  prometheus: [{name: a}]", "give either `scrape`, or `server` and `query`"),
        ("  prometheus: [{name: a, scrape: 'http://x/m', server: 'http://y'}]", "give either `scrape`, or `server` and `query`"),
        ("  prometheus: [{name: a, server: 'http://y'}]", "`server` and `query` go together"),
        ("  prometheus: [{name: a, scrape: 'http://x/m', query: up}]", "`query` is for a `server`; of a page `only` chooses"),
        ("  prometheus: [{name: a, server: 'http://x', query: up, only: [b]}]", "`only` is for a page"),
        ("  prometheus: [{name: a, scrape: 'http://x/m', step: 1m}]", "`step` and `lookback` are for a query"),
        ("  prometheus: [{name: a, server: 'http://x', query: up, step: 0.5s}]", "`step` is shorter than a second"),
        ("  prometheus: [{name: a, scrape: 'http://x/m', timeout: 1h}]", "`timeout` must lie between 1s and 5m"),
        ("  prometheus: [{name: a, scrape: 'ftp://x/m'}]", "is no web address"),
        ("  prometheus: [{name: a, scrape: 'http://me:hunter2@x/m'}]", ""),
        ("  export: {otlp: 'ftp://hunter2@x'}", "must not hold a user or password"),
        (f"  prometheus: [{PAGE}, {PAGE}]", "the name 'a' is taken"),
        ("  prometheus: [{name: otlp, scrape: 'http://x/m'}]", "the name 'otlp' is taken"),
        ("  export: {textfile: metrics.txt}", "does not end in .prom"),
        ("  export: {otlp: collector}", "is no web address"),
        ("  prometheus: [{name: a, scrape: 'http://x/m', token: hunter2}]", "looks like a secret"),
    ],
)
def test_a_mistake_is_one_clear_sentence(tmp_path, telemetry, why):
    with pytest.raises(ConfigurationError) as told:
        read(tmp_path, telemetry)
    assert why in str(told.value)
    assert str(told.value).startswith("watchkeeper.yaml: ")
    assert "hunter2" not in str(told.value)


TOKENS = [
    "ghp_16C7e42F292c6912E7710c838347Ae178B4a",
    "d41d8cd98f00b204e9800998ecf8427e",
    "d41d8cd98f00b204",
    "sk-proj-hunterhunter",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln",
    "4711hunter2",
    "hunter2/hunter2==",
    "x" * 41,
]


@pytest.mark.parametrize("token", TOKENS)
@pytest.mark.parametrize("place", ["  prometheus: [{name: a, scrape: 'http://x/m', bearer: %s}]", "  export: {otlp: 'http://c:4318', bearer: %s}"])
def test_a_token_in_the_place_of_its_name_is_refused_and_nowhere_shown(tmp_path, watchkeeper, token, place):
    (tmp_path / "watchkeeper.yaml").write_text(f"name: w\ntelemetry:\n{place % json.dumps(token)}\n")
    for command in (("check",), ("run",), ("take-telemetry",), ("check", "--json")):
        told = watchkeeper(*command, "--home", str(tmp_path), at=None)
        assert told.exit_code not in (0, 3), told.output
        assert "bearer" in told.output
        assert token.lower() not in told.output.lower()


@pytest.mark.parametrize("token", TOKENS)
def test_a_token_in_the_place_of_its_name_is_refused_on_the_command_line(home, watchkeeper, token):
    told = watchkeeper("export", "--otlp", "http://127.0.0.1:9", "--bearer", token)
    assert told.exit_code == 2
    assert "WATCHKEEPER_TOKEN_PROM" in told.output.replace("\n", "")
    assert token.lower() not in told.output.lower()


@pytest.mark.parametrize("name", ["prom", "my-prom", "grafana_cloud_eu2", "collector"])
def test_names_are_names(name):
    assert authorization(name, Settings.from_environment({f"WATCHKEEPER_TOKEN_{name.upper().replace('-', '_')}": "t"}))


def test_a_token_comes_from_the_environment_and_is_never_shown():
    settings = Settings.from_environment({"WATCHKEEPER_TOKEN_MY_PROM": "s3same"})
    assert authorization("my-prom", settings) == {"Authorization": "Bearer s3same"}
    assert authorization(None, settings) == {}
    assert "s3same" not in repr(settings)
    with pytest.raises(ConfigurationError, match=r"there is no token 'other'\. Set WATCHKEEPER_TOKEN_OTHER, or keep it in a Prefect Secret block"):
        authorization("other", settings)


def test_a_token_that_would_break_a_request_is_refused_without_being_shown():
    with pytest.raises(ConfigurationError) as told:
        authorization("a", Settings.from_environment({"WATCHKEEPER_TOKEN_A": "s3same\r\nHost: evil"}))
    assert "s3same" not in str(told.value)
