"""``redis-cli``: one process that reads each task's two commands, as in runqy's guide.

Each reply is awaited before the next command is written. The CPU time is that of redis-cli, from
the first task until it has ended.
"""

import json
import subprocess
import sys
import uuid
from typing import IO

import msgspec

from bench.clients import program
from bench.clients.redis_cli import process


def main() -> None:
    """Enqueue as the arguments say, and print the result line."""
    arguments = program.read_arguments()
    cli = process.start(arguments.url, [], subprocess.PIPE)
    if cli.stdin is None or cli.stdout is None:
        raise RuntimeError("the pipes were asked for")
    commands, replies = cli.stdin, cli.stdout

    def enqueue(numbers: range) -> None:
        for number in numbers:
            task_id = uuid.uuid4()
            payload = json.dumps(program.payload(number))
            _ask(
                commands,
                replies,
                f"HSET asynq:t:{task_id} type task payload '{payload}' retry 0 max_retry 3 "
                f"queue {arguments.queue}",
            )
            _ask(commands, replies, f"LPUSH asynq:{arguments.queue}:pending {task_id}")

    # redis-cli asks the server for the help on all commands before its first reply.
    if (answer := _reply_to(commands, replies, "PING")) != b"PONG":
        sys.exit(f"redis-cli answered PING with: {answer.decode(errors='replace')}")
    began_s = process.cpu_so_far_s(cli)
    line = program.measure("redis-cli", arguments, enqueue)
    commands.close()
    cpu_s = process.await_end(cli) - began_s
    if cli.returncode:
        sys.exit(f"redis-cli ended with exit code {cli.returncode}")
    program.write(msgspec.structs.replace(line, cpu_s=cpu_s))


def _ask(commands: IO[bytes], replies: IO[bytes], command: str) -> None:
    """Send a command whose reply is a number. Ends the process for any other reply."""
    answer = _reply_to(commands, replies, command)
    if not answer.isdigit():
        sys.exit(f"redis-cli answered {command!r} with: {answer.decode(errors='replace')}")


def _reply_to(commands: IO[bytes], replies: IO[bytes], command: str) -> bytes:
    commands.write(f"{command}\n".encode())
    commands.flush()
    return replies.readline().strip()


if __name__ == "__main__":
    main()
