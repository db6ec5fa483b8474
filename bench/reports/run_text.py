"""Sentences and figures that all reports of a run share."""

from collections.abc import Iterator

from bench import units
from bench.analysis.metric_values import confidence_of
from bench.measure import priorities
from bench.measure.observation import Observation
from bench.names import ALL_QUEUES
from bench.records.formats import server_name
from bench.records.resources import NodeCosts
from bench.records.run_record import RunRecord, SloResult
from bench.reports import breakdown_text, confidence_text, machine_text
from bench.reports.arrivals_text import arrivals
from bench.reports.figures import cores
from bench.reports.until_text import until
from bench.workload.metrics import format_value, parse_objective
from bench.workload.network_text import network_text

NOT_TO_QUOTE = "do not quote these figures"
CLOSED_LOOP = "closed loop: there is no schedule, so a task is due when it is sent"


def verdict(record: RunRecord) -> str:
    """Returns the verdict in capitals: ``VALID``, ``GENERATOR LIMITED``."""
    return record.verdict.upper().replace("_", " ")


def headline(record: RunRecord) -> str:
    """Returns the verdict and the figures at a glance, on one line."""
    warning = "" if record.is_valid else f" {NOT_TO_QUOTE}:"
    return f"{verdict(record)}{warning} {summary(record)}"


def summary(record: RunRecord) -> str:
    """Returns the scenario's name, the rates, and the end-to-end latency."""
    enqueued = record.rates.enqueued_per_s
    text = f"{record.scenario.name}: "
    text += "no rate measured" if enqueued is None else f"{units.format_rate(enqueued)} enqueued"
    served = completed(record)
    if served:
        text += f", {served}"
    end_to_end = record.latency["e2e"][ALL_QUEUES]
    if end_to_end.count:
        text += (
            f", end to end p50 {confidence_text.duration(end_to_end, 'p50_s')}"
            f" and p99 {confidence_text.duration(end_to_end, 'p99_s')}"
        )
    return text


def throughput(record: RunRecord) -> Iterator[str]:
    """Yields what was offered, enqueued and completed, and how it was measured, a line each."""
    warm = warmup(record)
    yield (
        f"{offered(record)} · {enqueued_rate(record)} enqueued"
        f" · {completed(record) or no_completions(record)}"
        f" · over {units.format_duration(record.window_s)}"
        f"{f', after {warm}' if warm else ''}"
    )
    precise = until(record)
    if precise:
        yield precise
    if record.scenario.is_closed_loop:
        yield CLOSED_LOOP
    sent = arrivals(record)
    if sent:
        yield f"arrivals: {sent}"
    batched = batches(record)
    if batched:
        yield batched
    seen = observed(record)
    if seen:
        yield seen
    split = breakdown_text.sentence(record)
    if split:
        yield split


def footer(record: RunRecord) -> Iterator[str]:
    """Yields what limited the run, what a task costs Redis, and what was used, a line each."""
    resources, server = record.resources, record.server
    yield record.attribution
    alone = machine_text.hiccups(record)
    if alone:
        yield alone
    pinned = record.environment.get("pinning")
    if pinned:
        yield f"pinned to cores: {pinned}"
    through = network(record)
    if through:
        yield through
    per_task = costs(record)
    if per_task:
        yield f"Redis per task: {', '.join(per_task)}"
    yield from breakdown_text.server_lines(record)
    nodes = [text for node in resources.server_nodes if (text := _costs_of_node(node))]
    if nodes:
        yield f"of these by node: {'; '.join(nodes)}"
    yield (
        f"cores: server {cores(resources.server_cpu_cores)}, "
        f"workers {cores(resources.worker_cpu_cores)}, "
        f"generator {cores(resources.generator_cpu_cores)}{machine(record)}"
        f" · {server_name(server)} at {server.get('address')}"
        f" · clock {record.clock.domain}, error at most "
        f"{units.format_duration(record.clock.error_bound_s)}"
    )


