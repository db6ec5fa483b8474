"""``python-seed``: the function in runqy's guide, which makes a new client for each task."""

import json
import uuid

import redis

from bench.clients import program


def main() -> None:
    """Enqueue as the arguments say, and print the result line."""
    arguments = program.read_arguments()

    def enqueue_task(queue: str, payload: dict[str, str], max_retry: int = 3) -> str:
        r = redis.Redis.from_url(arguments.url)

        task_id = str(uuid.uuid4())

        # Create task hash
        r.hset(
            f"asynq:t:{task_id}",
            mapping={
                "type": "task",
                "payload": json.dumps(payload),
                "retry": "0",
                "max_retry": str(max_retry),
                "queue": queue,
            },
        )

        # Push to pending list
        r.lpush(f"asynq:{queue}:pending", task_id)

        return task_id

    def enqueue(numbers: range) -> None:
        for number in numbers:
            enqueue_task(arguments.queue, program.payload(number))

    redis.Redis.from_url(arguments.url).ping()
    program.write(program.measure("python-seed", arguments, enqueue))


if __name__ == "__main__":
    main()
