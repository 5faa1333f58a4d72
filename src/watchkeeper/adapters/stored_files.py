"""Objects of tables in a store: S3, Google Cloud Storage or Azure, found by a glob and read as files are.

Belongs here: addresses, listing and reading, with the credentials that the lake's own settings have. Does not: what the bytes
mean (files.py). Arrow's own file systems are used and not those of delta-rs, which hold Python's lock while they wait and try
for minutes before they say that a store is not there.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from pathlib import PurePosixPath
from typing import Any

import pyarrow as pa
import pyarrow.fs as pafs

from watchkeeper.adapters.object_stores import s3
from watchkeeper.adapters.settings import Settings
from watchkeeper.errors import UnreachableError, UnreadableError

_REQUEST_S = 60
_MAGIC = re.compile(r"[*?\[]")
_ABFSS = re.compile(r"(?P<container>[^@]+)@(?P<account>[^.]+)\.")
_WHY = re.compile(r"ExceptionName: (?P<named>\w+)|AWS Error (?!UNKNOWN)(?P<code>[A-Z_]+)")
_PLAIN = {
    "NO_SUCH_BUCKET": "there is no such bucket",
    "ACCESS_DENIED": "access is denied",
    "NETWORK_CONNECTION": "no connection",
    "INVALID_ACCESS_KEY_ID": "the access key is not known",
    "SIGNATURE_DOES_NOT_MATCH": "the secret key is wrong",
    "INVALID_SIGNATURE": "the secret key is wrong",
    "EXPIRED_TOKEN": "the credentials have expired",
    "REQUEST_EXPIRED": "the credentials have expired",
}


@dataclass(frozen=True, slots=True)
class StoredObject:
    """One object as it was listed: its address, size in bytes, and when it was written."""

    address: str
    size_bytes: int
    written_at: datetime | None

    @property
    def name(self) -> str:
        """The last part of its address."""
        return PurePosixPath(self.address).name


def is_address(text: str) -> bool:
    """Tell whether a text names a place in an object store, and not a path.

    >>> is_address("s3://bucket/events-*.parquet"), is_address("inbox/events-*.parquet")
    (True, False)
    """
    return text.partition("://")[0] in _STORES and "://" in text


def listed(pattern: str) -> list[StoredObject]:
    """Return the objects that a glob names, or those directly in the place that it names without one, by address.

    `*` stands for any part of one name, `**` for any parts.

    Raises:
        UnreadableError: the store cannot be listed; an UnreachableError when that may pass.

    """
    scheme, _, path = pattern.partition("://")
    if not _MAGIC.search(path) and not path.endswith("/"):
        found = _one(pattern)
        if found is not None:
            return [found]
    path = path if _MAGIC.search(path) else f"{path.rstrip('/')}/*"
    fixed = _MAGIC.split(path, maxsplit=1)[0].rpartition("/")[0]
    is_deep = "/" in path.removeprefix(f"{fixed}/")
    with _asking(pattern) as store:
        try:
            infos = store.get_file_info(pafs.FileSelector(_inner(scheme, fixed), recursive=is_deep))
        except FileNotFoundError:
            return []  # nothing lies there yet; a bucket that is missing is another error
    objects = [_described(scheme, path, info) for info in infos if info.is_file]
    return sorted((o for o in objects if matches(o.address, f"{scheme}://{path}")), key=lambda o: o.address)


def read(stored: StoredObject) -> bytes | None:
    """Return the bytes of an object, None when it has gone.

    Raises:
        UnreadableError: it cannot be read; an UnreachableError when that may pass.

    """
    with _asking(stored.address) as store:
        try:
            with store.open_input_stream(_inner(*_split(stored.address))) as stream:
                return bytes(stream.read())
        except FileNotFoundError:
            return None


def described(address: str) -> StoredObject | None:
    """Return an object by its address, None when there is none."""
    return _one(address)


def _one(address: str) -> StoredObject | None:
    scheme, path = _split(address)
    with _asking(address) as store:
        info = store.get_file_info(_inner(scheme, path))
    return _described(scheme, path, info) if info.is_file else None


def _split(address: str) -> tuple[str, str]:
    scheme, _, path = address.partition("://")
    return scheme, path


def _inner(scheme: str, path: str) -> str:
    """Return a path as the file system of its store takes it; Azure's begins with the container alone."""
    if scheme != "abfss":
        return path
    host, _, rest = path.partition("/")
    return f"{host.partition('@')[0]}/{rest}".rstrip("/")


