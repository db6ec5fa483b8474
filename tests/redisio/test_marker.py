"""The key that tells whether a database kept its data, and how long a run's own keys live."""

import dataclasses
from typing import Any

import pytest
import redis

from bench.ipc import remote
from bench.redisio.marker import EXPIRE_S, Marker, marker_key
from bench.run.start import start
from tests.run.scripted import RUN, Scene
from tests.run.values import scenario

HOUR_US = 3_600_000_000


@pytest.mark.parametrize("may_write_marker", [True, False])
def test_the_keys_of_a_run_do_not_expire_while_it_lasts(
    client: Any, may_write_marker: bool
) -> None:
    """Workers elsewhere take a run as ended once its announcement is gone."""
    marker = Marker(client, RUN)
    keys = [remote.info_key(RUN)]
    if may_write_marker:
        marker.set(0)
        keys.append(marker_key(RUN))
    client.set(remote.info_key(RUN), "x")
    marker.keep(remote.info_key(RUN))
    for hours in range(1, 4):
        for key in keys:
            client.expire(key, 5)
        marker.renew(hours * HOUR_US)
        assert all(EXPIRE_S - 5 < client.ttl(key) <= EXPIRE_S for key in keys)
    assert marker.commands == 3 * len(keys)


def test_a_key_that_is_gone_is_not_made_again(client: Any) -> None:
    marker = Marker(client, RUN)
    marker.set(0)
    client.delete(marker_key(RUN))
    marker.renew(HOUR_US)
    assert marker.is_there() is False


def test_a_user_who_may_not_write_the_marker_gets_no_answer_from_it(
    client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise redis.exceptions.NoPermissionError("NOPERM")

    monkeypatch.setattr(client, "set", refuse)
    marker = Marker(client, RUN)
    marker.set(0)
    marker.renew(HOUR_US)
    assert (marker.is_there(), marker.commands) == (None, 0)


def test_a_run_renews_its_announcement_to_workers_elsewhere(client: Any) -> None:
    scene = Scene(scenario(external_workers=True))
    prepared = dataclasses.replace(scene.prepared, client=client, marker=Marker(client, RUN))
    start(prepared)
    client.expire(remote.info_key(RUN), 5)
    prepared.marker.renew(HOUR_US)
    assert client.ttl(remote.info_key(RUN)) > EXPIRE_S - 5
