"""TLS: what flags and variables add to a server's URL."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from urllib.parse import quote

from bench.errors import UsageError
from bench.names import variable
from bench.redisio.url import SERVER_NAME, parse
from bench.secrets import has_options
from bench.settings import TLS_FLAGS, variable_of

_OPTIONS = ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile", SERVER_NAME, "ssl_cert_reqs")
"""Options of the URL that say the same as ``TLS_FLAGS``, in their order."""
OPTION_OF_FLAG: Mapping[str, str] = MappingProxyType(
    {f"--{name.replace('_', '-')}": each for name, each in zip(TLS_FLAGS, _OPTIONS, strict=True)}
)
"""Flag to the option of the URL that says the same."""
VARIABLES = tuple(map(variable_of, TLS_FLAGS))
"""Variables that say the same as these flags, in their order."""
_SAFE = "/:@!$'()*,;=~"


@dataclass(frozen=True)
class TlsOptions:
    """What is to be added to a URL; None for what it says itself, or leaves as it is by default."""

    ca: Path | None = None
    """File with the certificates of the authorities that are trusted, in place of the system's."""
    cert: Path | None = None
    key: Path | None = None
    """Files with the client's own certificate, and with its private key."""
    server_name: str | None = None
    """Name that the server is asked for (SNI) and that its certificate must hold, in place of the
    URL's host."""
    is_insecure: bool = False
    """Whether any certificate of the server is accepted."""

    def by_flag(self) -> dict[str, str]:
        """Returns the values of the URL's options, by the flags that stand for them."""
        paths = {"--tls-ca": self.ca, "--tls-cert": self.cert, "--tls-key": self.key}
        found = {flag: str(path.absolute()) for flag, path in paths.items() if path is not None}
        if self.server_name is not None:
            found["--tls-server-name"] = self.server_name
        return found | ({"--tls-insecure": "none"} if self.is_insecure else {})


def with_tls(url: str, options: TlsOptions) -> str:
    """Returns a URL that says what ``options`` add to it; paths become absolute.

    Raises UsageError for a URL without TLS, for one that has such an option itself, and for options
    that contradict each other.
    """
    parts, added = parse(url), options.by_flag()
    if not added:
        return url
    first = next(iter(added))
    if not parts.is_encrypted:
        raise UsageError(
            f"{first} is for a server with TLS, but the URL begins with {parts.scheme}://: "
            f"write rediss://, or remove {first}"
        )
    if options.is_insecure and options.ca is not None:
        raise UsageError(
            "--tls-ca says whom to trust, and --tls-insecure to trust anybody; remove one of them"
        )
    for flag in added:
        if (option := OPTION_OF_FLAG[flag]) in parts.tls:
            raise UsageError(f"{flag} and the URL's option {option} say the same; remove one")
    query = "&".join(
        f"{OPTION_OF_FLAG[flag]}={quote(text, safe=_SAFE)}" for flag, text in added.items()
    )
    together = f"{url}{'&' if has_options(url) else '?'}{query}"
    parse(together)
    return together


def with_variables(url: str, environment: Mapping[str, str] = os.environ) -> str:
    """Returns a URL with what the variables ``BENCH_TLS_…`` say and it does not say itself.

    A URL without TLS stays as it is. Raises UsageError for a variable that is set and empty.
    """
    texts = {name: variable(name, environment) for name in VARIABLES}
    if not any(texts.values()) or not parse(url).is_encrypted:
        return url
    ca, cert, key, server_name, insecure = (texts[name] for name in VARIABLES)
    if insecure not in (None, "true", "false"):
        raise UsageError(f"{VARIABLES[-1]} must be true or false")
    said = parse(url).tls
    if "ssl_certfile" in said or "ssl_keyfile" in said:
        cert = key = None  # the key of another certificate would not fit
    if {"ssl_ca_certs", "ssl_ca_path", "ssl_cert_reqs"} & set(said):
        ca = insecure = None  # whom to trust is said
    return with_tls(
        url,
        TlsOptions(
            ca=_path(ca) if insecure != "true" else None,
            cert=_path(cert),
            key=_path(key),
            server_name=None if SERVER_NAME in said else server_name,
            is_insecure=insecure == "true",
        ),
    )


def _path(text: str | None) -> Path | None:
    return None if text is None else Path(text)
