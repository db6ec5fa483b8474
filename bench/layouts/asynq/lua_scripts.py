"""The moves of a task in the ``asynq`` layout, as Lua scripts, which Redis executes atomically.

They leave the same keys as asynq's server and today's runqy worker, and answer with one line.
Scripts are called by digest, so each must first be loaded into the server.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from bench.wire.layout_contract import Argument, Command


@dataclass(frozen=True)
class Script:
    """A Lua text, and the number of a call's arguments that are keys."""

    keys: int
    text: str

    @cached_property
    def digest(self) -> str:
        """The SHA-1 digest by which EVALSHA calls the script."""
        return hashlib.sha1(self.text.encode()).hexdigest()  # noqa: S324 - Redis's choice

    def call(self, keys: Sequence[str], arguments: Sequence[Argument]) -> Command:
        """Returns the command that runs the script. Raises ValueError for a wrong number of
        keys."""
        if len(keys) != self.keys:
            raise ValueError(f"this script takes {self.keys} keys, not {len(keys)}")
        return ("EVALSHA", self.digest, str(self.keys), *keys, *arguments)


_COUNT = """
local function count(total, day, expires)
  redis.call('INCR', total)
  if redis.call('INCR', day) == 1 then
    redis.call('EXPIREAT', day, expires)
  end
end
"""

REFUSE_DUPLICATE = """
if redis.call('EXISTS', KEYS[1]) == 1 then
  return redis.error_reply('DUPLICATE a task with this id exists already')
end
"""
"""The beginning of a script whose first key is a task that must not exist."""

ENQUEUE_UNIQUE = Script(
    2,
    REFUSE_DUPLICATE
    + """\
redis.call('HSET', KEYS[1], 'msg', ARGV[1], 'state', 'pending', 'pending_since', ARGV[2])
return redis.call('LPUSH', KEYS[2], ARGV[3])
""",
)
"""Enqueues a task, unless its id exists.
Keys: task, pending. Arguments: message, Unix time in ns, id."""

START = Script(
    3,
    """
redis.call('LPUSH', KEYS[1], ARGV[1])
redis.call('ZADD', KEYS[2], ARGV[2], ARGV[1])
redis.call('HSET', KEYS[3], 'state', 'active')
redis.call('HDEL', KEYS[3], 'pending_since')
return 1
""",
)
"""Makes a task active that was popped.
Keys: active, lease, task. Arguments: id, Unix time in s at which the lease ends."""

FORGET = Script(
    5,
    _COUNT
    + """
local held = redis.call('LREM', KEYS[1], 1, ARGV[1])
redis.call('ZREM', KEYS[2], ARGV[1])
redis.call('DEL', KEYS[3])
count(KEYS[4], KEYS[5], ARGV[2])
return held
""",
)
"""Ends a task that succeeded and whose result is not kept.
Keys: active, lease, task, processed, processed of the day. Arguments: id, Unix time in s at which
the day's counter expires."""

KEEP = Script(
    6,
    _COUNT
    + """
local held = redis.call('LREM', KEYS[1], 1, ARGV[1])
redis.call('ZREM', KEYS[2], ARGV[1])
redis.call('ZADD', KEYS[6], ARGV[4], ARGV[1])
redis.call('HSET', KEYS[3], 'state', 'completed', 'completed_at', ARGV[3], 'result', ARGV[5])
redis.call('EXPIREAT', KEYS[3], ARGV[4])
count(KEYS[4], KEYS[5], ARGV[2])
return held
""",
)
"""Ends a task that succeeded and whose result is kept.
Keys: active, lease, task, processed, processed of the day, completed. Arguments: id, and in Unix
seconds when the day's counter expires, now, and when the task expires; result."""

FAIL = Script(
    8,
    _COUNT
    + """
local held = redis.call('LREM', KEYS[1], 1, ARGV[1])
redis.call('ZREM', KEYS[2], ARGV[1])
redis.call('ZADD', KEYS[8], ARGV[3], ARGV[1])
redis.call('HSET', KEYS[3], 'msg', ARGV[4], 'state', ARGV[5])
count(KEYS[4], KEYS[5], ARGV[2])
count(KEYS[6], KEYS[7], ARGV[2])
return held
""",
)
"""Ends an attempt that failed.
Keys: active, lease, task, processed, processed of the day, failed, failed of the day, retry or
archived. Arguments: id, Unix time in s at which the day's counters expire, score in the last key,
message, state."""

REQUEUE = Script(
    3,
    """
if redis.call('ZREM', KEYS[1], ARGV[1]) == 0 then
  return 0
end
redis.call('HSET', KEYS[3], 'state', 'pending', 'pending_since', ARGV[2])
return redis.call('LPUSH', KEYS[2], ARGV[1])
""",
)
"""Makes a failed task pending whose next attempt is due, unless another process has moved it.
Keys: retry, pending, task. Arguments: id, Unix time in ns."""

PUT_BACK = Script(
    4,
    """
local held = redis.call('LREM', KEYS[1], 1, ARGV[1])
redis.call('ZREM', KEYS[2], ARGV[1])
redis.call('HSET', KEYS[4], 'state', 'pending')
redis.call('RPUSH', KEYS[3], ARGV[1])
return held
""",
)
"""Returns an active task as the next one to be popped.
Keys: active, lease, pending, task. Arguments: id."""

ALL = (ENQUEUE_UNIQUE, START, FORGET, KEEP, FAIL, REQUEUE, PUT_BACK)
