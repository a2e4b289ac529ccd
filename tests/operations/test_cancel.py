"""Cancel: no step starts any more, and a rollout ends when nothing of it is left to do."""

from __future__ import annotations

import pytest
from flask import Flask

from deployer.domain.errors import Conflict, Invalid
from deployer.domain.hosts import MAX_HOSTS, HostChoice
from deployer.domain.plan import InstanceSnapshot, StartRollout, VersionSnapshot, plan_rollout
from deployer.domain.status import Action, BuildStatus, InstanceStatus, RolloutState
from deployer.domain.strategy import Strategy
from deployer.operations import rollouts, steps
from deployer.operations.steps import Settlement
from deployer.queries import rollouts as queries
from tests.world import ADMIN, World


def start(world: World) -> int:
    command = StartRollout(
        world.service,
        world.versions["1.1.0"],
        Action.UPGRADE,
        world.versions["1.2.0"],
        HostChoice(everyone=True),
        strategy=Strategy(stop_after=2),
    )
    return rollouts.start(command, ADMIN).rollout_id


def test_a_rollout_of_which_nothing_runs_ends_with_its_cancel(app: Flask, world: World) -> None:
    rollout_id = start(world)
    (step,) = steps.take_steps(rollout_id, "worker", 1)
    assert steps.settle_step(step, Settlement(ok=True, running="1.2.0"))
    rollouts.cancel(rollout_id, ADMIN)
    row = queries.rollout(rollout_id)
    assert (row.state, row.succeeded, row.cancelled) == (RolloutState.CANCELLED, 1, 2)
    assert row.finished


def test_a_cancel_after_a_failure_ends_as_failed(app: Flask, world: World) -> None:
    rollout_id = start(world)
    (step,) = steps.take_steps(rollout_id, "worker", 1)
    assert steps.settle_step(step, Settlement(ok=False, running="1.1.0", error="It did not start."))
    rollouts.cancel(rollout_id, ADMIN)
    assert queries.rollout(rollout_id).state is RolloutState.FAILED


def test_a_rollout_that_has_ended_cannot_be_cancelled(app: Flask, world: World) -> None:
    rollout_id = start(world)
    rollouts.cancel(rollout_id, ADMIN)
    with pytest.raises(Conflict):
        rollouts.cancel(rollout_id, ADMIN)


def test_all_takes_no_more_hosts_than_a_list_may(app: Flask) -> None:
    source, target = (VersionSnapshot(n, str(n), BuildStatus.SUCCESS, deployable=True) for n in (1, 2))
    many = [InstanceSnapshot(n, n, f"web-{n}", InstanceStatus.RUNNING) for n in range(1, MAX_HOSTS + 2)]
    command = StartRollout(1, 1, Action.UPGRADE, 2, HostChoice(everyone=True))
    with pytest.raises(Invalid):
        plan_rollout(command, source, target, many)
    assert len(plan_rollout(command, source, target, many[:-1]).steps) == MAX_HOSTS
