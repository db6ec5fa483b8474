"""Load testing and benchmarking for Redis task queues.

What is public is named in ``__all__``. It is imported when it is asked for, so that the processes
of a run, which import single modules of this package, stay small.
"""

from bench.version import __version__

TYPE_CHECKING = False  # as in typing, whose import would search the working folder of python -m
if TYPE_CHECKING:
    from bench.client import enqueue_task, task_status, wait_for_result

__all__ = ["__version__", "enqueue_task", "task_status", "wait_for_result"]


def __getattr__(name: str) -> object:
    if name in __all__:
        from bench import client  # noqa: PLC0415 - see above

        return getattr(client, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
