"""Connections to databases: a name in a monitor file, and the address with its secrets that the environment gives it.

Belongs here: where an address is looked for, what may be said of it, and keeping secrets out of texts. Does not: asking the
database (databases.py). An address is never printed: what is said of it is `place`, and every other text goes through `safe`.
"""

import re
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, unquote, urlsplit

from watchkeeper.adapters.monitor_files import nearest
from watchkeeper.adapters.settings import CONNECTION_PREFIX, Settings
from watchkeeper.errors import ConfigurationError, DeliveryError

_BLOCK_PREFIX = "watchkeeper-connection-"
_HOSTS = re.compile(r"(\[[0-9a-fA-F:.]+\]|[^\[\]:@/?#,\s]*)(:\d+)?(,(\[[0-9a-fA-F:.]+\]|[^\[\]:@/?#,\s]+)(:\d+)?)*")
_SECRET_OPTION = re.compile(r"pass|secret|token|key", re.IGNORECASE)
_HIDDEN = "***"


@dataclass(frozen=True, slots=True)
class Connection:
    """A database by its name: its address, and `origin`, which says where that is kept so that people can mend it."""

    name: str
    url: str = field(repr=False)
    origin: str

    @property
    def scheme(self) -> str:
        """The kind of database."""
        return urlsplit(self.url).scheme.lower()

    @property
    def user(self) -> str:
        """Who asks; empty when the address does not say."""
        return unquote(urlsplit(self.url).username or "")

    @property
    def place(self) -> str:
        """Host and database, without user and options."""
        parts = urlsplit(self.url)
        return parts.netloc.rpartition("@")[2] + parts.path.rstrip("/")

    @property
    def where(self) -> str:
        """What an error calls it."""
        return f"connection '{self.name}' ({self.place})"

    def safe(self, text: str) -> str:
        """Return a text of a driver in one line, without anything of the address that is secret."""
        for secret in sorted(self._secrets(), key=len, reverse=True):
            text = text.replace(secret, _HIDDEN)
        return " ".join(text.split())

    def _secrets(self) -> set[str]:
        parts = urlsplit(self.url)
        password = parts.password or ""
        options = [value for name, value in parse_qsl(parts.query) if _SECRET_OPTION.search(name)]
        return {secret for secret in (self.url, password, unquote(password), *options) if secret}


def variable_of(name: str) -> str:
    """Return the environment variable that holds the address of a connection.

    >>> variable_of("shop-replica")
    'WATCHKEEPER_CONNECTION_SHOP_REPLICA'
    """
    return CONNECTION_PREFIX + _key(name)


def block_of(name: str) -> str:
    """Return the name of the Prefect Secret block that may hold it instead.

    >>> block_of("shop_replica")
    'watchkeeper-connection-shop-replica'
    """
    return _BLOCK_PREFIX + name.lower().replace("_", "-")


def find(name: str, settings: Settings | None = None) -> Connection:
    """Return a connection: from the environment, else from a Prefect block where a Prefect server is configured.

    Raises:
        ConfigurationError: neither holds it, or what they hold is no address. The text has nothing of the address.

    """
    known = settings or Settings.from_environment()
    url, origin = known.connections.get(_key(name), ""), variable_of(name)
    if not url and known.prefect_api_url:
        then = f"Start it, or set {variable_of(name)}."
        url = secret_in_prefect(block_of(name), known.prefect_api_url, holds=f"connection '{name}'", then=then)
        origin = f"the Prefect block {block_of(name)}"
    if not url:
        near = nearest(_key(name), known.connections) if known.connections else ""
        where_else = f", or keep it in a Prefect Secret block named {block_of(name)}"
        then = f"Set {variable_of(name)} to its address, such as postgresql://user:password@host:5432/database{where_else}"
        raise ConfigurationError(f"there is no connection '{name}'", then=f"{then}.{f' In the environment, {near}' if near else ''}")
    _require_address(url, origin)
    return Connection(name, url, origin)


def _key(name: str) -> str:
    return name.upper().replace("-", "_")


def secret_in_prefect(block_name: str, api_url: str, *, holds: str, then: str) -> str:
    """Return what a Secret block holds, empty when there is none; `holds` and `then` are for the text of an error.

    Raises:
        ConfigurationError: Prefect does not say.

    """
    from prefect.exceptions import ObjectNotFound

    from watchkeeper.adapters.prefect_events import client

    try:
        with client(api_url) as prefect:
            try:
                block = prefect.read_block_document_by_name(block_name, "secret", include_secrets=True)
            except ObjectNotFound:
                return ""
    except DeliveryError as error:
        raise ConfigurationError(f"the Prefect server, which may hold {holds}, gave {error.what}", then=then) from error
    value = block.data.get("value")
    return value if isinstance(value, str) else ""


def _require_address(url: str, origin: str) -> None:
    """Raise where parts of the password would be taken for the host, and so be told in errors."""
    if not _is_address(url):
        then = "Write kind://user:password@host:port/database, with %40 for @, %2F for /, %3A for :, %23 for # and %3F for ? in the password."
        raise ConfigurationError("is no address of a database", where=origin, then=then)


def _is_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    user, at, host = parts.netloc.rpartition("@")
    is_named = bool(parts.netloc) or url.startswith(f"{parts.scheme}:///")  # without a host: a socket, or what the options say
    return bool(parts.scheme) and is_named and "@" not in user and url.count("@") == len(at) and _HOSTS.fullmatch(host) is not None
