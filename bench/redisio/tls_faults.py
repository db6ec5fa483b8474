"""Why a connection over TLS failed: one line each, with what to do about it."""

import socket
import ssl
from collections.abc import Callable

from bench.redisio.url import SERVER_NAME, RedisUrl

_EXPIRED, _NOT_YET_VALID = 10, 9
_UNTRUSTED = (2, 18, 19, 20, 21)
_OTHER_HOST = (62, 64)
"""What OpenSSL calls the reasons for which it refuses a certificate (``X509_V_ERR_…``)."""
_PROBE_TIMEOUT_S = 1.0


def explained(error: BaseException, parts: RedisUrl) -> str | None:
    """Returns why TLS with the server failed, to be put behind its address; None where an error is
    of something else."""
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, ssl.SSLError):
        cause = cause.__cause__ or cause.__context__
    if isinstance(cause, ssl.SSLCertVerificationError):
        return _distrust(cause, parts)
    return None if cause is None else _other_failure(cause.reason or "EOF", parts)


def without_tls(parts: RedisUrl) -> str:
    """Returns what is said of a server that speaks no TLS, to be put behind its address."""
    return f"does not speak TLS: write {parts.scheme.replace('rediss', 'redis', 1)}:// in the URL"


def answers_without_tls(parts: RedisUrl) -> bool:
    """Whether a server that is silent to TLS answers as one without it does.

    Asks it on a connection of its own, with no secret, and waits for at most a second.
    """
    if not parts.is_encrypted:
        return False
    try:
        with socket.create_connection((parts.host, parts.port), _PROBE_TIMEOUT_S) as probe:
            probe.sendall(b"PING\r\n")
            return probe.recv(1) in (b"+", b"-")
    except OSError:
        return False


def _distrust(error: ssl.SSLCertVerificationError, parts: RedisUrl) -> str:
    code = error.verify_code
    if code == _EXPIRED:
        return "has a certificate that has expired: renew it"
    if code == _NOT_YET_VALID:
        return "has a certificate that is not valid yet: is the clock of this machine right?"
    if code in _OTHER_HOST:
        name = parts.tls.get(SERVER_NAME, parts.host)
        return (
            f"has a certificate for another host than {name}: use a name that it holds in the URL, "
            "or give that with --tls-server-name"
        )
    if code in _UNTRUSTED:
        ca = parts.tls.get("ssl_ca_certs")
        if ca is None:
            return "has a certificate of an authority that is not trusted: give its CA (--tls-ca)"
        return f"has a certificate that the CA in {ca} has not signed: check --tls-ca"
    return f"has a certificate that cannot be trusted ({error.verify_message}): check it"


_REASONS: dict[str, Callable[[RedisUrl], str]] = {
    "WRONG_VERSION_NUMBER": without_tls,
    "RECORD_LAYER_FAILURE": without_tls,
    "PACKET_LENGTH_TOO_LONG": without_tls,
    "CERTIFICATE_REQUIRED": lambda _: (
        "wants a certificate of the client: give it with --tls-cert and --tls-key"
    ),
    "CERTIFICATE_EXPIRED": lambda _: (
        "refuses the client's certificate, which has expired: renew that of --tls-cert"
    ),
    "UNKNOWN_CA": lambda _: (
        "refuses the client's certificate, whose authority it does not trust: give one of the "
        "server's CA with --tls-cert"
    ),
    "CERTIFICATE": lambda _: "refuses the client's certificate: check that of --tls-cert",
    "EOF": lambda parts: f"ended the connection while TLS was being set up: {_log_or_own(parts)}",
}
"""Part of what OpenSSL calls a failure to what is said of it; the first that fits holds."""


def _other_failure(reason: str, parts: RedisUrl) -> str:
    for part, say in _REASONS.items():
        if part in reason:
            return say(parts)
    words = reason.lower().replace("_", " ")
    return f"and this machine do not agree on TLS ({words}): check the server's settings"


def _log_or_own(parts: RedisUrl) -> str:
    # With TLS 1.3, a server's reason arrives after the handshake, and not always.
    if "ssl_certfile" in parts.tls:
        return "it may refuse the client's certificate: check that of --tls-cert, and its log"
    return "it may want a certificate of the client: give it with --tls-cert and --tls-key"
