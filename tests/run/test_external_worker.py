"""An external worker as a process: its command, its output, its end."""

import os

import psutil
import pytest

from bench.errors import UsageError
from bench.ipc.messages import Stop
from bench.run import external_worker as external_worker_module
from bench.run.external_worker import ExternalWorker, command_of
from bench.usage import SINGLE_THREADED, limits_of_threads
from bench.workload.resolve import resolve
from bench.workload.scenario import Scenario


def scenario(**fields: object) -> Scenario:
    queues = {"inference_high": 1, "inference_low": 3}
    return resolve({"queues": queues, "rate": 500, "tasks": 400, **fields})


def test_the_places_of_a_command_are_filled_in_and_the_password_is_not_among_them() -> None:
    chosen = scenario(
        worker_command="w --at {host}:{port} -u {url} --for {parent} '{queues}' {priorities} "
        "'{\"json\": {}}'"
    )
    command = command_of(chosen, "redis://me:open-sesame@example:7000/3")
    assert command.words == (
        *("w", "--at", "example:7000", "-u", "redis://example:7000/3", "--for", "inference"),
        *("inference_high,inference_low", "inference_high=3,inference_low=1", '{"json": {}}'),
    )
    assert command.environment["BENCH_REDIS_URL"] == "redis://me:open-sesame@example:7000/3"


def external_worker(script: str, url: str = "redis://:open%20sesame@h:1/0") -> ExternalWorker:
    made = ExternalWorker("worker command", command_of(scenario(worker_command=script), url))
    made.start()
    return made


def test_a_worker_command_that_ends_is_reported_with_its_last_output() -> None:
    made = external_worker("sh -c 'for n in 1 2 3 4 5 6 7; do echo line $n; done; exit 4'")
    assert made.process is not None
    made.process.wait(10)
    assert made.exit_reason() == (
        "the worker command ended with exit code 4: line 3 | line 4 | line 5 | line 6 | line 7"
    )
    made.end()


@pytest.mark.parametrize("words", ["$BENCH_REDIS_URL", "'password: open sesame'", "open%20sesame"])
def test_the_output_of_a_worker_command_is_shown_without_the_password(words: str) -> None:
    made = external_worker(f'sh -c "echo connecting to {words}; exit 1"')
    assert made.process is not None
    made.process.wait(10)
    exit_reason = made.exit_reason()
    assert exit_reason is not None
    assert "connecting to" in exit_reason
    assert "sesame" not in exit_reason
    made.end()


@pytest.mark.parametrize("place", ["redis://h:1/0?", "unix:///tmp/a.sock?db=2&"])
def test_a_password_in_the_query_is_hidden_like_any_other(place: str) -> None:
    script = 'sh -c "echo $BENCH_REDIS_URL; echo open sesame; exit 1"'
    made = external_worker(script, f"{place}password=open%20sesame")
    assert made.process is not None
    made.process.wait(10)
    exit_reason = made.exit_reason()
    assert exit_reason is not None
    assert place.partition("?")[0] in exit_reason
    assert "sesame" not in exit_reason
    made.end()


def test_a_worker_command_with_much_output_fills_no_disk() -> None:
    made = external_worker("sh -c 'yes long-winded | head -c 30000000; echo the last; exit 1'")
    assert made.process is not None
    while made.process.poll() is None:
        made._refresh()  # as a run does now and then
    made._refresh()
    last, held = made.last_lines()[-1], os.fstat(made._output.fileno()).st_blocks * 512
    made.end()
    assert last == "the last"
    assert held < 2 << 20


