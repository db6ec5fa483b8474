"""What the helps say beside the flags: concepts, sections of commands, and whole command lines."""

from collections.abc import Mapping, Sequence

SUMMARY = "Load testing and benchmarking for Redis task queues."
CONCEPTS = """\
run         tasks are enqueued, served and measured, once: 'bench run'
rate        tasks that fall due per second, whether or not the queue keeps up
worker      takes tasks from the queues and runs them, one or several at a time
queue       where tasks wait; a run has a few sub-queues, with priorities
percentile  p99 = 20 ms: 99 of 100 tasks took at most 20 ms
objective   a bound that a run must meet: --slo 'e2e.p99 < 50ms'
record      the JSON file of what a run measured; all reports come from it
page        a record as one HTML file: 'bench report RECORD --html page.html'"""
"""The eight terms that the first runs need, each in a line that fits into 80 columns."""
SETTINGS = (
    "A variable sets any flag (BENCH_RATE=500/s, BENCH_AB_BUDGET=10m), and bench.toml or "
    "[tool.bench] in pyproject.toml sets a project's own defaults. The command line comes first, "
    "then variables, then the file, then the scenario."
)
EXIT_CODES = (
    "Exit codes: 0 passed, 1 regression, 2 usage, 3 inconclusive, 4 invalid measurement, "
    "5 objective missed, 6 no server, 7 ended by a guard, 70 internal error, 130 interrupted."
)

SECTIONS: Mapping[str, Sequence[str]] = {
    "First steps": ("run", "report", "init", "scenarios"),
    "Compare and decide": (
        *("compare", "ab", "history", "sweep", "capacity", "plan", "chaos", "clients"),
    ),
    "Workers and single tasks": ("worker", "enqueue", "status", "result"),
    "Maintenance": ("selftest", "verify", "clean", "acl", "export", "schema", "completion"),
}
"""Headings of the list of commands, and the commands under each, those to try first at the top."""

USAGE: Mapping[str, str] = {
    "run": "[SCENARIO] [FLAGS]",
    "worker": "PARENT [FLAGS]",
    "report": "RECORD... [FLAGS]",
    "compare": "BASE... -- CANDIDATE... [FLAGS]",
    "ab": "[SCENARIO] --a FLAGS --b FLAGS [FLAGS]",
    "capacity": "[SCENARIO] (--workers COUNTS | --slots COUNTS) [FLAGS]",
    "sweep": "[SCENARIO] (--rate RATES | --levels FIELD=VALUES) [FLAGS]",
    "plan": "RECORD --rate RATE [FLAGS]",
    "chaos": "[SCENARIO] [FLAGS]",
    "selftest": "[FLAGS]",
    "clients": "[FLAGS]",
    "history": "[RECORD...] [FLAGS]",
    "export": "RECORD (--hgrm | --csv | --hdr) [FLAGS]",
    "init": "[FLAGS]",
    "scenarios": "[NAME]",
    "schema": "KIND",
    "clean": "RECORD [FLAGS]",
    "verify": "[FLAGS]",
    "enqueue": "QUEUE PAYLOAD [FLAGS]",
    "status": "TASK-ID [FLAGS]",
    "result": "TASK-ID [FLAGS]",
    "acl": "ROLE [FLAGS]",
    "completion": "bash|zsh|fish",
}
"""What follows the name of a command."""

