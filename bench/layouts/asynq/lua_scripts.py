"""The moves of a task in the ``asynq`` layout, as scripts: each happens whole or not at all.

They leave what asynq's server and today's runqy worker leave, and answer with one line. Scripts
are called by digest, so each must be loaded into the server first.
"""

import hashlib
from dataclasses import dataclass
from functools import cached_property


@dataclass(frozen=True)
class Script:
    """Lua text, and how many of a call's arguments are keys."""

    keys: int
    text: str

    @cached_property
    def digest(self) -> str:
        """What EVALSHA calls it."""
        return hashlib.sha1(self.text.encode()).hexdigest()  # noqa: S324 - Redis's choice


_COUNT = """
local function count(total, day, expires)
  redis.call('INCR', total)
  if redis.call('INCR', day) == 1 then
    redis.call('EXPIREAT', day, expires)
  end
end
"""

ENQUEUE_UNIQUE = Script(
    2,
    """
if redis.call('EXISTS', KEYS[1]) == 1 then
  return redis.error_reply('DUPLICATE a task of this id is there already')
end
redis.call('HSET', KEYS[1], 'msg', ARGV[1], 'state', 'pending', 'pending_since', ARGV[2])
return redis.call('LPUSH', KEYS[2], ARGV[3])
""",
)
"""Keys: task, pending. Arguments: message, unix time in ns, id."""

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
"""Keys: active, lease, task. Arguments: id, when the lease ends."""

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
"""A task that succeeded and whose result is not kept.
Keys: active, lease, task, processed, processed of the day. Arguments: id, when the day's counter
expires."""

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
"""A task that succeeded and whose result is kept. As ``FORGET``; sixth key: completed; further
arguments: now, when the task expires, the result."""

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
"""An attempt that failed. As ``FORGET``; further keys: failed, failed of the day, retry or
archived; further arguments: score there, message, state."""

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
"""A failed task whose next attempt is due, unless somebody else has moved it.
Keys: retry, pending, task. Arguments: id, unix time in ns."""

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
"""Keys: active, lease, pending, task. Arguments: id."""

ALL = (ENQUEUE_UNIQUE, START, FORGET, KEEP, FAIL, REQUEUE, PUT_BACK)
