"""Object stores that hold a lake: how Arrow reads them, and their errors in one sentence.

Belongs here: what differs between stores. Does not: tables (lake.py), or where addresses and credentials come from (settings.py).
"""

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import pyarrow.fs as pafs

from watchkeeper.spelling import is_remote

_CODE = re.compile(r"<Code>(\w+)</Code>(?:\s*<Message>([^<]*)</Message>)?")
_DECORATION = re.compile(r"\x1b\[[0-9;]*m|↳")
_REFUSED = {"401": "the credentials were refused", "403": "access was denied", "404": "there is no such bucket"}
_STATUS = re.compile(r"\b(401|403|404) \w+")
_ENDPOINTS = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT")
_REGIONS = ("AWS_REGION", "AWS_DEFAULT_REGION")
_YES = ("true", "1", "yes")
_CONNECT_S, _REQUEST_S, _ATTEMPTS = 5, 60, 3


def files(address: str, options: Mapping[str, str] | None) -> pafs.FileSystem | None:
    """Return Arrow's own view of a folder on this disk or on S3, None for other stores.

    delta-rs lends Arrow one that calls Python: a thread still at it when the process ends aborts it.
    """
    scheme, _, place = address.partition("://")
    if not is_remote(address):
        return pafs.SubTreeFileSystem(str(Path(address).absolute()), pafs.LocalFileSystem())
    if scheme in ("s3", "s3a"):
        return pafs.SubTreeFileSystem(place, s3(options or {}))
    return None


def s3(options: Mapping[str, str]) -> pafs.S3FileSystem:
    """Return S3 as the same settings describe it to delta-rs; credentials that they do not name, Arrow finds where AWS keeps them."""
    return _s3(frozenset(options.items()))


@cache
def _s3(options: frozenset[tuple[str, str]]) -> pafs.S3FileSystem:
    known = dict(options)
    scheme, _, host = next((known[name] for name in _ENDPOINTS if known.get(name)), "").rpartition("://")
    named: dict[str, object] = {
        "access_key": known.get("AWS_ACCESS_KEY_ID"),
        "secret_key": known.get("AWS_SECRET_ACCESS_KEY"),
        "session_token": known.get("AWS_SESSION_TOKEN"),
        "region": next((known[name] for name in _REGIONS if known.get(name)), None),
        "scheme": scheme,
        "endpoint_override": host.rstrip("/"),
        "anonymous": known.get("AWS_SKIP_SIGNATURE", "").lower() in _YES,
        "force_virtual_addressing": known.get("AWS_VIRTUAL_HOSTED_STYLE_REQUEST", "").lower() in _YES,
    }
    patience = {
        "connect_timeout": _CONNECT_S,
        "request_timeout": _REQUEST_S,
        "retry_strategy": pafs.AwsStandardS3RetryStrategy(max_attempts=_ATTEMPTS),
    }
    return pafs.S3FileSystem(**patience, **{name: value for name, value in named.items() if value})


def said(error: BaseException) -> str:
    r"""Return what a store says is wrong, in one line: its own message, else the last thing that failed.

    >>> said(OSError("Generic S3 error\n <Error><Code>NoSuchBucket</Code><Message>The bucket does not exist</Message></Error>"))
    'the store said NoSuchBucket: The bucket does not exist'
    >>> said(OSError("Generic S3 error\n  ↳ tcp connect error\n  ↳ Connection refused (os error 111)"))
    'Connection refused (os error 111)'
    """
    text = _DECORATION.sub("", str(error))
    if coded := _CODE.search(text):
        return f"the store said {coded[1]}" + (f": {coded[2].rstrip('.')}" if coded[2] else "")
    if status := _STATUS.search(text):
        return _REFUSED[status[1]]
    return next((line.strip() for line in reversed(text.splitlines()) if line.strip()), type(error).__name__)[:300]
