"""What a run was bound by, in words."""

_BUSY_CORES = 0.9


def attribute(
    server_cores: float | None,
    cores_per_worker: float | None,
    cores_per_producer: float | None,
) -> str:
    """One sentence: the first part that had no time left, or that none was short of it."""
    if server_cores is not None and server_cores >= _BUSY_CORES:
        return f"server-bound: Redis used {server_cores:.2f} of the core that runs its commands"
    if cores_per_worker is not None and cores_per_worker >= _BUSY_CORES:
        return f"worker-bound: each worker process used {cores_per_worker:.2f} cores"
    if cores_per_producer is not None and cores_per_producer >= _BUSY_CORES:
        return f"generator-bound: each producer process used {cores_per_producer:.2f} cores"
    return "not CPU-bound: server, workers and producers all had time left"
