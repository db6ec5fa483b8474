"""The moves of a task in the ``runqy-server`` layout that differ from asynq's, as Lua scripts.

They leave the same keys as runqy's server and worker, and answer with one line. What those send as
several commands on one task's hash is one script here.
"""

from bench.layouts.asynq import lua_scripts as asynq
from bench.layouts.asynq.lua_scripts import REFUSE_DUPLICATE, Script

_RELEASE = """
redis.call('LREM', KEYS[1], 0, ARGV[1])
redis.call('ZREM', KEYS[2], ARGV[1])
"""

ENQUEUE_UNIQUE = Script(
    3,
    REFUSE_DUPLICATE
    + """\
redis.call('HSET', KEYS[1], 'msg', ARGV[1], 'state', 'pending', 'pending_since', ARGV[2])
redis.call('HSET', KEYS[1], unpack(ARGV, 6))
redis.call('HSET', KEYS[3], 'queue', ARGV[4])
redis.call('EXPIRE', KEYS[3], ARGV[5])
return redis.call('LPUSH', KEYS[2], ARGV[3])
""",
)
"""Enqueues a task, unless its id exists.
Keys: task, pending, reverse. Arguments: message, Unix time in ns, id, queue, seconds for which the
reverse key is kept; names and values of more fields of the task."""

FORGET = Script(
    3,
    _RELEASE
    + """\
redis.call('DEL', KEYS[3])
return 1
""",
)
"""Ends a task whose result is not kept.
Keys: active, lease, task. Arguments: id."""

KEEP = Script(
    4,
    _RELEASE
    + """\
redis.call('ZADD', KEYS[3], ARGV[3], ARGV[1])
local message = redis.call('HGET', KEYS[4], 'msg')
if message then
  redis.call('HSET', KEYS[4], 'msg', message .. ARGV[5])
end
redis.call('HSET', KEYS[4], 'state', 'completed', 'completed_at', ARGV[2], 'result', ARGV[6])
redis.call('EXPIRE', KEYS[4], ARGV[4])
return 1
""",
)
"""Ends a task that succeeded and whose result is kept.
Keys: active, lease, completed, task. Arguments: id; Unix times in s: now, and when the task
expires; seconds for which it is kept; what to put behind its message; result."""

RETRY = Script(
    4,
    _RELEASE
    + """\
redis.call('ZADD', KEYS[3], ARGV[2], ARGV[1])
redis.call('HINCRBY', KEYS[4], 'retried', 1)
redis.call('HSET', KEYS[4], 'msg', ARGV[4], 'state', 'retry', 'last_failed_at', ARGV[3])
return 1
""",
)
"""Ends an attempt that failed and that another one follows.
Keys: active, lease, retry, task. Arguments: id; Unix times in s: the next attempt, and now;
message."""

ARCHIVE = Script(
    4,
    _RELEASE
    + """\
redis.call('ZADD', KEYS[3], ARGV[3], ARGV[1])
redis.call(
  'HSET', KEYS[4], 'state', 'archived', 'error_msg', ARGV[5], 'last_failed_at', ARGV[2]
)
redis.call('EXPIRE', KEYS[4], ARGV[4])
return 1
""",
)
"""Ends a task whose last attempt failed.
Keys: active, lease, archived, task. Arguments: id; Unix times in s: now, and when the task expires;
seconds for which it is kept; reason."""

ALL = (
    *(ENQUEUE_UNIQUE, FORGET, KEEP, RETRY, ARCHIVE),
    *(asynq.START, asynq.REQUEUE, asynq.PUT_BACK),
)
