"""``python-pipelined``: redis-py with what it offers for many commands at once."""

import json
import uuid

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from bench.clients import program


def main() -> None:
    """Enqueue as the arguments say, and print the result line."""
    arguments = program.read_arguments()
    # Nothing is ever sent twice: a repeated enqueue would be two tasks.
    client = redis.Redis.from_url(arguments.url, retry=Retry(NoBackoff(), 0))
    pending = f"asynq:{arguments.queue}:pending"

    def enqueue(numbers: range) -> None:
        # Without a transaction: tasks do not depend on each other, and each is whole once its id
        # is in the list.
        with client.pipeline(transaction=False) as pipeline:
            for number in numbers:
                task_id = str(uuid.uuid4())
                fields = {
                    "type": "task",
                    "payload": json.dumps(program.payload(number)),
                    "retry": "0",
                    "max_retry": "3",
                    "queue": arguments.queue,
                }
                pipeline.hset(f"asynq:t:{task_id}", mapping=fields)  # type: ignore[arg-type]
                pipeline.lpush(pending, task_id)
            pipeline.execute()

    client.ping()
    program.write(program.measure("python-pipelined", arguments, enqueue))


if __name__ == "__main__":
    main()
