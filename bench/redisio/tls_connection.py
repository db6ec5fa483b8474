"""Connections over TLS for redis-py, and what is checked before one is opened."""

import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import redis

from bench.errors import UsageError
from bench.redisio.tls import OPTION_OF_FLAG
from bench.redisio.url import RedisUrl

_FLAGS = {option: flag for flag, option in OPTION_OF_FLAG.items()}


class TlsConnection(redis.SSLConnection):
    """A connection of redis-py over TLS that may ask for another name than the host's."""

    def __init__(self, *, ssl_server_name: str | None = None, **options: Any) -> None:
        super().__init__(**options)
        self._server_name = ssl_server_name

    def _wrap_socket_with_ssl(self, sock: Any) -> Any:
        host = self.host
        self.host = self._server_name or host  # redis-py knows no name beside the host's
        sock.settimeout(self.socket_connect_timeout)
        try:
            wrapped = super()._wrap_socket_with_ssl(sock)  # type: ignore[no-untyped-call]
        finally:
            self.host = host
        wrapped.settimeout(self.socket_timeout)
        return wrapped


def connection_options(parts: RedisUrl) -> dict[str, Any]:
    """Returns what a ``TlsConnection`` needs beside host and port.

    Raises UsageError for a file that is not there, or that does not hold what it should.
    """
    found: dict[str, Any] = dict(parts.tls)
    _require_files(parts.tls)
    if "ssl_check_hostname" in found:
        found["ssl_check_hostname"] = found["ssl_check_hostname"] == "true"
    return found


def _named(option: str) -> str:
    """What a message calls an option: the flag and the URL's own name."""
    return (
        f"{_FLAGS[option]} ({option})" if option in _FLAGS else f"the Redis URL's option {option}"
    )


def _require_files(tls: Mapping[str, str]) -> None:
    for option, is_right in _FILES.items():
        if option in tls and not is_right(Path(tls[option])):
            raise UsageError(f"{_named(option)}: {tls[option]}: no such file: check the path")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if (ca := tls.get("ssl_ca_certs")) is not None:
        try:
            context.load_verify_locations(ca)
        except OSError as error:  # an SSLError is one, too
            why = "holds no certificate" if isinstance(error, ssl.SSLError) else error.strerror
            raise UsageError(f"{_named('ssl_ca_certs')}: {ca}: {why}: give a PEM file") from None
    _require_pair(context, tls.get("ssl_certfile"), tls.get("ssl_keyfile"))


_FILES = {
    "ssl_ca_certs": Path.is_file,
    "ssl_ca_path": Path.is_dir,
    "ssl_certfile": Path.is_file,
    "ssl_keyfile": Path.is_file,
}
"""Option of the URL to whether it names what it should."""


class _Locked(Exception):  # noqa: N818 - what was found out about a key
    """A private key is encrypted."""


def _require_pair(context: ssl.SSLContext, cert: str | None, key: str | None) -> None:
    """Raises UsageError for a certificate and a key that do not belong together."""
    if cert is None:
        if key is not None:
            raise UsageError("--tls-key needs --tls-cert: the certificate that the key belongs to")
        return

    def passphrase() -> str:
        raise _Locked

    try:
        # Without a function for it, OpenSSL would ask for a passphrase on the terminal.
        context.load_cert_chain(cert, key, passphrase)
    except _Locked:
        raise UsageError(
            f"--tls-key: {key or cert}: the key has a passphrase, for which nobody can be asked: "
            "write it without one, as with 'openssl pkey', into a file that only you can read"
        ) from None
    except ssl.SSLError as error:
        raise UsageError(_why_no_pair(error, cert, key)) from None
    except OSError as error:
        raise UsageError(f"--tls-cert, --tls-key: {error.strerror}: check the files") from None


def _why_no_pair(error: ssl.SSLError, cert: str, key: str | None) -> str:
    if error.reason in ("KEY_VALUES_MISMATCH", "KEY_TYPE_MISMATCH"):
        return f"--tls-key: {key or cert} is not the key of the certificate in {cert}: check both"
    if key is None:
        return f"--tls-cert: {cert} holds no certificate with its private key: add --tls-key"
    return f"--tls-cert, --tls-key: {cert} and {key} hold no certificate and no key: give PEM files"
