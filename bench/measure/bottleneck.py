"""Names the part of a run that ran out of CPU time."""

_BUSY_CORES = 0.9


def attribute(
    server_cores: float | None,
    cores_per_worker: float | None,
    cores_per_producer: float | None,
) -> str:
    """Returns one sentence that names what a run was bound by.

    The first of server, workers and producers that used 0.9 cores or more is named; if none did,
    the sentence says so. None stands for a part that was not measured.
    """
    if server_cores is not None and server_cores >= _BUSY_CORES:
        return f"server-bound: Redis used {server_cores:.2f} of the core that runs its commands"
    if cores_per_worker is not None and cores_per_worker >= _BUSY_CORES:
        return f"worker-bound: each worker process used {cores_per_worker:.2f} cores; add workers"
    if cores_per_producer is not None and cores_per_producer >= _BUSY_CORES:
        return (
            f"generator-bound: each producer process used {cores_per_producer:.2f} cores; "
            "add producers"
        )
    return "not CPU-bound: server, workers and producers all had spare CPU time"
