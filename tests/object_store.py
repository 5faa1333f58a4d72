"""An S3 of one's own on loopback: moto in a process of its own, which answers one request at a time as one store would.

Belongs here: the server, and what a program has to know to use it. Does not: what is kept there (lakes, files of an inbox).
Run as a program this file is the server: it prints its port, and ends when its standard input does.
"""

import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import pytest

_NUMBERS = count(1)


@dataclass(frozen=True)
class Bucket:
    """A bucket: its address, and the environment in which a program finds it."""

    name: str
    environment: dict[str, str]
    client: Any = field(repr=False)

    @property
    def address(self) -> str:
        """Such as `s3://bucket-1`."""
        return f"s3://{self.name}"

    def keys(self, prefix: str = "") -> list[str]:
        """Return the names of the objects whose names begin so, sorted."""
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=self.name, Prefix=prefix)
        return sorted(item["Key"] for page in pages for item in page.get("Contents", []))


@dataclass(frozen=True)
class ObjectStore:
    """A store that answers at `url`."""

    url: str

    @property
    def environment(self) -> dict[str, str]:
        """What a program is told by its environment."""
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": "watchkeeper",
            "AWS_SECRET_ACCESS_KEY": "only-on-loopback",
            "AWS_REGION": "eu-central-1",
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def new_bucket(self, name: str = "") -> Bucket:
        """Return a bucket that nobody has used; `name` may be one that a text speaks of."""
        import boto3

        client = boto3.client(
            "s3",
            endpoint_url=self.url,
            region_name="eu-central-1",
            aws_access_key_id=self.environment["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=self.environment["AWS_SECRET_ACCESS_KEY"],
        )
        name = name or f"bucket-{next(_NUMBERS)}"
        client.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
        return Bucket(name, self.environment, client)


@pytest.fixture(scope="session")
def object_store() -> Iterator[ObjectStore]:
    """A store that runs while the tests of this process do."""
    server = subprocess.Popen([sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert server.stdin is not None
    assert server.stdout is not None
    port = server.stdout.readline().strip()
    assert port, "the object store did not start"
    yield ObjectStore(f"http://127.0.0.1:{port}")
    server.stdin.close()
    server.wait(10)


@pytest.fixture
def bucket(object_store: ObjectStore, monkeypatch: pytest.MonkeyPatch) -> Bucket:
    """A new bucket, which this process and its children find by their environment."""
    for name, value in object_store.environment.items():
        monkeypatch.setenv(name, value)
    return object_store.new_bucket()


def _serve() -> None:
    from moto.moto_server.werkzeug_app import MotoRequestHandler, create_backend_app
    from werkzeug.serving import make_server

    # S3 alone: what dispatches to one of all services of AWS lists them anew for each request, which takes as long as the answer.
    moto, one_at_a_time = create_backend_app("s3"), threading.Lock()

    def store(environ: Any, start_response: Any) -> Any:
        """Answer; moto looks whether an object is there and then writes it, which two requests at once would both do."""
        with one_at_a_time:
            return moto(environ, start_response)

    server = make_server("127.0.0.1", 0, store, threaded=True, request_handler=MotoRequestHandler)
    print(server.server_port, flush=True)  # noqa: T201 - for the process that started this one
    threading.Thread(target=server.serve_forever, daemon=True).start()
    sys.stdin.read()


if __name__ == "__main__":
    _serve()
