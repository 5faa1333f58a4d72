"""Pages are served to this machine alone, whole and fresh."""

import socket
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from watchkeeper.adapters.pages_server import LOOPBACK, serving
from watchkeeper.adapters.prefect_server import choose_port, is_free
from watchkeeper.errors import UsageError


def _get(address: str):
    return urllib.request.urlopen(address, timeout=5)  # noqa: S310 - our own server


def test_a_page_is_served_and_the_port_is_free_afterwards(tmp_path: Path):
    (tmp_path / "index.html").write_text("<p>fine</p>")
    with serving(tmp_path, 0) as address:
        answer = _get(f"{address}/index.html")
        assert answer.read() == b"<p>fine</p>"
        assert answer.headers["Cache-Control"] == "no-store"
        port = int(address.rpartition(":")[2])
        assert not is_free(port)
    assert is_free(port)


def test_before_the_first_run_the_server_says_so(tmp_path: Path):
    with serving(tmp_path / "site", 0) as address, pytest.raises(urllib.error.HTTPError) as refused:
        _get(address)
    assert "after the first run" in refused.value.read().decode()
    refused.value.close()


def test_nothing_outside_the_folder_is_served(tmp_path: Path):
    (tmp_path / "secret.txt").write_text("secret")
    with serving(tmp_path / "site", 0) as address, pytest.raises(urllib.error.HTTPError) as refused:
        _get(f"{address}/../secret.txt")
    assert refused.value.code == 404
    refused.value.close()


def test_a_port_in_use_is_named_with_its_option():
    with socket.create_server((LOOPBACK, 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(UsageError, match=f"--pages-port: port {port} is in use"):
            choose_port(port, 4300, "--pages-port")


@pytest.mark.parametrize("port", [-1, 0, 65536, 99999])
def test_a_number_that_is_no_port_is_named_with_its_option(port: int):
    with pytest.raises(UsageError, match=rf"^--port: {port} is no port\. Give one from 1 to 65535, or leave --port out for the first free one\.$"):
        choose_port(port, 4200, "--port")


def test_without_an_option_the_next_free_port_is_taken():
    with socket.create_server((LOOPBACK, 0)) as taken:
        first = taken.getsockname()[1]
        assert first < choose_port(None, first, "--port") <= first + 49
