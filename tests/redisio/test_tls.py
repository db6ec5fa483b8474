"""TLS by flags and variables: verified by default, and each way to fail says what to do."""

import datetime
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.errors import ServerUnreachable, UsageError
from bench.redisio.connection import RawConnection, open_client
from bench.redisio.embedded import EmbeddedServer
from bench.redisio.tls import TlsOptions, with_tls, with_variables
from bench.redisio.url import parse
from tests.redisio import tls_server
from tests.redisio.tls_server import Files

_YESTERDAY = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=1)


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Files:
    return tls_server.files(tmp_path_factory.mktemp("own"))


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Files:
    return tls_server.files(tmp_path_factory.mktemp("other"))


@pytest.fixture(scope="module")
def port(own: Files) -> Iterator[int]:
    leaf = own.authority.issue_cert("localhost", "redis.example.com")
    with tls_server.tls_server(own, leaf) as port:
        yield port


@pytest.fixture(scope="module")
def asking_port(own: Files, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """Of a server that asks for the client's certificate."""
    its = Files(tmp_path_factory.mktemp("asking"), own.authority)
    leaf = own.authority.issue_cert("localhost")
    with tls_server.tls_server(its, leaf, asks_for_certificate=True) as port:
        yield port


def _connect(url: str, options: TlsOptions) -> None:
    """Opens both kinds of connection."""
    complete = with_tls(url, options)
    with open_client(complete) as client:
        assert client.dbsize() == 0
    RawConnection(complete).close()


def _refusal(url: str, options: TlsOptions) -> str:
    """What both kinds of connection say, which is the same."""
    complete = with_tls(url, options)
    said = []
    for open_one in (open_client, RawConnection):
        with pytest.raises((ServerUnreachable, UsageError)) as caught:
            open_one(complete)
        said.append(str(caught.value))
    assert "\n" not in said[0]
    return said[0]


def test_a_server_of_an_own_authority_is_reached(port: int, own: Files) -> None:
    _connect(f"rediss://localhost:{port}/0", TlsOptions(ca=own.ca))


def test_a_server_is_asked_for_another_name_than_the_host(port: int, own: Files) -> None:
    _connect(f"rediss://127.0.0.1:{port}/0", TlsOptions(ca=own.ca, server_name="redis.example.com"))


def test_any_certificate_is_accepted_only_where_that_is_said(port: int) -> None:
    _connect(f"rediss://127.0.0.1:{port}/0", TlsOptions(is_insecure=True))


def test_the_clients_certificate_is_shown_to_a_server_that_asks(
    asking_port: int, own: Files
) -> None:
    cert, key = own.pair("client", own.authority.issue_cert("client"))
    _connect(f"rediss://localhost:{asking_port}", TlsOptions(ca=own.ca, cert=cert, key=key))


def test_an_unknown_authority_is_not_trusted(port: int, other: Files) -> None:
    url = f"rediss://localhost:{port}/0"
    assert "give its CA (--tls-ca)" in _refusal(url, TlsOptions())
    assert f"the CA in {other.ca} has not signed" in _refusal(url, TlsOptions(ca=other.ca))


def test_the_name_of_the_host_is_verified(port: int, own: Files) -> None:
    said = _refusal(f"rediss://127.0.0.1:{port}/0", TlsOptions(ca=own.ca))
    assert "for another host than 127.0.0.1: use a name that it holds" in said
    options = TlsOptions(ca=own.ca, server_name="elsewhere.example")
    assert "than elsewhere.example" in _refusal(f"rediss://localhost:{port}/0", options)


def test_an_expired_certificate_is_refused(own: Files, tmp_path: Path) -> None:
    leaf = own.authority.issue_cert("localhost", not_after=_YESTERDAY)
    with tls_server.tls_server(Files(tmp_path, own.authority), leaf) as port:
        said = _refusal(f"rediss://localhost:{port}/0", TlsOptions(ca=own.ca))
    assert said.endswith("has a certificate that has expired: renew it")


def test_a_server_that_wants_a_certificate_of_the_client_says_so(
    asking_port: int, own: Files, other: Files
) -> None:
    """With TLS 1.3 the server's own reason does not always arrive: then it is told as likely."""
    url = f"rediss://localhost:{asking_port}/0"
    assert "give it with --tls-cert and --tls-key" in _refusal(url, TlsOptions(ca=own.ca))
    strange = other.pair("stranger", other.authority.issue_cert("client"))
    old = own.pair("old", own.authority.issue_cert("client", not_after=_YESTERDAY))
    for (cert, key), why in ((strange, "authority it does not trust"), (old, "has expired")):
        said = _refusal(url, TlsOptions(ca=own.ca, cert=cert, key=key))
        assert why in said or "may refuse the client's certificate: check that" in said


@pytest.mark.slow
def test_a_server_without_tls_is_told_from_one_that_is_silent(embedded: EmbeddedServer) -> None:
    said = _refusal(f"rediss://127.0.0.1:{embedded.port}/0", TlsOptions())
    assert said.endswith("does not speak TLS: write redis:// in the URL")


def test_a_url_without_tls_to_a_server_with_it_names_the_remedy(port: int) -> None:
    with pytest.raises(ServerUnreachable, match="write rediss:// if it speaks TLS"):
        open_client(f"redis://localhost:{port}/0")


def test_files_are_checked_before_anybody_is_connected_to(own: Files, tmp_path: Path) -> None:
    url, junk = "rediss://127.0.0.1:1/0", tmp_path / "junk"
    junk.write_text("junk")
    cert, key = own.pair("first", own.authority.issue_cert("x"))
    _, key_of_another = own.pair("second", own.authority.issue_cert("x"))
    locked = tmp_path / "locked.key"
    subprocess.run(
        ["openssl", "pkey", "-aes256", "-passout", "pass:sesame", "-in", key, "-out", locked],
        check=True,
    )
    for options, message in (
        (TlsOptions(ca=tmp_path / "none"), f"--tls-ca (ssl_ca_certs): {tmp_path}/none: no such"),
        (TlsOptions(ca=junk), "junk: holds no certificate: give a PEM file"),
        (TlsOptions(cert=cert, key=key_of_another), f"is not the key of the certificate in {cert}"),
        (TlsOptions(cert=cert), "holds no certificate with its private key: add --tls-key"),
        (TlsOptions(key=key), "--tls-key needs --tls-cert"),
        (TlsOptions(cert=junk, key=junk), "hold no certificate and no key: give PEM files"),
        (TlsOptions(cert=cert, key=locked), "has a passphrase, for which nobody can be asked"),
    ):
        assert message in _refusal(url, options)


@pytest.mark.parametrize(
    ("url", "options", "message"),
    [
        ("redis://h", TlsOptions(is_insecure=True), "begins with redis://: write rediss://"),
        ("unix:///s", TlsOptions(ca=Path("ca")), "begins with unix://"),
        ("rediss://h?ssl_ca_certs=a", TlsOptions(ca=Path("ca")), "ssl_ca_certs say the same"),
        ("rediss://h", TlsOptions(ca=Path("ca"), is_insecure=True), "remove one of them"),
        ("rediss://h", TlsOptions(server_name="a b"), "its option 'ssl_server_name'"),
    ],
)
def test_flags_that_do_not_fit_the_url_are_refused(
    url: str, options: TlsOptions, message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        with_tls(url, options)


@pytest.mark.parametrize("url", ["rediss://h", "rediss://u:p%40@h:1/2?db=2", "rediss://h?db=3"])
def test_a_url_with_flags_leads_to_the_same_place(url: str) -> None:
    """Also with paths that hold what means something in a URL."""
    if url.endswith("/2?db=2"):
        url = url.removesuffix("?db=2")
    options = TlsOptions(ca=Path("/a b&c=%?/ca#.pem"), server_name="redis.example.com")
    before, after = parse(url), parse(with_tls(url, options))
    assert (after.address, after.user) == (before.address, before.user)
    assert after.tls == {
        "ssl_ca_certs": "/a b&c=%?/ca#.pem",
        "ssl_server_name": "redis.example.com",
    }


def test_variables_say_what_the_url_leaves_open() -> None:
    variables = {"BENCH_TLS_CA": "/ca", "BENCH_TLS_CERT": "/c", "BENCH_TLS_KEY": "/k"}
    assert parse(with_variables("rediss://h", variables)).tls == {
        "ssl_ca_certs": "/ca",
        "ssl_certfile": "/c",
        "ssl_keyfile": "/k",
    }
    assert with_variables("redis://h", variables) == "redis://h"
    said = "rediss://h?ssl_cert_reqs=none&ssl_certfile=/own"
    assert with_variables(said, variables) == said
    insecure = {**variables, "BENCH_TLS_INSECURE": "true"}
    assert parse(with_variables("rediss://h", insecure)).tls["ssl_cert_reqs"] == "none"
    for wrong in ("", "perhaps"):
        with pytest.raises(UsageError, match="BENCH_TLS_INSECURE"):
            with_variables("rediss://h", {"BENCH_TLS_INSECURE": wrong})
