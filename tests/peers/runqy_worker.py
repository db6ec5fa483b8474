"""A stand-in for today's runqy-worker, written with redis-py: a test peer that can fail on purpose.

    python runqy_worker.py SUMMARY QUEUE=WEIGHT... [options]

The server is in BENCH_REDIS_URL. It takes tasks that asynq's client wrote (or the same with plain
fields) from braced keys, one at a time, and leaves in Redis what runqy-worker leaves. Each event is
one JSON line in SUMMARY.log, which several processes may share and which survives a SIGKILL; at
its end the worker writes the sum of that file, ``read_log``, to SUMMARY. A task has two numbers
that the options for faults refer to: how many tasks this process had taken by then, repeated ones
included, and which distinct task it is, in the order in which they were first taken.
"""

import argparse
import contextlib
import json
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import redis
from redis.backoff import ExponentialBackoff
from redis.retry import Retry

from bench.layouts.asynq.codec import parse

RAN = ("succeeded", "failed", "retried")
"""Events that end an attempt."""
FINAL_FAILURES = ("failed", "timed_out", "expired_archived")
_CENTURY_S = 100 * 365 * 86_400
"""Until when a task without a TTL is kept."""
_MAX_ERRORS = 50
"""After so many failed commands in a row the server is taken to be gone for good."""

_RELEASE = """
local removed = redis.call('LREM', KEYS[1], 0, ARGV[1])
redis.call('ZREM', KEYS[2], ARGV[1])
"""
_SCRIPTS = {
    "activate": """
redis.call('LPUSH', KEYS[1], ARGV[1])
redis.call('ZADD', KEYS[2], ARGV[2], ARGV[1])
redis.call('HSET', KEYS[3], 'state', 'active')
redis.call('HDEL', KEYS[3], 'pending_since')
""",
    "release": _RELEASE,
    "delete": _RELEASE + "redis.call('DEL', KEYS[3])",
    # Arguments from the second: score, TTL in ms or 0, then the fields to write.
    "keep": _RELEASE
    + """
redis.call('ZADD', KEYS[4], ARGV[2], ARGV[1])
redis.call('HSET', KEYS[3], unpack(ARGV, 4))
if tonumber(ARGV[3]) > 0 then redis.call('PEXPIRE', KEYS[3], ARGV[3]) end
""",
    "retry": _RELEASE
    + """
redis.call('ZADD', KEYS[4], ARGV[2], ARGV[1])
redis.call('HINCRBY', KEYS[3], 'retried', 1)
redis.call('HSET', KEYS[3], unpack(ARGV, 3))
""",
    "requeue": _RELEASE
    + """
if removed > 0 then
  redis.call('LPUSH', KEYS[4], ARGV[1])
  redis.call('HSET', KEYS[3], 'state', 'pending')
end
""",
    "forward": """
if redis.call('ZREM', KEYS[1], ARGV[1]) == 1 then
  redis.call('LPUSH', KEYS[2], ARGV[1])
  redis.call('HSET', KEYS[3], 'state', 'pending', 'pending_since', ARGV[2])
end
""",
}
"""The steps of a task. Keys: active, lease, the task's hash, and where the id goes; those of
``forward``: from where, to where, the task's hash. The first argument is the id."""


@dataclass(frozen=True)
class PoppedTask:
    """A task as its hash describes it."""

    id: str
    queue: str
    fields: Mapping[bytes, bytes]
    retried: int
    max_retry: int

    @staticmethod
    def read(task_id: str, queue: str, fields: Mapping[bytes, bytes]) -> "PoppedTask":
        """Raises ValueError if the message or a number cannot be read."""
        retried = int(fields.get(b"retried", b"0"))
        if b"msg" not in fields:
            limit = int(fields.get(b"max_retry", b"0"))
            return PoppedTask(task_id, queue, fields, retried, limit)
        message = parse(task_id, fields[b"msg"])
        return PoppedTask(task_id, queue, fields, max(retried, message.retried), message.retry)

    def seconds(self, name: str, default: float) -> float:
        """A duration that the task carries itself, or the worker's own."""
        text = self.fields.get(name.encode())
        return default if text is None else float(text)

    def pending_s(self) -> float:
        """For how long it has been pending, at least; 0 if it does not say since when."""
        since = int(self.fields.get(b"pending_since", b"0"))
        if since < 1e12:  # whole seconds, as the forwarder writes them: up to one second later
            return time.time() - since - 1 if since else 0.0
        return time.time() - since / 1e9


