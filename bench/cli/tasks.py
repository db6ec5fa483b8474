"""``bench enqueue``, ``status`` and ``result``: single tasks from the command line."""

import json
import sys
from typing import Annotated

from cyclopts import Parameter

from bench import client
from bench.cli.arguments import WHOLE, read_flag
from bench.cli.options import ServerFlags
from bench.errors import UsageError
from bench.units import parse_duration

_EXAMPLE = '{"input": "hello"}'


def enqueue(
    queue: str,
    payload: str,
    /,
    *,
    max_retry: Annotated[
        int, WHOLE, Parameter(help="Number of attempts after the first. Example: 5")
    ] = 3,
    where: ServerFlags | None = None,
) -> int:
    """Enqueue one task and print its id.

    Parameters
    ----------
    queue
        A sub-queue, such as inference_default.
    payload
        A JSON object, such as '{"input": "hello"}'.
    """
    try:
        value = json.loads(payload)
    except RecursionError:
        raise UsageError("the payload is nested too deeply for JSON's readers") from None
    except ValueError as error:
        raise UsageError(
            f"the payload is not JSON: {error}; use for example '{_EXAMPLE}'"
        ) from None
    if not isinstance(value, dict):
        raise UsageError(f"the payload must be a JSON object; use for example '{_EXAMPLE}'")
    url = (where or ServerFlags()).url()
    sys.stdout.write(client.enqueue_task(queue, value, max_retry, url=url) + "\n")
    return 0


def status(task_id: str, /, *, where: ServerFlags | None = None) -> int:
    """Print a task's fields and state as JSON.

    Bytes of a field that are not UTF-8 are written as \\xff.

    Parameters
    ----------
    task_id
        Id that 'bench enqueue' printed.
    """
    url = (where or ServerFlags()).url()
    sys.stdout.write(json.dumps(client.task_status(task_id, url=url), indent=1) + "\n")
    return 0


def result(
    task_id: str,
    /,
    *,
    timeout: Annotated[
        str, Parameter(metavar="DURATION", help="How long to wait. Example: 5s")
    ] = "30s",
    where: ServerFlags | None = None,
) -> int:
    """Wait for a task's result and print it as JSON.

    A result that is not JSON is printed as a JSON string.

    Parameters
    ----------
    task_id
        Id that 'bench enqueue' printed.
    """
    timeout_s = read_flag("--timeout", parse_duration, timeout)
    url = (where or ServerFlags()).url()
    found = client.wait_for_result(task_id, timeout_s, url=url)
    sys.stdout.write(json.dumps(found, indent=1) + "\n")
    return 0