def _described(scheme: str, path: str, info: Any) -> StoredObject:
    inside = info.path if scheme != "abfss" else path.partition("/")[0] + "/" + info.path.partition("/")[2]
    return StoredObject(f"{scheme}://{inside}", info.size, info.mtime.astimezone(UTC) if info.mtime else None)


def matches(address: str, pattern: str) -> bool:
    """Tell whether an address is named by a glob, part by part, or lies in the place that a pattern without one names.

    >>> matches("s3://b/in/e-1.csv", "s3://b/in/e-*.csv"), matches("s3://b/in/e-1.csv", "s3://b/in"), matches("s3://b/in/x/e.csv", "s3://b/*.csv")
    (True, True, False)
    """
    is_inside = not _MAGIC.search(pattern) and address.startswith(f"{pattern.rstrip('/')}/")
    return is_inside or _parts_match(address.split("/"), pattern.split("/"))


def _parts_match(parts: list[str], patterns: list[str]) -> bool:
    if not patterns:
        return not parts
    if patterns[0] == "**":
        return any(_parts_match(parts[i:], patterns[1:]) for i in range(len(parts) + 1))
    return bool(parts) and fnmatchcase(parts[0], patterns[0]) and _parts_match(parts[1:], patterns[1:])


@contextmanager
def _asking(address: str) -> Iterator[pafs.FileSystem]:
    """Yield the store of an address; what it refuses is told in one sentence, without keys."""
    scheme, path = _split(address)
    try:
        yield _STORES[scheme](path, Settings.from_environment().storage_options)
    except FileNotFoundError:
        raise
    except (OSError, pa.ArrowException, ValueError) as error:
        found = _WHY.search(str(error))
        code = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", found["named"] or found["code"]).upper() if found else ""
        why = _PLAIN.get(code) or (code.replace("_", " ").lower() if code else type(error).__name__)
        then = "Check the address, the credentials in the environment, and the way there; what is new is taken in by the next run."
        kind = UnreadableError if code == "ACCESS_DENIED" else UnreachableError
        raise kind(f"cannot be read ({why})", where=address, then=then) from None  # the store's own text may name keys


def _s3(_path: str, options: Mapping[str, str]) -> pafs.FileSystem:
    return s3(options)


def _gcs(_path: str, _options: Mapping[str, str]) -> pafs.FileSystem:
    """Return Google's store, whose own library reads GOOGLE_APPLICATION_CREDENTIALS or asks the machine."""
    return pafs.GcsFileSystem(retry_time_limit=timedelta(seconds=_REQUEST_S))


def _azure(path: str, options: Mapping[str, str]) -> pafs.FileSystem:
    """Return Azure's store; the address names the account: abfss://container@account.dfs.core.windows.net/path."""
    found = _ABFSS.match(path)
    account = found["account"] if found else options.get("AZURE_STORAGE_ACCOUNT_NAME", "")
    key, token = options.get("AZURE_STORAGE_ACCOUNT_KEY"), options.get("AZURE_STORAGE_SAS_TOKEN")
    client = {n: options.get(f"AZURE_STORAGE_{n.upper()}") or options.get(f"AZURE_{n.upper()}") for n in ("client_id", "client_secret", "tenant_id")}
    return pafs.AzureFileSystem(account, account_key=key, sas_token=token, **(client if all(client.values()) and not (key or token) else {}))


_STORES: dict[str, Callable[[str, Mapping[str, str]], pafs.FileSystem]] = {"s3": _s3, "s3a": _s3, "gs": _gcs, "abfss": _azure}