def key(queue: str, name: str) -> str:
    """A key of a queue; the braces are part of it."""
    return f"asynq:{{{queue}}}:{name}"


def read_log(path: Path) -> dict[str, Any]:
    """Sums up the events of all processes that wrote this file; zeros if there is none.

    ``succeeded`` and ``failed`` (for good, for whatever reason) are distinct ids; ``run_again`` is
    the number of attempts that ended after the same id had succeeded; the rest are numbers of
    events. ``by_queue`` has the same of each queue.
    """
    events = _events(path)
    by_queue = defaultdict(list)
    for event in events:
        by_queue[event["queue"]].append(event)
    return {
        **_summed(events),
        "by_queue": {queue: _summed(by_queue[queue]) for queue in sorted(by_queue)},
    }


def _events(path: Path) -> list[dict[str, str]]:
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def _summed(events: Iterable[dict[str, str]]) -> dict[str, int]:
    counts: Counter[str] = Counter()
    ids: defaultdict[str, set[str]] = defaultdict(set)
    run_again = 0
    for event in events:
        name = event["event"]
        run_again += name in RAN and event["id"] in ids["succeeded"]
        counts[name] += 1
        ids[name].add(event["id"])
    failed = set().union(*(ids[name] for name in FINAL_FAILURES))
    others = ("taken", "retried", "timed_out", "recovered", "expired_archived")
    return {
        "succeeded": len(ids["succeeded"]),
        "failed": len(failed),
        "run_again": run_again,
        **{name: counts[name] for name in others},
    }


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _is_due(number: int, every: int) -> bool:
    return every > 0 and number % every == 0


