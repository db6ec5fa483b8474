"""``bench ab``: whole jobs of short runs, interrupted ones, and requests that make no sense."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import redis

from bench.analysis import voids
from bench.cli.gate_outputs import GateOutputs
from bench.jobs import ab_state
from bench.records import comparison_record, run_record
from bench.records.comparison_record import GateRecord
from bench.secrets import address
from tests.cli.conftest import Bench, interrupted
from tests.reports.test_gate import gate as worse
from tests.reports.test_gate import passed
from tests.talk import as_user

SHORT = ("ab", "smoke", "--duration", "300ms", "--rate", "200/s", "--noise-pairs", "1")
NAMES = ["noise-01-1-A.json", "noise-01-2-A.json", "pair-01-1-A.json", "pair-01-2-B.json"]


@pytest.mark.slow
def test_a_job_measures_both_arms_and_says_what_it_can(
    bench: Bench, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One of them on a server behind a password, whose URL stands in none of the job's files."""
    with redis.Redis.from_url(url) as client:
        rules = ("on", ">of-the-arm", "~*", "&*", "+@all")
        client.execute_command("ACL", "SETUSER", "arm", *rules)
    monkeypatch.setenv("OTHER_SERVER", as_user(url, "arm", "of-the-arm"))
    there = "--prefetch 1 --redis-url '$OTHER_SERVER'"
    outcome = bench(*SHORT, "--pairs", "1", "--b", there, "-o", "job")
    # One pair decides nothing; on a busy machine it may not even be valid.
    assert outcome.code in (3, 4), outcome.err
    assert "1 base-versus-base pair for the noise, then 1 pair: 4 runs" in outcome.err
    first, second = (run_record.load(Path("job") / name) for name in NAMES[2:])
    assert (first.scenario.prefetch, second.scenario.prefetch) == (16, 1)
    assert first.scenario.rate_per_s == second.scenario.rate_per_s == 200
    assert second.server["address"] == address(url)
    text = "".join(path.read_text() for path in Path("job").iterdir())
    assert "of-the-arm" not in text
    if outcome.code == 3:
        gate = comparison_record.load(Path("job/gate.json"))
        assert (gate.base.what, gate.candidate.what) == ("", there)
        assert gate.pairs == 1
        assert gate.noise_pairs in (0, 1)  # a spoilt one is replaced, but not twice
        assert outcome.out.startswith("INCONCLUSIVE  smoke: ")
        assert bench("report", "job").out.splitlines()[0] == outcome.out.splitlines()[0]


