"""Makes a client's row of the record from the repetitions that it measured."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from bench.clients.catalogue import Client
from bench.clients.result import ClientResult
from bench.measure.histogram import merged
from bench.records.clients_record import ClientRow, Figures, Repetition
from bench.records.summaries import summarise


@dataclass(frozen=True)
class ClientTrial:
    """One repetition: the client's result line, and the server's CPU time while its program ran."""

    line: ClientResult
    server_cpu_s: float | None
    """None where the server does not tell."""


@dataclass
class ClientTrials:
    """A client and its repetitions so far. At most one of ``skipped`` and ``failed`` is set."""

    client: Client
    trials: list[ClientTrial]
    runs_on: str = ""
    skipped: str = ""
    failed: str = ""

    def row(self) -> ClientRow:
        """The client's row. A client that failed has no figures, whatever it measured before."""
        client = self.client
        skipped = self.skipped
        if not self.trials and not self.failed:
            skipped = skipped or "interrupted before it was done"
        return ClientRow(
            name=client.name,
            does=client.does,
            round_trips=client.round_trips,
            batch=client.batch,
            runs_on=self.runs_on,
            figures=None if self.failed or not self.trials else figures(self.trials),
            skipped=skipped,
            failed=self.failed,
        )


def figures(trials: Sequence[ClientTrial]) -> Figures:
    """Medians over the repetitions, and their latencies merged."""
    rates = [trial.line.tasks / trial.line.elapsed_s for trial in trials]
    return Figures(
        tasks_per_s=median(rates),
        tasks_per_s_low=min(rates),
        tasks_per_s_high=max(rates),
        enqueue=summarise(merged(trial.line.histogram() for trial in trials)),
        client_cpu_us_per_task=median(
            trial.line.cpu_s / trial.line.tasks * 1e6 for trial in trials
        ),
        server_cpu_us_per_task=_server_cpu_us_per_task(trials),
        repetitions=[
            Repetition(
                elapsed_s=trial.line.elapsed_s,
                client_cpu_s=trial.line.cpu_s,
                server_cpu_s=trial.server_cpu_s,
            )
            for trial in trials
        ],
    )


def _server_cpu_us_per_task(trials: Sequence[ClientTrial]) -> float | None:
    """The median over the repetitions in which the server told its CPU time."""
    known = [
        trial.server_cpu_s / trial.line.tasks * 1e6
        for trial in trials
        if trial.server_cpu_s is not None
    ]
    return median(known) if known else None