class RunqyWorker:
    """One worker: a loop that runs tasks, and threads for what happens at intervals."""

    def __init__(self, asked: argparse.Namespace, weights: Mapping[str, int]) -> None:
        self.asked, self.weights = asked, weights
        retry = Retry(ExponentialBackoff(cap=0.5, base=0.01), 3)
        url = os.environ["BENCH_REDIS_URL"]
        self.client: Any = redis.Redis.from_url(url, protocol=2, retry=retry)
        self.scripts: dict[str, Any] = {
            name: self.client.register_script(text) for name, text in _SCRIPTS.items()
        }
        names = _served_order(asked, list(weights))
        self.queues = {key(name, "pending"): name for name in names}
        self.pending = [key(name, "pending") for name in names for _ in range(weights[name])]
        path = _log_path(asked.summary)
        self._numbers, self._failures = _history(path)
        self._log = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        self.taken = 0
        self._lost: set[str] = set()
        self._in_flight: dict[str, str] = {}
        self._stopped_at: float | None = None
        self._ended = threading.Event()

    def stop(self, _number: int, _frame: object) -> None:
        """Takes no more tasks; the present one has some seconds left."""
        self._stopped_at = time.monotonic()

    def serve(self) -> None:
        """Runs tasks until stopped."""
        threads = self._threads()
        with contextlib.suppress(redis.RedisError):  # it is repeated
            self._register(started=True)
        for thread in threads:
            thread.start()
        errors = 0
        while self._stopped_at is None and errors < _MAX_ERRORS:
            try:
                self._take_one()
                errors = 0
            except redis.RedisError as error:  # a full memory refuses a step of a task, too
                sys.stderr.write(f"runqy_worker: {error}\n")
                errors += 1
                time.sleep(0.2)
        self._ended.set()
        for thread in threads:
            thread.join()
        with contextlib.suppress(redis.RedisError):
            self._leave()

    def _leave(self) -> None:
        """Hands back what did not end in time, and deregisters as runqy-worker does: its hash stays
        until it expires."""
        for task_id, queue in self._in_flight.items():
            self._script("requeue", queue, task_id, "pending")
        self.client.zrem("asynq:workers", _worker_id())
        self.client.hset(f"asynq:workers:{_worker_id()}", "status", "stopped")

    def _threads(self) -> list[threading.Thread]:
        asked = self.asked
        jobs: list[tuple[float, Callable[[], None]]] = [
            (asked.forward_every, self._forward),
            (asked.recover_every, self._recover),
            (asked.lease / 2, self._renew),
            (5.0, self._register),
        ]
        return [threading.Thread(target=self._repeat, args=job) for job in jobs]

    def _repeat(self, every_s: float, job: Callable[[], None]) -> None:
        while not self._ended.wait(every_s):
            with contextlib.suppress(redis.RedisError):
                job()

    def _note(self, task_id: str, queue: str, event: str) -> None:
        line = json.dumps({"id": task_id, "queue": queue, "event": event}) + "\n"
        os.write(self._log, line.encode())

    def _script(self, name: str, queue: str, task_id: str, to: str = "", *words: object) -> None:
        """Runs a step of ``_SCRIPTS`` that takes the task off ``active`` or puts it there."""
        keys = [key(queue, "active"), key(queue, "lease"), key(queue, f"t:{task_id}")]
        self.scripts[name](keys=[*keys, key(queue, to)] if to else keys, args=[task_id, *words])

    def _count(self, queue: str, name: str) -> None:
        """Increments a counter of the queue, which is not part of the script that ended a task."""
        pipeline = self.client.pipeline(transaction=False)
        for each in (name, f"{name}:{time.strftime('%Y-%m-%d', time.gmtime())}"):
            pipeline.execute_command("INCR", key(queue, each))  # incr() would send INCRBY
        pipeline.execute()

    def _take_one(self) -> None:
        popped = self.client.brpop(self.pending, timeout=self.asked.poll)
        if popped is None:
            return
        queue, task_id = self.queues[popped[0].decode()], popped[1].decode()
        fields = self.client.hgetall(key(queue, f"t:{task_id}"))
        try:
            task = PoppedTask.read(task_id, queue, fields)
        except ValueError as error:
            sys.stderr.write(f"runqy_worker: {error}\n")
            return
        if not fields:
            sys.stderr.write(f"runqy_worker: task {task_id} has no hash\n")
            return
        self.taken += 1
        self._numbers.setdefault(task_id, len(self._numbers) + 1)
        self._note(task_id, queue, "taken")
        self._activate(task)

    def _activate(self, task: PoppedTask) -> None:
        if self.taken == self.asked.kill_between:
            _die()
        self._script("activate", task.queue, task.id, "", time.time() + self.asked.lease)
        if _is_due(self.taken, self.asked.lose_activate_every) and task.id not in self._lost:
            self._lost.add(task.id)
            self.client.rpush(key(task.queue, "pending"), task.id)
            return
        self._in_flight[task.id] = task.queue
        limit_s = task.seconds("pending_timeout", self.asked.pending_timeout)
        if 0 < limit_s < task.pending_s():
            self._fail(task, "pending timeout", "timed_out")
        elif self._work():
            self._end(task)

    def _work(self) -> bool:
        """Whether the task could run to its end before the worker had to stop."""
        end = time.monotonic() + self.asked.work
        while (left_s := end - time.monotonic()) > 0:
            stopped_at = self._stopped_at
            if stopped_at is not None and time.monotonic() > stopped_at + self.asked.shutdown:
                return False
            time.sleep(min(left_s, 0.05))
        return True

    def _end(self, task: PoppedTask) -> None:
        if 0 < self.asked.kill_active <= self.taken:
            _die()
        number = self._numbers[task.id]
        if _is_due(number, self.asked.fail_every):
            self._fail(task, "asked to fail for good", "failed")
        elif (
            _is_due(number, self.asked.retry_every)
            and self._failures[task.id] < self.asked.fail_attempts
        ):
            self._fail_attempt(task)
        else:
            self._succeed(task)

    def _succeed(self, task: PoppedTask) -> None:
        now_s = int(time.time())
        words: list[object] = ["state", "completed", "completed_at", now_s]
        if b"msg" in task.fields:
            message = parse(task.id, task.fields[b"msg"])
            message.completed_at = now_s
            words += ["msg", message.SerializeToString()]
        ttl_s = task.seconds("ttl_completed", self.asked.ttl)
        self._put_away(task, "completed", ttl_s, words, "succeeded")
        self._count(task.queue, "processed")

    def _fail(self, task: PoppedTask, error: str, event: str) -> None:
        words = ["state", "archived", "error_msg", error, "last_failed_at", int(time.time())]
        ttl_s = task.seconds("ttl_archived", self.asked.ttl_archived)
        self._put_away(task, "archived", ttl_s, words, event)
        self._count(task.queue, "failed")

    def _put_away(
        self, task: PoppedTask, to: str, ttl_s: float, words: Sequence[object], event: str
    ) -> None:
        """Ends a task: keeps its hash in the way of ``to`` if results are stored, else deletes it,
        whatever became of it."""
        del self._in_flight[task.id]
        if self.asked.storage == "on":
            score = time.time() + (ttl_s if ttl_s > 0 else _CENTURY_S)
            ttl_ms = round(max(ttl_s, 0) * 1000)
            self._script("keep", task.queue, task.id, to, score, ttl_ms, *words)
            if ttl_ms:
                self.client.pexpire(f"asynq:t:{task.id}", ttl_ms)
        else:
            self._script("delete", task.queue, task.id)
        self._ended_with(task, event)

    def _fail_attempt(self, task: PoppedTask) -> None:
        self._failures[task.id] += 1
        if task.retried >= task.max_retry:
            self._fail(task, "asked to fail", "failed")
            return
        words: list[object] = ["state", "retry", "last_failed_at", int(time.time())]
        if b"msg" in task.fields:
            message = parse(task.id, task.fields[b"msg"])
            message.retried += 1
            words += ["msg", message.SerializeToString()]
        del self._in_flight[task.id]
        due_s = time.time() + self.asked.retry_delay
        self._script("retry", task.queue, task.id, "retry", due_s, *words)
        self._ended_with(task, "retried")

    def _ended_with(self, task: PoppedTask, event: str) -> None:
        """To be called once the ending script has replied: the log says what Redis holds."""
        self._note(task.id, task.queue, event)
        if 0 < self.asked.die_after_end <= self.taken:
            _die()

    def _forward(self) -> None:
        """Moves tasks whose delay is over back to ``pending``."""
        for queue in self.weights:
            retry, pending = key(queue, "retry"), key(queue, "pending")
            for each in self.client.zrangebyscore(retry, "-inf", time.time()):
                task_id = each.decode()
                keys = [retry, pending, key(queue, f"t:{task_id}")]
                self.scripts["forward"](keys=keys, args=[task_id, int(time.time())])

    def _recover(self) -> None:
        """Takes the tasks of workers that died off ``active``, whoever they were."""
        for queue in self.weights:
            ended = time.time() - self.asked.recover_slack
            for each in self.client.zrangebyscore(key(queue, "lease"), "-inf", ended):
                self._recover_one(queue, each.decode())

    def _recover_one(self, queue: str, task_id: str) -> None:
        fields = self.client.hgetall(key(queue, f"t:{task_id}"))
        if not fields:
            self._script("release", queue, task_id)
            return
        task, now_s = PoppedTask.read(task_id, queue, fields), time.time()
        words = ["error_msg", "lease expired", "last_failed_at", int(now_s)]
        if task.retried < task.max_retry:
            due_s = now_s + min(self.asked.recover_delay * 2**task.retried, 600)
            self._script("retry", queue, task_id, "retry", due_s, "state", "retry", *words)
            self._note(task_id, queue, "recovered")
        else:  # kept even where results are not stored
            self._script("keep", queue, task_id, "archived", now_s, 0, "state", "archived", *words)
            self._note(task_id, queue, "expired_archived")
            self._count(queue, "failed")

    def _renew(self) -> None:
        for task_id, queue in list(self._in_flight.items()):
            until_s = time.time() + self.asked.lease
            self.client.zadd(key(queue, "lease"), {task_id: until_s}, xx=True)

    def _register(self, *, started: bool = False) -> None:
        """Writes the heartbeat; queues are written as Go prints a map."""
        now_s, name = int(time.time()), f"asynq:workers:{_worker_id()}"
        queues = " ".join(f"{queue}:{self.weights[queue]}" for queue in sorted(self.weights))
        fields = {
            "worker_id": _worker_id(),
            "last_beat": now_s,
            "concurrency": 1,
            "queues": f"map[{queues}]",
            "status": "running",
            "healthy": 1,
        }
        self.client.zadd("asynq:workers", {_worker_id(): now_s + 1800})
        self.client.hset(name, mapping={**fields, "started_at": now_s} if started else fields)
        self.client.expire(name, 30)