def network(record: RunRecord) -> str:
    """Returns what the tasks went through, as asked and as measured; empty without a network."""
    use = record.network
    if use is None:
        return ""
    asked = use.asked
    text = "network: " + ("none but in faults" if asked.changes_nothing else network_text(asked))
    added_s, error_s = use.added_s, use.added_error_s
    if use.direct is None or use.through is None or added_s is None or error_s is None:
        return f"{text}, not measured"
    text += (
        f"; before the run a round trip took {units.format_duration(use.through.p50_s)} at p50 and "
        f"{units.format_duration(use.through.p99_s)} at p99 through the proxy, "
        f"{units.format_duration(added_s)} ± {units.format_duration(error_s)} more than directly"
    )
    resets = f", {use.resets:,} of them reset" if use.resets else ""
    return f"{text}; {use.connections:,} connections{resets}"


def _costs_of_node(node: NodeCosts) -> str:
    """Returns a node of a cluster and its share of what a task cost; empty for one without any."""
    in_memory = units.format_bytes(node.memory_bytes_per_task)
    figures = (
        (node.cpu_us_per_task, "{:.1f} µs CPU"),
        (node.commands_per_task, "{:.1f} commands"),
        (node.memory_bytes_per_task, f"{in_memory} of memory"),
    )
    texts = [text.format(value) for value, text in figures if value is not None]
    return f"{node.node} {', '.join(texts)}" if texts else ""


def offered(record: RunRecord) -> str:
    """Returns the offered load: ``offered 850/s``, or how a closed loop sends."""
    rate = record.rates.asked_per_s
    return "sent as fast as possible" if rate is None else f"offered {units.format_rate(rate)}"


def objective_value(record: RunRecord, objective: SloResult) -> str:
    """Returns the value that was measured for an objective of a run, with its unit and margin."""
    if objective.value is None:
        if objective.expression.startswith("recovery{"):
            return "no full recovery within the run, and without one an objective fails"
        return "nothing, and without data an objective fails"
    metric = parse_objective(objective.expression).metric
    if objective.at_most is None:
        interval = confidence_of(metric, record)
        return confidence_text.metric_value(metric, objective.value, interval)
    value = format_value(metric, objective.value)
    return f"at least {value} and at most {format_value(metric, objective.at_most)}"


def completed(record: RunRecord) -> str:
    """Returns the rates of workers: what was completed, and what finished where that is more."""
    rates = record.rates
    if rates.completed_per_s is None:
        return ""
    text = f"{completed_rate(record)} completed"
    finished = rates.finished_per_s
    if finished is not None and finished != rates.completed_per_s:
        text += f" of {units.format_rate(finished)} finished"
    return f"{text} in the drain" if record.scenario.worker_start == "after-fill" else text


def no_completions(record: RunRecord) -> str:
    """Returns what stands for the rates of workers where there are none."""
    return "no rate of completion measured" if record.counts.ended else "nothing completed"


def batches(record: RunRecord) -> str:
    """Returns in what the run's own workers differ from one that takes a task at a time; empty
    where they do not."""
    scenario = record.scenario
    if scenario.is_observed or scenario.workers == 0 or scenario.prefetch == 1:
        return ""
    return (
        f"each worker takes up to {scenario.prefetch:,} tasks at a time; most real ones take a "
        "single task, with more round trips: --prefetch 1 measures that"
    )


def observed(record: RunRecord) -> str:
    """Returns how completions were observed; empty where workers measured themselves."""
    observation = record.observation
    if observation is None:
        return ""
    method = observation.method
    if observation.resolution_p50_s is None or observation.resolution_p99_s is None:
        return f"completions were watched for from outside ({method}), but none was seen"
    exceptions = [
        f"; {units.format_count(count)} of them {what}"
        for count, what in (
            (observation.unended, "never seen to end"),
            (observation.unseen, "ended before the first look"),
        )
        if count
    ]
    return (
        f"completions observed from outside ({method}), each to within "
        f"{units.format_duration(observation.resolution_p50_s)} at p50 and "
        f"{units.format_duration(observation.resolution_p99_s)} at p99, so the true end-to-end "
        f"latency lies between e2e_earliest and e2e; "
        f"{units.format_count(observation.traced)} tasks traced "
        f"({observation.traced_share:.0%}){''.join(exceptions)}{_counters(observation)}"
    )


