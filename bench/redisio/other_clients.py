"""Clients of others that take ids from lists."""

import redis

_POPS = frozenset(
    (
        *("lpop", "rpop", "blpop", "brpop", "lmpop", "blmpop"),
        *("lmove", "blmove", "rpoplpush", "brpoplpush"),
    )
)


def poppers(client: redis.Redis) -> list[str]:
    """The clients of the same database whose latest command takes ids from a list, by address and
    name.

    Empty for a user who may not ask. Raises redis-py's other errors.
    """
    database = str(client.connection_pool.connection_kwargs.get("db", 0))
    try:
        found = client.client_list()
    except redis.exceptions.ResponseError:
        return []
    return [
        f"{each.get('addr', '?')}{f' ({name})' if (name := each.get('name')) else ''}"
        for each in found
        if each.get("db") == database and each.get("cmd", "").partition("|")[0].lower() in _POPS
    ]
