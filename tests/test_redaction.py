"""Texts of others' programs lose what looks like a secret, and keep what people need to read."""

import pytest

from watchkeeper.redaction import is_plain, is_telling, without_secrets

TELLING = [
    "x-api-key",
    "jwt",
    "ai.prompt",
    "http.response.body",
    "customer_email",
    "aws.secret_access_key",
    "bearer",
    "dsn",
    "connection_string",
    "credit_card",
    "langfuse.input",
    "openinference.input",
    "url.path",
    "gen_ai.input.messages",
    "llm.prompts.0.content",
    "user.id",
    "userEmail",
    "http.request.header.cookie",
    "db.statement",
]


@pytest.mark.parametrize("name", TELLING)
def test_names_of_contents_persons_and_secrets_are_on_no_list(name):
    assert not is_plain(name)
    assert is_telling(name) or name == "url.path", "a label may be called a path"


@pytest.mark.parametrize("name", ["le", "quantile", "lane", "model_name", "http.route", "region", "server.address", "gen_ai.token.type", "engine"])
def test_labels_that_tell_series_apart_are_kept(name):
    assert not is_telling(name)


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ("GET /x?token=hunter2", "hunter2"),
        ("GET https://h.example/x?hunter2", "hunter2"),
        ("GET https://h.example/x#access=hunter2", "hunter2"),
        ("cannot reach https://u:hunter2@host/db", "hunter2"),
        ("postgres://u:hunt@er2@host/db is gone", "er2"),
        ("Authorization: Bearer hunter2 and postgres://u:hunter2@h/db", "hunter2"),
        ("sent Bearer hunter2", "hunter2"),
        ("sent Basic dTpodW50ZXIy", "dTpodW50ZXIy"),
        ('{"user": 1, "password": "hunter2, and more"}', "more"),
        ("api_key=hunter2", "hunter2"),
        ("AWS_SECRET_ACCESS_KEY: hunter2", "hunter2"),
        ("of sk-proj-hunterhunter", "hunter"),
        ("of ghp_16C7e42F292c6912E7710c838347Ae178B4a", "16C7e42F"),
        ("of AKIAIOSFODNN7EXAMPLE", "IOSFODNN7"),
        ("of eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln", "eyJ"),
        ("of d41d8cd98f00b204e9800998ecf8427e", "d41d8cd9"),
        ("of wJalrXUtnFEMI/K7MDENG/bPxRfiCY2Ab3X4pLEKEY", "bPxRfiCY"),
        ("by ann.lee@mail.example", "ann"),
        ("card 4111 1111 1111 1111 declined", "1111"),
        ("-----BEGIN PRIVATE KEY-----\nhunter2", "hunter2"),
        ("x" * 1018 + " ghp_16C7e42F292c6912E7710c838347Ae178B4a", "ghp"),
    ],
)
def test_what_looks_like_a_secret_is_removed(text, secret):
    assert secret not in without_secrets(text)


@pytest.mark.parametrize(
    "text",
    [
        "POST /predict",
        "GET /v1/models/{model}/versions/{version}",
        "chat meta-llama/Meta-Llama-3.1-70B-Instruct-AWQ-INT4",
        "context window is full: 4097 tokens, 4096 are the most",
        "parcels-6d4cf56db6-x7k2p",
        "java.lang.IllegalStateException",
        "429 Too Many Requests",
        "basic authentication failed",
        "2025-02-01T10:00:00.123Z deadline exceeded after 30000 ms",
        "text-embedding-3-large",
    ],
)
def test_what_people_need_to_read_stays(text):
    assert without_secrets(text) == text
