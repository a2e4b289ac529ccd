"""Pause, the gate after the first wave, and going on with some of the hosts or all."""

from __future__ import annotations

import pytest
from flask import Flask

from deployer.domain.errors import Conflict, Invalid
from deployer.domain.hosts import HostChoice
from deployer.domain.status import InstanceStatus, RolloutState, StepState
from deployer.extensions import db
from deployer.models import Instance, Rollout
from deployer.operations import rollouts, steps
from tests.operations.upgrades import ALL, fail, held, names, only, start, state, states, strategy, succeed, take
from tests.world import ADMIN, World, snapshot


def test_a_paused_rollout_starts_no_step_and_lets_those_that_run_come_to_their_end(app: Flask, world: World) -> None:
    rollout_id = start(world)
    (first,) = take(rollout_id, 1)
    rollouts.pause(rollout_id, ADMIN)
    assert take(rollout_id) == []
    assert steps.waiting_rollouts() == []
    succeed(first)
    assert state(rollout_id) is RolloutState.PAUSED
    assert held() == {"web-2", "web-3"}
    assert db.session.get_one(Rollout, rollout_id).paused_by == ADMIN.name


def test_a_rollout_that_nobody_has_begun_can_be_paused_and_resumed(app: Flask, world: World) -> None:
    rollout_id = start(world)
    rollouts.pause(rollout_id, ADMIN)
    rollouts.resume(rollout_id, ALL, ADMIN)
    assert state(rollout_id) is RolloutState.RUNNING
    assert db.session.get_one(Rollout, rollout_id).paused_by == ""
    succeed(*take(rollout_id))
    assert state(rollout_id) is RolloutState.SUCCEEDED


def test_there_is_nothing_to_pause_when_every_host_was_started(app: Flask, world: World) -> None:
    rollout_id = start(world)
    take(rollout_id)
    before = snapshot()
    with pytest.raises(Conflict):
        rollouts.pause(rollout_id, ADMIN)
    assert snapshot() == before


def test_hosts_that_are_left_out_are_as_they_were_and_the_others_are_done(app: Flask, world: World) -> None:
    rollout_id = start(world, strategy("1"))
    succeed(*take(rollout_id))
    rollouts.pause(rollout_id, ADMIN)
    rollouts.resume(rollout_id, only(world, "web-3"), ADMIN)
    assert states(rollout_id)["web-2"] is StepState.SKIPPED
    left_out = db.session.execute(
        db.select(Instance).where(Instance.host_id == world.hosts["web-2"], Instance.service_id == world.service)
    ).scalar_one()
    assert (left_out.rollout_id, left_out.status) == (None, InstanceStatus.RUNNING)
    assert left_out.version_id == world.versions["1.1.0"]
    last = take(rollout_id)  # over the wave that is empty by now
    assert names(last) == ["web-3"]
    succeed(*last)
    assert state(rollout_id) is RolloutState.SUCCEEDED


def test_a_host_that_was_left_out_is_given_back_its_failed_status(app: Flask, world: World) -> None:
    fail(*take(start(world, hosts=only(world, "web-2"))))
    rollout_id = start(world)
    rollouts.pause(rollout_id, ADMIN)
    rollouts.resume(rollout_id, only(world, "web-1"), ADMIN)
    instance = db.session.execute(
        db.select(Instance).where(Instance.host_id == world.hosts["web-2"], Instance.service_id == world.service)
    ).scalar_one()
    assert instance.status is InstanceStatus.UPGRADE_FAILED


def test_a_strange_host_refuses_the_resume_and_leaves_the_rollout_paused(app: Flask, world: World) -> None:
    rollout_id = start(world)
    (first,) = take(rollout_id, 1)
    rollouts.pause(rollout_id, ADMIN)
    before = snapshot()
    for host_id in (world.hosts["web-4"], first.place.instance_id + 500, world.hosts["web-1"]):
        with pytest.raises(Invalid) as refused:
            rollouts.resume(rollout_id, HostChoice(everyone=False, ids=(world.hosts["web-2"], host_id)), ADMIN)
        assert refused.value.field == "host"
        assert snapshot() == before


def test_the_gate_holds_the_rollout_after_its_first_wave_and_only_then(app: Flask, world: World) -> None:
    rollout_id = start(world, strategy("1", gate=True))
    succeed(*take(rollout_id))
    assert state(rollout_id) is RolloutState.PAUSED
    assert db.session.get_one(Rollout, rollout_id).paused_by == ""  # nobody did: it was to
    assert take(rollout_id) == []
    rollouts.resume(rollout_id, ALL, ADMIN)
    succeed(*take(rollout_id))
    succeed(*take(rollout_id))
    assert state(rollout_id) is RolloutState.SUCCEEDED


def test_a_pause_in_the_first_wave_does_for_the_gate(app: Flask, world: World) -> None:
    rollout_id = start(world, strategy("2", gate=True))
    first, *_ = take(rollout_id, 1)
    rollouts.pause(rollout_id, ADMIN)
    succeed(first)
    rollouts.resume(rollout_id, ALL, ADMIN)
    succeed(*take(rollout_id))  # the other one of the first wave
    assert state(rollout_id) is RolloutState.PAUSED  # the gate is still to come
    rollouts.resume(rollout_id, ALL, ADMIN)
    succeed(*take(rollout_id))
    assert state(rollout_id) is RolloutState.SUCCEEDED


def test_a_rollout_at_the_gate_can_be_cancelled_and_ends_at_once(app: Flask, world: World) -> None:
    rollout_id = start(world, strategy("1", gate=True))
    succeed(*take(rollout_id))
    rollouts.cancel(rollout_id, ADMIN)
    assert (state(rollout_id), held()) == (RolloutState.CANCELLED, set())