def test_output_after_the_file_was_cut_is_shown_without_the_hole(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made = external_worker("sh -c 'echo before; exec sleep 600'")
    while not made.last_lines():
        pass
    monkeypatch.setattr(external_worker_module, "_MOST_BYTES", -1)
    made._refresh()
    assert os.fstat(made._output.fileno()).st_size == 0
    said = os.dup(made._output.fileno())  # its offset is the process's own
    os.write(said, b"after\n")
    os.close(said)
    lines = made.last_lines()
    made.end()
    assert lines == ["before", "after"]


@pytest.mark.slow
def test_a_child_that_left_the_process_group_of_a_worker_command_is_ended_too() -> None:
    made = external_worker("sh -c 'setsid sleep 600 & wait'")
    assert made.process is not None
    children: list[psutil.Process] = []
    while not children:
        children = psutil.Process(made.process.pid).children(recursive=True)
    made._refresh()
    made.end()
    psutil.wait_procs(children, timeout=10)
    assert not any(child.is_running() for child in children)


@pytest.mark.parametrize("place", ["{queue}", "{hots}", "{ports}"])
def test_a_place_that_is_all_but_right_is_refused(place: str) -> None:
    with pytest.raises(UsageError, match="unknown placeholder"):
        command_of(scenario(worker_command=f"w {place}"), "redis://h:1/0")


def test_what_a_shell_fills_in_is_left_to_it() -> None:
    command = command_of(scenario(worker_command="sh -c 'echo ${port} {weird}'"), "redis://h:1/0")
    assert "{weird}" in command.words[2]


def test_a_worker_command_that_was_told_to_stop_has_not_died() -> None:
    made = external_worker("sleep 60")
    assert made.exit_reason() is None
    assert not made.is_done
    made.send(Stop())
    assert made.process is not None
    made.process.wait(10)
    assert made.is_done
    assert made.exit_reason() is None
    made.end()


@pytest.mark.slow
def test_cpu_time_is_that_of_all_processes_of_a_worker_command() -> None:
    made = external_worker("sh -c 'python3 -c \"while True: pass\" & wait'")
    assert made.process is not None
    while (report := made.report) is None or report.cpu_s < 0.2:
        pass
    assert report.elapsed_s > 0
    made.end()
    assert made.process.returncode is not None


@pytest.mark.parametrize(
    ("url", "word", "filled"),
    [
        ("redis://[::1]:7000/3", "{host}:{port}", "[::1]:7000"),
        ("redis://[::1]:7000/3", "--host={host}", "--host=::1"),
        ("redis://[::1]:7000/3", "[{host}]:{port}", "[::1]:7000"),
        ("redis://[::1]:7000/3", "redis://{host}/{db}", "redis://[::1]/3"),
        ("redis://[::1]:7000/3", "{url}", "redis://[::1]:7000/3"),
        ("redis://h", "{url} {db}", "redis://h:6379/0 0"),
        ("redis://u:secret@h?db=5", "{url} {db}", "redis://h:6379/5 5"),
        ("unix://u:secret@/tmp/a.sock?db=5", "{url} {db}", "unix:///tmp/a.sock?db=5 5"),
        ("unix:///tmp/a.sock?password=secret", "{url}", "unix:///tmp/a.sock"),
        ("rediss://h?ssl_ca_certs=/a.pem", "{url}", "rediss://h:6379/0?ssl_ca_certs=/a.pem"),
        ("redis://h", "${port} {id} {}", "${port} {id} {}"),
        (
            "redis+sentinel://u:secret@h,[::1]:2/m/5",
            "{url}",
            "redis+sentinel://h:26379,[::1]:2/m/5",
        ),
        ("redis+sentinel://u:secret@h,i:2/m", "{sentinels} {master}", "h:26379,i:2 m"),
    ],
)
def test_a_place_leads_to_the_server_of_the_run_and_to_its_database(
    url: str, word: str, filled: str
) -> None:
    assert command_of(scenario(worker_command=f"w '{word}'"), url).words == ("w", filled)


@pytest.mark.parametrize("place", ["{host}:{port}", "{host}", "--port={port}"])
def test_a_unix_socket_has_no_host_and_no_port_to_fill_in(place: str) -> None:
    """A default in its place would be a bystander's server."""
    with pytest.raises(UsageError, match="the server is a unix socket"):
        command_of(scenario(worker_command=f"w {place}"), "unix:///tmp/a.sock")


@pytest.mark.parametrize(
    ("url", "place", "reason"),
    [
        ("redis+sentinel://h/m", "{host}:{port}", "use {sentinels} and {master}"),
        ("redis://h", "{sentinels}", "the Redis URL names no Sentinels"),
        ("redis://h", "{master}", "the Redis URL names no Sentinels"),
    ],
)
def test_a_master_has_no_lasting_place_and_a_server_no_sentinels(
    url: str, place: str, reason: str
) -> None:
    with pytest.raises(UsageError, match=reason):
        command_of(scenario(worker_command=f"w {place}"), url)


def test_a_worker_has_the_threads_that_its_user_gives_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """The limits of this project's own processes would change what is measured."""
    for name in SINGLE_THREADED:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("OMP_NUM_THREADS", "4")
    for name, value in limits_of_threads(os.environ).items():
        monkeypatch.setenv(name, value)
    command = command_of(scenario(worker_command="w"), "redis://h:1/0")
    assert {name for name in command.environment if "THREAD" in name} == {"OMP_NUM_THREADS"}
    assert command.environment["OMP_NUM_THREADS"] == "4"
