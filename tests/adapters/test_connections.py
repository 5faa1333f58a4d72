"""Connections come from the environment or from Prefect, and their secrets stay there."""

from datetime import timedelta

import pytest

from watchkeeper.adapters.connections import Connection, find
from watchkeeper.adapters.databases import PostgreSQL, Question, answers
from watchkeeper.adapters.settings import Settings
from watchkeeper.errors import ConfigurationError, UnreachableError

URL = "postgresql://ann:s3cr%40t@db.example.com:5432/shop?sslmode=require&sslpassword=hush"


def settings(**variables: str) -> Settings:
    return Settings.from_environment({f"WATCHKEEPER_CONNECTION_{name}": value for name, value in variables.items()})


def test_a_name_in_any_case_and_with_dashes_finds_its_variable() -> None:
    known = settings(SHOP_REPLICA=URL)
    assert [find(name, known).url for name in ("shop-replica", "Shop_Replica")] == [URL, URL]
    assert find("shop-replica", known).origin == "WATCHKEEPER_CONNECTION_SHOP_REPLICA"


def test_what_is_shown_of_a_connection_has_no_secret() -> None:
    known = settings(SHOP=URL)
    found = find("shop", known)
    shown = f"{found!r} {found} {known!r} {found.where} {found.place}"
    assert (found.user, found.place) == ("ann", "db.example.com:5432/shop")
    assert not [secret for secret in ("s3cr", "hush") if secret in shown]
    assert found.safe(f"could not use s3cr@t,\n s3cr%40t or hush of {URL}") == "could not use ***, *** or *** of ***"


def test_a_name_that_is_not_known_is_told_with_the_nearest_one() -> None:
    with pytest.raises(ConfigurationError) as caught:
        find("shpo", settings(SHOP=URL))
    assert "there is no connection 'shpo'" in str(caught.value)
    assert "Set WATCHKEEPER_CONNECTION_SHPO" in str(caught.value)
    assert "did you mean 'SHOP'?" in str(caught.value)
    assert "s3cr" not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://ann:s3cr@t@host/shop",
        "postgresql://ann:s3cr/t@host/shop",
        "postgresql://ann:s3cr:t@host:5432:1/shop",
        "postgresql://ann:s3cr#t@host/shop",
        "postgresql://ann:s3cr?t@host/shop",
        "postgresql://ann:s3cr[t/shop",
        "s3cret",
        "host=db password=s3cret",
    ],
)
def test_an_address_whose_password_would_be_taken_for_the_host_is_refused_without_being_told(url: str) -> None:
    """Drivers repeat the host that they cannot find, and with it the end of such a password."""
    with pytest.raises(ConfigurationError) as caught:
        find("shop", settings(SHOP=url))
    assert "WATCHKEEPER_CONNECTION_SHOP: is no address of a database" in str(caught.value)
    assert "s3cr" not in str(caught.value)


@pytest.mark.parametrize("url", ["postgresql://h1:1,h2:2/shop", "postgres://ann@[::1]:5432/shop", "postgresql:///shop?host=/run/postgresql", URL])
def test_addresses_of_every_form_are_taken(url: str) -> None:
    assert find("shop", settings(SHOP=url)).url == url


def test_waits_are_added_to_an_address_that_does_not_name_them() -> None:
    uri = PostgreSQL("", "").uri(f"{URL}&connect_timeout=3&options=-c%20search_path%3Da")
    assert "connect_timeout=3" in uri
    assert "tcp_user_timeout=60000" in uri
    assert "options=-c%20search_path%3Da" in uri


def test_a_kind_without_a_driver_is_told_with_those_there_are() -> None:
    with pytest.raises(ConfigurationError, match=r"there is no driver for mysql://. Known are postgresql, snowflake"):
        answers(find("shop", settings(SHOP="mysql://ann:x@host/shop")))


def test_a_host_that_does_not_exist_is_told_without_the_password() -> None:
    connection = Connection("shop", "postgresql://ann:s3cret@nowhere.invalid/shop", "X")
    with pytest.raises(UnreachableError) as caught:
        answers(connection)
    assert str(caught.value).startswith("connection 'shop' (nowhere.invalid/shop): cannot be reached (could not translate host name")
    assert "s3cret" not in str(caught.value)


def test_a_query_may_end_in_semicolons_and_comments() -> None:
    wrapped = Question("select 1 -- one\n;\n-- that is all\n", timedelta(1)).wrapped
    assert wrapped == "(\nselect 1 -- one\n\n) as wk"
