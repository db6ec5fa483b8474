"""A redis-py client that takes no reply for what it is not.

redis-py converts replies by the command's name, and lets whatever goes wrong in that pass: a server
that is none, or a proxy, would look like a fault of this program.
"""

from typing import Any

import redis
from redis.client import Pipeline
from redis.exceptions import InvalidResponse

_CONVERSION_FAULTS = (TypeError, ValueError, LookupError, AttributeError, OverflowError)


class _CheckedReplies:
    """Raises InvalidResponse for a reply that redis-py cannot convert."""

    def parse_response(self, connection: Any, command_name: Any, **options: Any) -> Any:
        try:
            return super().parse_response(connection, command_name, **options)  # type: ignore[misc]
        except _CONVERSION_FAULTS as error:
            raise InvalidResponse(f"its reply to {command_name} is none: {error}") from None


class _CheckingPipeline(_CheckedReplies, Pipeline):
    """Many commands at once."""


class CheckingClient(_CheckedReplies, redis.Redis):
    """A client, and its pipelines. Raises InvalidResponse for replies that cannot be."""

    def pipeline(self, transaction: bool = True, shard_hint: Any = None) -> Pipeline:
        """Returns a pipeline, as redis-py's client does."""
        return _CheckingPipeline(
            self.connection_pool, self.response_callbacks, transaction, shard_hint
        )
