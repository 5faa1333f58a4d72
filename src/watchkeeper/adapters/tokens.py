"""Bearer tokens for other people's endpoints: a name in watchkeeper.yaml, the secret in the environment or a Prefect block.

Belongs here: where a token is looked for. Does not: addresses of databases (connections.py), or the requests (scrape.py).
"""

from watchkeeper.adapters.connections import secret_in_prefect
from watchkeeper.adapters.settings import TOKEN_PREFIX, Settings
from watchkeeper.errors import ConfigurationError
from watchkeeper.telemetry import token_name


def authorization(name: str | None, settings: Settings | None = None) -> dict[str, str]:
    """Return the header that a token makes, none where none is named.

    Raises:
        ConfigurationError: it is named, and neither the environment nor Prefect holds it. The text has nothing of it.

    """
    if name is None:
        return {}
    try:
        token_name(name)
    except ValueError as error:
        raise ConfigurationError("a token is not named", where="bearer", then=f"T{str(error)[1:]}.") from error
    known, key = settings or Settings.from_environment(), name.upper().replace("-", "_")
    variable, block = f"{TOKEN_PREFIX}{key}", f"watchkeeper-token-{name.lower().replace('_', '-')}"
    token = known.tokens.get(key, "")
    if not token and known.prefect_api_url:
        token = secret_in_prefect(block, known.prefect_api_url, holds=f"token '{name}'", then=f"Start it, or set {variable}.")
    if not token:
        raise ConfigurationError(f"there is no token '{name}'", then=f"Set {variable}, or keep it in a Prefect Secret block named {block}.")
    if not token.isprintable() or not token.isascii():
        raise ConfigurationError(f"token '{name}' cannot be part of a request", where=variable, then="Write it without line breaks.")
    return {"Authorization": f"Bearer {token}"}
