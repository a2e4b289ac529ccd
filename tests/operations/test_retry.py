"""Retry: the failed hosts of a rollout that has ended, once more."""

from __future__ import annotations

import pytest
from flask import Flask

from deployer.domain.errors import Conflict, Invalid
from deployer.domain.status import Origin, RolloutState
from deployer.extensions import db
from deployer.models import Rollout
from deployer.operations.followups import retry
from tests.operations.upgrades import ALL, fail, held, only, runs, start, state, strategy, succeed, take
from tests.world import ADMIN, World, snapshot


def failed_on_two(world: World) -> int:
    rollout_id = start(world, strategy("2", stop=2))
    first, second = take(rollout_id)
    succeed(first)
    fail(second)
    fail(*take(rollout_id))
    assert state(rollout_id) is RolloutState.FAILED
    return rollout_id


def test_only_the_failed_hosts_are_tried_again_by_the_same_strategy(app: Flask, world: World) -> None:
    rollout_id = failed_on_two(world)
    accepted = retry(rollout_id, ALL, ADMIN).accepted
    assert accepted is not None
    assert held() == {"web-2", "web-3"}
    row = db.session.get_one(Rollout, accepted.rollout_id)
    assert (row.origin, row.origin_id, row.wave_size, row.stop_after) == (Origin.RETRY, rollout_id, "2", 2)
    succeed(*take(accepted.rollout_id))
    assert set(runs(world).values()) == {"1.2.0", "1.0.0"}


def test_some_of_the_failed_hosts_can_be_tried_again(app: Flask, world: World) -> None:
    accepted = retry(failed_on_two(world), only(world, "web-3"), ADMIN).accepted
    assert accepted is not None
    assert accepted.host_ids == (world.hosts["web-3"],)


def test_a_host_that_did_not_fail_refuses_the_whole_request(app: Flask, world: World) -> None:
    rollout_id = failed_on_two(world)
    before = snapshot()
    with pytest.raises(Invalid):
        retry(rollout_id, only(world, "web-1", "web-2"), ADMIN)
    assert snapshot() == before


def test_a_failed_host_that_another_rollout_holds_is_left_out_and_refused_by_name(app: Flask, world: World) -> None:
    rollout_id = failed_on_two(world)
    start(world, hosts=only(world, "web-2"))
    before = snapshot()
    with pytest.raises(Conflict, match="web-2"):
        retry(rollout_id, only(world, "web-2", "web-3"), ADMIN)
    assert snapshot() == before
    found = retry(rollout_id, ALL, ADMIN)
    assert found.accepted is not None and found.accepted.host_ids == (world.hosts["web-3"],)
    assert [one.hostname for one in found.left_out] == ["web-2"]


def test_a_host_that_was_lost_is_tried_again(app: Flask, world: World) -> None:
    rollout_id = start(world)
    fail(*take(rollout_id), running=None)
    accepted = retry(rollout_id, ALL, ADMIN).accepted
    assert accepted is not None
    assert len(accepted.host_ids) == 3


def test_there_is_nothing_to_try_again_after_a_success(app: Flask, world: World) -> None:
    rollout_id = start(world)
    succeed(*take(rollout_id))
    before = snapshot()
    with pytest.raises(Conflict, match="no failed host"):
        retry(rollout_id, ALL, ADMIN)
    assert snapshot() == before
