"""The flags of TLS, and their variables, on the command line."""

from pathlib import Path

import pytest

from tests.cli.conftest import Bench
from tests.redisio import tls_server


def test_a_task_is_enqueued_and_read_over_tls(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the flags, and by the variables."""
    own = tls_server.files(tmp_path / "own")
    with tls_server.tls_server(own, own.authority.issue_cert("localhost")) as port:
        monkeypatch.setenv("BENCH_REDIS_URL", f"rediss://localhost:{port}/0")
        task = bench("enqueue", "a_b", "{}", "--tls-ca", str(own.ca))
        assert (task.code, task.err) == (0, "")
        refused = bench("status", task.out.strip())
        assert refused.code == 6
        assert "give its CA (--tls-ca)" in refused.err
        monkeypatch.setenv("BENCH_TLS_CA", str(own.ca))
        found = bench("status", task.out.strip())
        assert found.code == 0
        assert '"queue": "a_b"' in found.out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--tls-insecure"], "--tls-insecure is for a server with TLS, but no server is named"),
        (["--tls-ca", "a", "--redis-url", "redis://127.0.0.1:1"], "begins with redis://"),
        (["--tls-ca", "nowhere", "--redis-url", "rediss://127.0.0.1:1"], "nowhere: no such file"),
    ],
)
def test_flags_of_tls_that_do_nothing_are_refused(
    bench: Bench, words: list[str], message: str
) -> None:
    for command in (["run", "smoke"], ["ab", "smoke", "--b", "--rate 9/s"], ["verify"]):
        outcome = bench(*command, *words)
        assert outcome.code == 2
        assert message in outcome.err
        assert outcome.err.count("\n") == 1


def test_an_arm_may_have_its_own_certificates(bench: Bench) -> None:
    """What is given for both arms holds where an arm says nothing itself."""
    outcome = bench("ab", "smoke", "--redis-url", "rediss://127.0.0.1:1", "--b", "--tls-ca=mine")
    assert (outcome.code, outcome.err.count("\n")) == (6, 1)
    assert outcome.err.startswith("bench: arm A: no server at rediss://127.0.0.1:1/0")
    outcome = bench("ab", "smoke", "--redis-url", "rediss://127.0.0.1:1", "--a", "--tls-ca=mine")
    assert "arm A: --tls-ca (ssl_ca_certs)" in outcome.err


def test_no_file_of_a_project_says_whom_to_trust(bench: Bench, folder: Path) -> None:
    (folder / "bench.toml").write_text('[run]\ntls-ca = "ca.pem"\n')
    outcome = bench("run", "smoke")
    assert outcome.code == 2
    assert "bench.toml:2: no file may set 'tls-ca', which says whom to trust" in outcome.err
    assert "BENCH_TLS_CA" in outcome.err
