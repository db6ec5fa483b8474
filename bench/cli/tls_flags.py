"""The flags of every command that takes a URL, for a server with TLS."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from bench.cli.groups import SERVER
from bench.errors import UsageError
from bench.redisio import tls
from bench.redisio.tls import TlsOptions
from bench.redisio.url import parse
from bench.secrets import URL_VARIABLE
from bench.settings import TLS_FLAGS


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class UrlFlag:
    """The server's URL, which stands before all that is said of the connection to it."""

    redis_url: Annotated[
        str | None,
        Parameter(
            group=SERVER,
            metavar="URL",
            help="URL of a running server: redis://, rediss:// or unix://. Better in "
            f"{URL_VARIABLE}: other users can see a password on the command line.",
            negative=(),
        ),
    ] = None


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class TlsFlags(UrlFlag):
    """What a URL that begins with rediss:// leaves open."""

    tls_ca: Annotated[
        Path | None,
        Parameter(
            group=SERVER,
            metavar="FILE",
            help="Trust the certificate authorities in this PEM file, instead of the system's. "
            "Example: ca.crt",
        ),
    ] = None
    tls_cert: Annotated[
        Path | None,
        Parameter(
            group=SERVER,
            metavar="FILE",
            help="Certificate of the client, for a server that asks for one. Example: client.crt",
        ),
    ] = None
    tls_key: Annotated[
        Path | None,
        Parameter(
            group=SERVER,
            metavar="FILE",
            help="Private key of that certificate, without a passphrase. Example: client.key",
        ),
    ] = None
    tls_server_name: Annotated[
        str | None,
        Parameter(
            group=SERVER,
            metavar="NAME",
            help="Host name that the server's certificate must hold, where it is not that of the "
            "URL. Example: redis.example.com",
        ),
    ] = None
    tls_insecure: Annotated[
        bool,
        Parameter(group=SERVER, help="Accept any certificate of the server: for trials only."),
    ] = False

    def tls_changes(self) -> dict[str, object]:
        """Returns the flags of TLS that were given, by name."""
        values = {name: getattr(self, name) for name in TLS_FLAGS}
        return {name: value for name, value in values.items() if value not in (None, False)}

    def completed(self, url: str | None) -> str | None:
        """Returns a URL with these flags, and with what variables say beside them.

        Raises UsageError for a URL that cannot be read, and for flags that do not fit it.
        """
        if url is None:
            for name in self.tls_changes():
                flag = f"--{name.replace('_', '-')}"
                raise UsageError(
                    f"{flag} is for a server with TLS, but no server is named: use --redis-url "
                    f"rediss://…, or set {URL_VARIABLE}"
                )
            return None
        parse(url)
        options = TlsOptions(
            ca=self.tls_ca,
            cert=self.tls_cert,
            key=self.tls_key,
            server_name=self.tls_server_name,
            is_insecure=self.tls_insecure,
        )
        return tls.with_variables(tls.with_tls(url, options))