EXAMPLES: Mapping[str, Sequence[tuple[str, str]]] = {
    "run": (
        ("bench run", "the default scenario, on a server of its own"),
        ("bench run -r 5000/s -d 1m", "another rate, for a minute"),
        ("bench run -r max -n 100000 -c 8", "as fast as possible: 100,000 tasks, 8 at a time"),
        ("bench run --slo 'e2e.p99 < 50ms'", "exits with 5 where the objective is missed"),
        ("bench run --faults '10s restart server'", "what a restart loses, and when it is over"),
        ("bench run ramp -o ramp.json -q", "another scenario; only the record"),
    ),
    "worker": (
        ("bench worker inference", "serve inference_high, _default and _low"),
        (
            "bench worker inference -c 8 --service-time exp:2ms",
            "eight tasks of some 2 ms at a time",
        ),
    ),
    "report": (
        ("bench report run.json", "the report of a run, again"),
        ("bench report run.json --html page.html", "one page, to read and to send"),
        ("bench report monday.json friday.json --html both.html", "runs side by side on a page"),
        ("bench report results/", "all runs in a folder"),
    ),
    "compare": (
        ("bench compare old.json -- new.json --allow order", "two runs"),
        ("bench compare old/ -- new/ --gate e2e.p99 --margin 10%", "folders of runs, one metric"),
    ),
    "ab": (
        ("bench ab --base-ref origin/main", "this working tree against a revision"),
        ("bench ab --a '--prefetch 1' --b '--prefetch 64' --budget 10m", "two settings"),
        ("bench ab --resume results/ab-default", "go on after an interruption"),
    ),
    "capacity": (
        ("bench capacity --workers 1,2,4 --slo 'e2e.p99 < 50ms'", "by worker processes"),
        ("bench capacity --slots 1,2,4,8 --slo 'e2e.p99 < 50ms'", "by tasks at a time"),
    ),
    "sweep": (
        ("bench sweep -r 1000/s..20000/s/10 --repeat 3", "latency against load"),
        ("bench sweep -L prefetch=1,8,64 -L payload_size=100B,10kB", "every combination"),
        (
            "bench sweep -r 100/s..1600/s/5 --spacing geometric --dry-run",
            "the levels, each twice the one before, and their time",
        ),
        ("bench sweep --resume results/20260101-120000-sweep.json", "go on after an interruption"),
    ),
    "plan": (
        ("bench plan capacity.json -r 12000/s", "workers and servers for a rate"),
        ("bench plan capacity.json -r 12000/s --memory 16GB --keep 24h", "with their memory"),
    ),
    "chaos": (
        ("bench chaos", "every fault that is possible, each in a run of 15 s"),
        ("bench chaos --only restart,stall --repeat 6", "two of them, with intervals"),
        (
            "bench chaos --slo 'lost{restart} == 0' --slo 'recovery{all}.time < 5s'",
            "exits with 5 where one of them is missed",
        ),
        ("bench chaos --resume results/20260101-120000-chaos.json", "go on after an interruption"),
    ),
    "selftest": (
        ("bench selftest -o selftest.json", "two minutes, on an idle machine"),
        ("bench run --selftest selftest.json", "a run whose report says what it found"),
        ("bench selftest --quick", "half a minute"),
    ),
    "clients": (
        ("bench clients", "every way to enqueue that is installed here"),
        ("bench clients -n 20000 --only python-seed,python-pipelined", "two of them"),
    ),
    "history": (
        ("bench history", "the runs that were saved here"),
        ("bench history nightly/ --scenario default --metric e2e.p99", "one trend"),
    ),
    "export": (
        ("bench export run.json --csv > seconds.csv", "a row per second, for a spreadsheet"),
        ("bench export run.json --hgrm --queue inference_high", "for HdrHistogram's plotter"),
    ),
    "init": (
        ("bench init", "asks, and writes my-queue.toml"),
        ("bench init --redis-url redis://10.0.0.5", "from a server, which is only read"),
        ("bench init --yes -o orders.toml -r 300/s", "without questions"),
    ),
    "scenarios": (
        ("bench scenarios", "the list"),
        ("bench scenarios default > mine.toml", "a copy to change; then bench run mine.toml"),
    ),
    "schema": (("bench schema scenario > scenario.schema.json", "for an editor's checks"),),
    "acl": (
        ("bench acl run --queues orders_high,orders_low", "for 'bench run'"),
        ("bench acl verify", "for 'bench verify': all queues, only to read"),
    ),
    "clean": (("bench clean run.json", "on the server in BENCH_REDIS_URL"),),
    "verify": (
        ("bench verify", "all queues of the server in BENCH_REDIS_URL"),
        ("bench verify --queues inference_high --sample 10000", "one queue, more thoroughly"),
    ),
    "enqueue": (('bench enqueue inference_default \'{"input": "hello"}\'', "prints its id"),),
    "status": (("bench status 1b4e28ba", "the id that 'bench enqueue' printed"),),
    "result": (("bench result 1b4e28ba --timeout 5s", "waits up to 5 s"),),
    "completion": (
        ("source <(bench completion bash)", "for this shell"),
        ("bench completion fish > ~/.config/fish/completions/bench.fish", "for good"),
    ),
}
"""Whole command lines for each command, with what each is for."""


def epilogue(command: str) -> str:
    """Returns what a command's help ends with: whole command lines, then the exit codes."""
    lines = EXAMPLES.get(command, ())
    if not lines:
        return EXIT_CODES
    shown = "\n".join(f"  {line}\n      {meaning}" for line, meaning in lines)
    return f"Examples:\n{shown}\n\n{EXIT_CODES}"


def section_of(command: str) -> tuple[str, int]:
    """Returns the heading of a command and its place below it; the last one for any other."""
    for heading, commands in SECTIONS.items():
        if command in commands:
            return heading, commands.index(command)
    last = list(SECTIONS)[-1]
    return last, len(SECTIONS[last])
