"""The relay of known delay, on a real server."""

import time

from bench.redisio.connection import open_client
from bench.redisio.embedded import EmbeddedServer
from bench.selftest.relay import relaying


def test_only_batches_of_a_delayed_queue_are_held_and_what_was_held_is_known(
    embedded: EmbeddedServer,
) -> None:
    delays_s = {"selftest_slow": 0.05, "selftest_fast": 0.0}
    with relaying(embedded.port, delays_s) as relay:
        client = open_client(embedded.url.replace(str(embedded.port), str(relay.port)))
        taken_s = {}
        for queue in delays_s:
            with client.pipeline(transaction=False) as pipeline:
                pipeline.hset(f"asynq:t:{queue}", "payload", "x")
                pipeline.lpush(f"asynq:{queue}:pending", queue)
                began_s = time.monotonic()
                assert pipeline.execute() == [1, 1]
                taken_s[queue] = time.monotonic() - began_s
        client.close()
    assert [len(each) for each in relay.held_s.values()] == [1, 1]
    for queue, delay_s in delays_s.items():
        assert delay_s <= relay.held_s[queue][0] <= taken_s[queue]