@pytest.mark.slow
def test_where_all_canaries_disagree_half_of_the_pairs_more_are_measured_and_none_compared(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a machine that is never twice the same, by thresholds that no two canaries keep."""
    monkeypatch.setattr(voids, "MOST_APART", dict.fromkeys(voids.MOST_APART, 1e-12))
    monkeypatch.setattr(voids, "LEAST_S", 0.0)
    outcome = bench(*SHORT, "--pairs", "1", "--b", "--prefetch 1", "-o", "job")
    assert outcome.code in (3, 4), outcome.err
    job = ab_state.load(Path("job"))
    valid = {(each.phase, each.number) for each in job.done} - {
        (each.phase, each.number) for each in job.done if each.verdict != "valid"
    }
    noted = {("noise" if each.is_noise else "pair", each.number) for each in job.void}
    assert len(job.done) == 8
    assert noted == valid
    if outcome.code == 3:
        gate = comparison_record.load(Path("job/gate.json"))
        assert (gate.pairs, gate.decision) == (0, "inconclusive")
        assert "void, because " in outcome.out
        assert "noise unknown" in outcome.out


@pytest.mark.slow
def test_an_interrupted_job_is_saved_and_goes_on(bench: Bench, tmp_path: Path) -> None:
    """The runs that were there stay as they are, and the one that was cut short is made again.

    How long a run takes is unknown before the first one, which therefore decides how many fit.
    """
    load = ("--tasks", "50", "--rate", "max", "--workers", "0", "--gate", "enqueue.p50")
    pairs = ("--noise-pairs", "1", "--pairs", "1", "--allow", "same")
    first = tmp_path / "job" / NAMES[0]
    code, errors = interrupted(tmp_path, ("ab", "smoke", *load, *pairs, "-o", "job"), first.exists)
    assert code == 130, errors
    assert "the first run shows how many pairs fit into 5.0 min" in errors
    assert errors.splitlines()[-1] == ("bench: interrupted; continue with: bench ab --resume job")
    done = [each.file for each in ab_state.load(tmp_path / "job").done]
    assert done in ([], NAMES[:1])  # the first may have been cut just as it was saved
    before = first.read_bytes()
    outcome = bench("ab", "--resume", "job")
    assert outcome.code in (3, 4), outcome.err
    job = ab_state.load(Path("job"))
    assert job.plan is not None
    assert job.plan.run_s == job.done[0].seconds
    # On a busy machine a run may be invalid, and another replaces it.
    assert [each.file for each in job.done if each.file in NAMES] == NAMES
    if done:
        assert first.read_bytes() == before
        assert ", 1 run already made" in outcome.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "the arms do not differ"),
        (("--b", "--nonesuch 1"), "arm B: unknown flag --nonesuch"),
        (("--b", "backlog"), "arm B: 'backlog' is not a flag; both arms share the scenario"),
        (("--b", "--output x.json"), "arm B: --output: the job sets it"),
        (("--b", "--keep"), "arm B: --keep: the job sets it"),
        (("--b", "--until 'e2e.p99 ±5%'"), "arm B: --until: the runs of one command are compared"),
        (("--a", "--rate 0"), "arm A: --rate: the rate must be above zero"),
        (("--a", "--service-time 'oops"), "arm A: No closing quotation"),
        (
            ("--b", "--redis-url redis://:open-sesame@127.0.0.1:1"),
            "arm B: the job's file would hold the password",
        ),
        (("--b", "--redis-url '$NONESUCH'"), "arm B: the environment variable NONESUCH is not set"),
        (("--b", "--prefetch 1", "--budget", "soon"), "'soon' is not a duration"),
        (("--b", "--prefetch 1", "--budget", "10s"), "a budget of 10.0 s is too small: 6 pairs"),
        (("--b", "--prefetch 1", "--pairs", "0"), "--pairs must be from 1 to 1000, not 0"),
        (("--b", "--prefetch 1", "--gate", "speed"), "'speed' is not measured"),
        (("--b", "--prefetch 1", "-o", "file/job"), "cannot write file/job/job.json"),
        (("--base-ref", "nonesuch"), "--base-ref: this folder is in no git repository"),
        (
            ("--resume", "nowhere", "--rate", "5/s"),
            "continues nowhere as it was started; remove smoke, --rate, or start a new one",
        ),
    ],
)
def test_a_request_that_makes_no_sense_is_one_line_and_exit_code_2(
    bench: Bench, words: tuple[str, ...], said: str
) -> None:
    Path("file").write_text("")
    outcome = bench("ab", "smoke", *words)
    assert (outcome.code, outcome.out, outcome.err.count("\n")) == (2, "", 1), outcome.err
    assert said in outcome.err
    assert "open-sesame" not in outcome.err


def test_records_of_another_job_are_not_mixed_with_those_of_a_new_one(bench: Bench) -> None:
    folder = Path("my job")
    folder.mkdir()
    for name in ("job.json", "noise-01-1-A.json"):
        (folder / name).write_text("before")
    outcome = bench("ab", "smoke", "--b", "--prefetch 1", "-o", str(folder))
    assert (outcome.code, outcome.out, outcome.err.count("\n")) == (2, "", 1)
    assert "already holds a job: continue it with --resume 'my job', or name" in outcome.err
    assert {path.read_text() for path in folder.iterdir()} == {"before"}


def test_a_job_that_is_not_there_cannot_be_resumed(bench: Bench) -> None:
    outcome = bench("ab", "--resume", "nowhere")
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err.startswith("bench: nowhere: no job to resume: ")


@pytest.mark.parametrize(
    "flag",
    [
        *(("--gate", "e2e.p99"), ("--margin", "50%"), ("--pairs", "2"), ("--budget", "9m")),
        *(("--noise-pairs", "5"), ("--allow", "server"), ("--a", "--prefetch 1")),
        *(("--redis-url", "redis://127.0.0.1:1"), ("--base-ref", "v1"), ("--output", "other")),
    ],
    ids=lambda flag: flag[0],
)
def test_what_a_job_began_with_cannot_be_changed_when_it_is_resumed(
    bench: Bench, flag: tuple[str, str]
) -> None:
    """Least of all what decides: the margin would be that of the beginning, without a word."""
    outcome = bench("ab", "--resume", "nowhere", *flag)
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err == (
        "bench: --resume continues nowhere as it was started; "
        f"remove {flag[0]}, or start a new one\n"
    )


def test_a_decision_that_could_not_be_saved_is_told_before_anything_is_measured(
    bench: Bench,
) -> None:
    Path("job/gate.json").mkdir(parents=True)
    outcome = bench("ab", "smoke", "--b", "--prefetch 1", "-o", "job")
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err == "bench: cannot write job/gate.json: it is a folder; name a file\n"


@pytest.mark.parametrize(("gate", "code"), [(worse(), 1), (passed(), 2)], ids=["worse", "passed"])
def test_a_decision_that_cannot_be_saved_is_still_made_and_written_elsewhere(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    gate: GateRecord,
    code: int,
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    Path("gate.json").mkdir()
    outputs = GateOutputs(junit=Path("junit.xml"))
    assert outputs.write(gate, Path(), Path("gate.json")) == code
    out, err = capsys.readouterr()
    assert out.startswith(("REGRESSION  default", "NO WORSE  default"))
    assert err.startswith("bench: cannot write gate.json: it is a folder; name a file; it was ")
    assert Path("junit.xml").read_text().startswith("<?xml")


@pytest.mark.parametrize("label", ["A", "B"])
@pytest.mark.parametrize(
    ("arm", "code", "said"),
    [
        ("--server-binary nonesuch", 2, "--server-binary nonesuch: no such program"),
        ("--server-config none.conf", 2, "--server-config none.conf: No such file"),
        ("--redis-url redis://127.0.0.1:1/0", 6, "no server at redis://127.0.0.1:1/0"),
        ("--payload-file none.jsonl", 2, "none.jsonl: No such file"),
        ("--worker-command ./nonesuch", 2, "worker_command: ./nonesuch: no such program"),
        ("--worker-command 'sh {hosts}'", 2, "worker_command: unknown placeholder '{hosts}'"),
        ("--layout nonesuch", 2, "nonesuch"),
        ("--restarts 0", 2, "--restarts must be from 1"),
    ],
)
def test_an_arm_that_cannot_run_is_refused_before_the_first_run(
    bench: Bench, label: str, arm: str, code: int, said: str
) -> None:
    outcome = bench(*SHORT, "--pairs", "1", f"--{label.lower()}", arm, "-o", "job")
    assert (outcome.code, outcome.out, outcome.err.count("\n")) == (code, "", 1), outcome.err
    assert outcome.err.startswith(f"bench: arm {label}: ")
    assert said in outcome.err
    assert not Path("job/job.json").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--gate", "e2e{nonesuch}.p99"), "no queue 'nonesuch'"),
        (("--gate", "e2e_earliest.p99"), "it is the lower bound for an external worker"),
        (("--workers", "0", "--gate", "completed.rate"), "without workers no task ends"),
    ],
)
def test_a_metric_that_an_arm_cannot_have_is_refused_before_the_first_run(
    bench: Bench, words: tuple[str, ...], said: str
) -> None:
    outcome = bench("ab", "smoke", "--b", "--pipeline 2", *words)
    assert (outcome.code, outcome.out, outcome.err.count("\n")) == (2, "", 1), outcome.err
    assert f"--gate: {words[-1]!r}: {said}" in outcome.err


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project of two revisions; what it installs as ``bench`` notes that it was called."""
    folder = tmp_path / "repository"
    folder.mkdir()
    (folder / "pyproject.toml").write_text(
        '[build-system]\nrequires = ["setuptools"]\nbuild-backend = "setuptools.build_meta"\n'
        '[project]\nname = "runqy-bench"\nversion = "1"\nscripts = {bench = "shim:main"}\n'
        '[tool.setuptools]\npy-modules = ["shim"]\n'
    )
    program = (
        "import os, sys\nfrom pathlib import Path\n\n\ndef main():\n"
        f"    with Path({str(tmp_path / 'called')!r}).open('a') as file:\n"
        "        file.write('REVISION ' + os.environ.get('PYTHONSAFEPATH', '') + '\\n')\n"
        f"    os.execv({sys.executable!r}, [{sys.executable!r}, '-m', 'bench', *sys.argv[1:]])\n"
    )

    def git(*words: str) -> None:
        identity = ("-c", "user.name=x", "-c", "user.email=x@example.org")
        subprocess.run(["git", *identity, *words], cwd=folder, check=True, capture_output=True)

    git("init", "--initial-branch", "main")
    for revision in ("old", "new"):
        (folder / "shim.py").write_text(program.replace("REVISION", revision))
        git("add", ".")
        git("commit", "--message", revision)
        git("tag", revision)
    monkeypatch.chdir(folder)
    return folder


@pytest.mark.slow
def test_the_base_can_be_another_revision_in_an_environment_of_its_own(
    bench: Bench, repository: Path, tmp_path: Path
) -> None:
    outcome = bench(*SHORT, "--pairs", "1", "--base-ref", "old", "-o", str(tmp_path / "job"))
    if "No matching distribution found for setuptools" in outcome.err:
        pytest.skip("there is no package index here to install a revision from")
    assert outcome.code in (3, 4), outcome.err
    called = (tmp_path / "called").read_text().splitlines()
    assert set(called) == {"old 1"}  # and cannot find this folder's modules
    job = json.loads((tmp_path / "job" / "job.json").read_text())
    assert len(called) == sum(each["arm"] == "A" for each in job["done"])
    left = subprocess.run(
        ["git", "worktree", "list"], cwd=repository, check=True, capture_output=True, text=True
    )
    assert len(left.stdout.splitlines()) == 1