def _worker_id() -> str:
    return f"{socket.gethostname()}:{os.getpid()}"


def _log_path(summary: Path) -> Path:
    return summary.with_name(f"{summary.name}.log")


def _served_order(asked: argparse.Namespace, names: list[str]) -> list[str]:
    """The order for the life of the process: as asked, else random, as that of a Go map."""
    if asked.order:
        order: list[str] = asked.order.split(",")
        if sorted(order) != sorted(names):
            sys.exit(f"--order {asked.order}: name each of these once: {' '.join(names)}")
        return order
    random.Random(asked.seed).shuffle(names)
    return names


def _history(path: Path) -> tuple[dict[str, int], Counter[str]]:
    """The number of each distinct task of the log, and how often each has failed; they go on where
    a killed worker's end."""
    events = _events(path)
    first = dict.fromkeys(event["id"] for event in events if event["event"] == "taken")
    failures = Counter(event["id"] for event in events if event["event"] == "retried")
    return {task_id: number for number, task_id in enumerate(first, 1)}, failures


_SECONDS = {
    "work": (0.0, "how long each task takes"),
    "poll": (2.0, "time-out of BRPOP"),
    "shutdown": (8.0, "how long a task may go on after SIGTERM before it is put back"),
    "ttl": (86_400.0, "TTL of completed tasks that have no field ttl_completed"),
    "ttl-archived": (259_200.0, "TTL of archived tasks that have no field ttl_archived"),
    "pending-timeout": (0.0, "longest wait, if there is no field pending_timeout; 0: any"),
    "retry-delay": (0.05, "wait before an attempt after a failed one"),
    "forward-every": (5.0, "interval of moving due retries to pending"),
    "lease": (120.0, "how long a lease holds; renewed at half of it"),
    "recover-every": (60.0, "interval of the search for leases that ended"),
    "recover-slack": (30.0, "how long ago a lease must have ended to be recovered"),
    "recover-delay": (15.0, "wait of a recovered task, doubled with each retry, 600 at most"),
}
_FAULTS = {
    "fail-every": "every Nth distinct task fails for good",
    "retry-every": "every Nth distinct task fails on its first --fail-attempts attempts",
    "lose-activate-every": "the Nth, 2Nth … task taken is put back on pending while active, once",
}
_DEATHS = {
    "kill-between": "die at the Nth task taken, between BRPOP and the activate script",
    "kill-active": "die at the Nth task taken (or the next one that runs), just before its end",
    "die-after-end": "die at the Nth task taken (or the next one that ends), after its ending "
    "script and before the counters",
}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("summary", type=Path)
    parser.add_argument("queues", nargs="+", metavar="QUEUE=WEIGHT")
    parser.add_argument("--storage", choices=["on", "off"], default="off")
    parser.add_argument("--order", help="queues in the order in which BRPOP names them: A,B")
    parser.add_argument("--seed", type=int, help="of a random order")
    parser.add_argument("--fail-attempts", type=int, default=1, metavar="K")
    parser.add_argument(
        "--supervised",
        action=argparse.BooleanOptionalAction,
        default=False,
        help="start it as a child, and again without the options for dying if a SIGKILL ends it",
    )
    for name, (default_s, text) in _SECONDS.items():
        parser.add_argument(f"--{name}", type=float, default=default_s, metavar="S", help=text)
    for name, text in {**_FAULTS, **_DEATHS}.items():
        parser.add_argument(f"--{name}", type=int, default=0, metavar="N", help=text)
    return parser