def _counters(observation: Observation) -> str:
    """Returns what else the outcomes rest on; empty where the tasks themselves show them."""
    if observation.counter_rules is None:
        return ""
    return (
        f"; outcomes of tasks that were deleted are those of the queues' counters, which count "
        f"{observation.counter_rules}"
    )


def enqueued_rate(record: RunRecord) -> str:
    """Returns the rate of enqueued tasks, with its margin."""
    return _rate(record, "enqueued_per_s")


def completed_rate(record: RunRecord) -> str:
    """Returns the rate of completed tasks: ``850/s``, or ``at least 800/s``."""
    bound = "at least " if record.counts.outcome_unknown else ""
    return f"{bound}{_rate(record, 'completed_per_s')}"


def _rate(record: RunRecord, field: str) -> str:
    """A rate with its margin where that is known."""
    rates = record.rates
    return confidence_text.rate(getattr(rates, field), rates.confidence.get(field))


def machine(record: RunRecord) -> str:
    """Returns what of the machine was in use, and by others; empty for older records."""
    use = record.resources.machine
    if use is None:
        return ""
    text = f"; machine {use.busy_cores:.2f} of {use.cores}{_limited_cores(record)}"
    if use.other_cores is not None:
        text += f", others {max(use.other_cores, 0.0):.2f}"
    return f"{text}, stolen {use.steal_cores:.2f}" if use.steal_cores >= 0.005 else text


def _limited_cores(record: RunRecord) -> str:
    """Returns how many cores there are where the run may not use all of them; else nothing."""
    known = record.environment
    there, usable, quota = (
        known.get(name) for name in ("cores", "usable_cores", "cpu_quota_cores")
    )
    text = f" usable of {there}" if usable is not None and usable != there else ""
    return f"{text}, quota {quota:g}" if isinstance(quota, float) else text


def drain_order(record: RunRecord) -> str:
    """Returns which sub-queues a drain served before those of higher priority; empty if none."""
    if record.scenario.worker_start != "after-fill":
        return ""
    medians = [each for each in record.inversions or () if each.statistic == "p50"]
    clauses = priorities.clauses(medians, is_drain=True)
    more = f", and {len(clauses) - 1} more pairs are inverted" if len(clauses) > 1 else ""
    return f"low priority first: {clauses[0]}{more}" if clauses else ""


def warmup(record: RunRecord) -> str:
    """Returns what was excluded as warm-up; empty where nothing was."""
    excluded = record.warmup
    if not excluded.left_out_s:
        return ""
    slowest = (
        f", the slowest {units.format_duration(excluded.e2e_max_s)}"
        if excluded.e2e_max_s is not None
        else ""
    )
    how = "detected" if excluded.method != "fixed" else "as configured"
    return (
        f"{units.format_duration(excluded.left_out_s)} of warm-up ({how};"
        f" {units.format_count(excluded.tasks)} tasks excluded{slowest})"
    )


def costs(record: RunRecord) -> list[str]:
    """Returns what one task cost Redis: CPU, commands, bytes and memory, where measured."""
    resources = record.resources
    on_the_wire = units.format_bytes(resources.server_bytes_per_task)
    in_memory = units.format_bytes(resources.server_memory_bytes_per_task)
    figures = (
        (resources.server_cpu_us_per_task, "{:.1f} µs CPU"),
        (resources.server_commands_per_task, "{:.1f} commands"),
        (resources.server_bytes_per_task, f"{on_the_wire} on the wire"),
        (resources.server_memory_bytes_per_task, f"{in_memory} of memory"),
    )
    return [text.format(value) for value, text in figures if value is not None]
