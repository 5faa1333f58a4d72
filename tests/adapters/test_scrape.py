"""A metrics endpoint is asked once, within bounds, and what is no metrics is one sentence."""

import socket
import threading
import time
from collections.abc import Iterator

import pytest

from receiver import Answer, Receiver
from watchkeeper.adapters.scrape import fetch, scrape
from watchkeeper.errors import UnreachableError, UnreadableError, UsageError

PAGE = """# HELP requests_total Requests.
# TYPE requests_total counter
requests_total{path="/",code="200"} 12
requests_total{path="/",code="500"} 1
# TYPE temperature gauge
temperature{gpu="0"} 61.5
temperature{gpu="1"} NaN
no_type 3 1700000000000
"""


@pytest.fixture
def server() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver


def test_families_have_their_samples_and_labels(server):
    server.faults.append(Answer(200, PAGE))
    found = scrape(f"{server.url}/metrics")
    assert list(found) == ["requests", "temperature", "no_type"]
    assert [(s.labels["code"], s.value) for s in found["requests"].samples] == [("200", 12.0), ("500", 1.0)]
    assert found["temperature"].samples[0].labels == {"gpu": "0"}
    assert (server.requests[0].path, server.requests[0].headers["user-agent"]) == ("/metrics", "watchkeeper")


def test_series_whose_type_is_not_told_are_all_there(server):
    server.faults.append(Answer(200, 'a{i="0"} 1\nb 2\na{i="1"} 3\n'))
    found = scrape(server.url)
    assert {name: [s.value for s in family.samples] for name, family in found.items()} == {"a": [1.0, 3.0], "b": [2.0]}


def test_open_metrics_are_read_too(server):
    text = '# TYPE foo counter\nfoo_total 1 # {trace_id="a"} 1\n# EOF\n'
    server.faults.append(Answer(200, text, {"Content-Type": "application/openmetrics-text; version=1.0.0"}))
    (sample,) = scrape(server.url)["foo"].samples
    assert (sample.name, sample.value, sample.exemplar.labels) == ("foo_total", 1.0, {"trace_id": "a"})


def test_user_and_password_are_sent_and_never_shown(server):
    url = server.url.replace("http://", "http://me:se%20cret@") + "/metrics?token=hidden"
    server.faults += [Answer(200, PAGE), Answer(403, "no")]
    scrape(url)
    assert server.requests[0].headers["authorization"] == "Basic bWU6c2UgY3JldA=="
    assert server.requests[0].path == "/metrics?token=hidden"
    with pytest.raises(UnreachableError, match="answers 403 Forbidden") as caught:
        scrape(url)
    assert "cret" not in str(caught.value)
    assert "hidden" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("<!doctype html><html><body>Log in</body></html>", "text/plain"),
        ("Log in, please", "text/html; charset=utf-8"),
        ("not metrics at all\n", "text/plain"),
        ('broken{label="a 1\n', "text/plain"),
        ("one two\n", "text/plain"),
    ],
)
def test_what_is_no_metrics_says_so(server, text, kind):
    server.faults.append(Answer(200, text, {"Content-Type": kind}))
    with pytest.raises(UnreadableError, match="no metrics") as caught:
        scrape(f"{server.url}/metrics")
    assert f"{server.url}/metrics: " in str(caught.value)


def test_an_endless_page_is_read_up_to_the_bound(server):
    series = "".join(f'series{{n="{n}"}} 1\n' for n in range(1_000_000))
    server.faults.append(Answer(200, series))
    with pytest.raises(UnreadableError, match="answers more than 2 MB"):
        scrape(server.url, at_most=2 * 2**20, timeout_s=20)


def test_an_endpoint_that_hangs_is_given_up(server):
    server.release.clear()
    began = time.monotonic()
    with pytest.raises(UnreachableError, match=r"no answer within 0\.3 s"):
        scrape(server.url, timeout_s=0.3)
    assert time.monotonic() - began < 2


@pytest.mark.parametrize("start", [b"HTTP/1.1 200 OK\r\nX-Slow: ", b"HTTP/1.1 200 OK\r\n\r\n"], ids=["in its headers", "in its body"])
def test_an_endpoint_that_trickles_is_given_up_though_bytes_keep_coming(start):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        stop = threading.Event()

        def trickle() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.sendall(start)
                while not stop.wait(0.02):
                    try:
                        connection.sendall(b"a")
                    except OSError:
                        return

        threading.Thread(target=trickle, daemon=True).start()
        began = time.monotonic()
        with pytest.raises(UnreachableError, match=r"within 0\.4 s"):
            scrape(f"http://127.0.0.1:{listener.getsockname()[1]}", timeout_s=0.4)
        stop.set()
        assert time.monotonic() - began < 2


def test_an_answer_that_ends_too_early_is_no_answer(server):
    server.faults.append(Answer(200, "a 1\n", {"Content-Length": "4000"}))
    with pytest.raises(UnreachableError, match="cannot be read"):
        scrape(server.url, timeout_s=1)


def test_nobody_at_an_address_is_one_sentence():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(UnreachableError, match=r"127\.0\.0\.1:\d+: cannot be read \(Connection refused\)"):
        fetch(f"http://127.0.0.1:{port}")


@pytest.mark.parametrize("url", ["localhost:9400", "ftp://a/b", "http://", "http://a:port/", "", "http://a b/"])
def test_an_address_that_is_none_is_wrong_usage(url):
    with pytest.raises(UsageError, match="no http or https address"):
        scrape(url)