def _supervise(summary: Path) -> int:
    """Runs the same command as a child until it ends otherwise than by SIGKILL, or until SIGTERM,
    which is passed on; returns its exit code."""
    words = [sys.executable, __file__, *sys.argv[1:], "--no-supervised"]
    child: subprocess.Popen[bytes] | None = None
    stopping = False

    def stop(_number: int, _frame: object) -> None:
        nonlocal stopping
        stopping = True
        if child is not None:
            child.terminate()

    signal.signal(signal.SIGTERM, stop)
    code = -signal.SIGKILL
    while code == -signal.SIGKILL and not stopping:
        child = subprocess.Popen(words)
        if stopping:  # the signal came while the child was being started
            child.terminate()
        code = child.wait()
        words += [word for name in _DEATHS for word in (f"--{name}", "0")]
    summary.write_text(json.dumps(read_log(_log_path(summary))), encoding="utf-8")
    return 0 if stopping and code < 0 else code


def main() -> int:
    """Serves until told to end; returns the exit code."""
    asked = _parser().parse_args()
    if asked.supervised:
        return _supervise(asked.summary)
    pairs = [pair.rpartition("=") for pair in asked.queues]
    worker = RunqyWorker(asked, {queue: int(weight) for queue, _, weight in pairs})
    signal.signal(signal.SIGTERM, worker.stop)
    worker.serve()
    asked.summary.write_text(json.dumps(read_log(_log_path(asked.summary))), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
