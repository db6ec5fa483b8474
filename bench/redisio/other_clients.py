"""Clients of others that take ids from lists."""

import redis

_POPS = frozenset(
    (
        *("lpop", "rpop", "blpop", "brpop", "lmpop", "blmpop"),
        *("lmove", "blmove", "rpoplpush", "brpoplpush"),
    )
)


def poppers(client: redis.Redis) -> list[str]:
    """The clients whose latest command takes ids from a list, by address and name.

    Empty for a user who may not ask. Raises redis-py's other errors.
    """
    try:
        found = client.client_list()
    except redis.exceptions.ResponseError:
        return []
    return [
        f"{each.get('addr', '?')}{f' ({name})' if (name := each.get('name')) else ''}"
        for each in found
        if each.get("cmd", "").partition("|")[0].lower() in _POPS
    ]
