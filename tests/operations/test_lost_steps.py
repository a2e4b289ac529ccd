"""A step whose worker is lost goes to another, which may begin anew if nothing was changed; but not for ever."""

from __future__ import annotations

import pytest
from flask import Flask
from sqlalchemy import select

from deployer.domain.progress import MAX_ATTEMPTS
from deployer.domain.status import Evidence, InstanceStatus, RolloutState, StepState
from deployer.extensions import db
from deployer.models import AuditEntry, Instance, Step
from deployer.operations import rollouts, steps
from deployer.operations.steps import Settlement, TakenStep
from tests.operations.upgrades import ALL, held, only, start, state, states, strategy, succeed, take
from tests.world import ADMIN, World, snapshot

UNTOUCHED = Settlement(ok=False, running="1.1.0", error="The worker was lost.", untouched=True)


def lose(rollout_id: int) -> list[TakenStep]:
    """A worker takes all there is and dies; who takes it over."""
    steps.take_steps(rollout_id, "dead", 9, lease_seconds=-1)
    return steps.take_over("next")


def test_a_lost_step_that_changed_nothing_is_queued_again_under_the_same_lock(app: Flask, world: World) -> None:
    rollout_id = start(world, hosts=only(world, "web-1"))
    (taken,) = lose(rollout_id)
    assert steps.settle_step(taken, UNTOUCHED)
    row = db.session.execute(select(Step).where(Step.rollout_id == rollout_id)).scalar_one()
    assert (row.state, row.attempt, row.worker, row.lease_until, row.started) == (StepState.QUEUED, 2, "", None, None)
    assert held() == {"web-1"}
    assert steps.waiting_rollouts() == [rollout_id]
    (again,) = take(rollout_id)
    assert again.attempt == 3
    succeed(again)
    assert state(rollout_id) is RolloutState.SUCCEEDED


def test_a_step_that_costs_a_worker_each_time_is_given_up(app: Flask, world: World) -> None:
    rollout_id = start(world, hosts=only(world, "web-1"))
    tries = 0
    while not state(rollout_id).is_final:
        tries += 1
        assert tries <= MAX_ATTEMPTS
        for taken in lose(rollout_id):
            assert steps.settle_step(taken, UNTOUCHED)
    requeued = db.session.scalars(select(AuditEntry).where(AuditEntry.verb == "requeue")).all()
    assert len(requeued) < MAX_ATTEMPTS
    instance = db.session.execute(select(Instance).where(Instance.host_id == world.hosts["web-1"])).scalar_one()
    assert (instance.status, instance.evidence) == (InstanceStatus.UPGRADE_FAILED, Evidence.CONFIRMED)
    assert held() == set()


def test_a_lost_step_of_a_paused_rollout_waits_with_the_others(app: Flask, world: World) -> None:
    rollout_id = start(world, strategy("1"))
    steps.take_steps(rollout_id, "dead", 9, lease_seconds=-1)
    rollouts.pause(rollout_id, ADMIN)
    (taken,) = steps.take_over("next")
    assert steps.settle_step(taken, UNTOUCHED)
    assert (state(rollout_id), take(rollout_id)) == (RolloutState.PAUSED, [])
    rollouts.resume(rollout_id, ALL, ADMIN)
    assert [one.place.hostname for one in take(rollout_id)] == ["web-1"]


@pytest.mark.parametrize("how", ["cancelled", "stopped"])
def test_a_lost_step_of_a_rollout_that_ends_is_not_tried_again(app: Flask, world: World, how: str) -> None:
    rollout_id = start(world, strategy(stop=1))
    first, second = steps.take_steps(rollout_id, "dead", 2, lease_seconds=-1)
    if how == "cancelled":
        rollouts.cancel(rollout_id, ADMIN)
    else:
        assert steps.settle_step(first, Settlement(False, "1.1.0", "It did not start."))
    for taken in steps.take_over("next"):
        assert steps.settle_step(taken, UNTOUCHED)
    assert states(rollout_id)[second.place.hostname] is StepState.FAILED
    assert (state(rollout_id), held()) == (RolloutState.FAILED, set())


def test_an_attempt_that_is_over_writes_nothing_whatever_it_says(app: Flask, world: World) -> None:
    rollout_id = start(world, hosts=only(world, "web-1"))
    (late,) = steps.take_steps(rollout_id, "late", 1, lease_seconds=-1)
    (now,) = steps.take_over("next")
    assert steps.settle_step(now, UNTOUCHED)
    before = snapshot()
    for end in (Settlement(True, "1.2.0"), Settlement(False, None, "gone"), UNTOUCHED):
        for old in (late, now):
            assert not steps.settle_step(old, end)
    assert steps.keep_leases({late.step_id: late.attempt}) == set()
    after = snapshot()
    # (The service's revision may move on: it is taken before anybody knows that there is nothing to write.)
    assert {name: rows for name, rows in after.items() if name != "service"} == {
        name: rows for name, rows in before.items() if name != "service"
    }


def test_a_living_workers_steps_are_not_taken_over(app: Flask, world: World) -> None:
    rollout_id = start(world)
    taken = take(rollout_id)
    assert steps.take_over("next") == []
    assert steps.keep_leases({one.step_id: one.attempt for one in taken}) == {one.step_id for one in taken}
    assert steps.expire_leases("another worker") == 0
    assert steps.expire_leases("worker") == 3
    assert [one.attempt for one in steps.take_over("next")] == [2, 2, 2]
