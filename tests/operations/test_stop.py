"""After as many failed hosts as it may lose, a rollout starts no other, and is undone if it was to be."""

from __future__ import annotations

import pytest
from flask import Flask
from sqlalchemy import func, select

from deployer.domain.status import Action, Origin, RolloutState, StepState
from deployer.extensions import db
from deployer.models import AuditEntry, Rollout
from deployer.operations import rollouts, steps
from deployer.operations.steps import Settlement
from tests.operations.upgrades import fail, follower, held, only, runs, start, state, states, strategy, succeed, take
from tests.world import ADMIN, World


@pytest.mark.parametrize("limit", [1, 2])
def test_a_rollout_stops_at_its_limit_and_gives_back_the_hosts_it_never_touched(
    app: Flask, world: World, limit: int
) -> None:
    rollout_id = start(world, strategy("1", stop=limit))
    for _ in range(limit):
        assert state(rollout_id) in (RolloutState.QUEUED, RolloutState.RUNNING)
        fail(*take(rollout_id))
    assert state(rollout_id) is RolloutState.FAILED
    assert take(rollout_id) == []
    ended = list(states(rollout_id).values())
    assert ended == [StepState.FAILED] * limit + [StepState.CANCELLED] * (3 - limit)
    assert held() == set()
    stopped = db.session.execute(select(AuditEntry).where(AuditEntry.verb == "stop")).scalars().all()
    assert [one.facts["never_started"] for one in stopped] == [3 - limit]


def test_what_runs_when_it_stops_comes_to_its_own_end(app: Flask, world: World) -> None:
    rollout_id = start(world, strategy("2", stop=1))
    first, second = take(rollout_id)
    fail(first)
    assert (state(rollout_id), held()) == (RolloutState.STOPPING, {"web-2"})
    succeed(second)
    assert state(rollout_id) is RolloutState.FAILED
    assert runs(world)["web-2"] == "1.2.0"


def test_a_paused_rollout_stops_too(app: Flask, world: World) -> None:
    rollout_id = start(world, strategy(stop=1))
    (first,) = take(rollout_id, 1)
    rollouts.pause(rollout_id, ADMIN)
    fail(first)
    assert (state(rollout_id), held()) == (RolloutState.FAILED, set())


def test_an_undo_begins_in_the_transaction_of_the_last_step_and_takes_only_what_was_changed(
    app: Flask, world: World
) -> None:
    rollout_id = start(world, strategy("2", stop=1, undo=True))
    first, second = take(rollout_id)
    succeed(first)
    audited = db.session.execute(select(func.max(AuditEntry.id))).scalar_one()
    fail(second)
    undo = follower(rollout_id)
    assert undo is not None
    assert (undo.action, undo.origin, undo.created_by) == (Action.REVERT, Origin.UNDO, ADMIN.name)
    assert states(undo.id) == {"web-1": StepState.QUEUED}  # web-2 was restored already, web-3 never begun
    assert held() == {"web-1"}
    verbs = db.session.scalars(select(AuditEntry.verb).where(AuditEntry.id > audited).order_by(AuditEntry.id)).all()
    assert verbs == ["settle", "stop", "undo"]
    succeed(*take(undo.id))
    assert runs(world) == {"web-1": "1.1.0", "web-2": "1.1.0", "web-3": "1.1.0", "web-4": "1.0.0"}
    assert (state(rollout_id), state(undo.id)) == (RolloutState.FAILED, RolloutState.SUCCEEDED)


def test_a_host_of_which_nobody_knows_what_it_runs_is_undone_with_the_others(app: Flask, world: World) -> None:
    rollout_id = start(world, strategy(stop=1, undo=True))
    first, second, third = take(rollout_id)
    succeed(first)
    fail(second, running=None)
    fail(third)
    undo = follower(rollout_id)
    assert undo is not None
    assert set(states(undo.id)) == {"web-1", "web-2"}


def test_an_undo_that_fails_is_not_undone(app: Flask, world: World) -> None:
    rollout_id = start(world, strategy(stop=1, undo=True))
    first, *others = take(rollout_id)
    succeed(first)
    fail(*others)
    undo = follower(rollout_id)
    assert undo is not None
    fail(*take(undo.id))
    assert state(undo.id) is RolloutState.FAILED
    assert follower(undo.id) is None


@pytest.mark.parametrize("undo", [True, False])
def test_nothing_is_undone_when_nothing_was_changed_or_nobody_wants_it(app: Flask, world: World, undo: bool) -> None:
    rollout_id = start(world, strategy("1", stop=1, undo=undo))
    fail(*take(rollout_id))
    assert (state(rollout_id), follower(rollout_id), held()) == (RolloutState.FAILED, None, set())


def test_a_rollout_that_a_person_ended_is_not_undone_by_itself(app: Flask, world: World) -> None:
    rollout_id = start(world, strategy(stop=1, undo=True))
    first, second = take(rollout_id, 2)
    rollouts.cancel(rollout_id, ADMIN)
    succeed(first)
    fail(second)
    assert (state(rollout_id), follower(rollout_id)) == (RolloutState.FAILED, None)


def test_hosts_that_end_together_are_one_stop_and_one_undo(app: Flask, world: World) -> None:
    rollout_id = start(world, strategy(stop=2, undo=True))
    first, second, third = take(rollout_id)
    bad = Settlement(False, "1.1.0", "It did not start.")
    written = steps.settle_steps([(first, bad), (second, Settlement(True, "1.2.0")), (third, bad)])
    assert len(written) == 3
    count = select(func.count()).select_from(Rollout).where(Rollout.origin_id == rollout_id)
    assert db.session.execute(count).scalar_one() == 1
    undo = follower(rollout_id)
    assert undo is not None
    assert set(states(undo.id)) == {"web-2"}


def test_the_hosts_of_a_stopped_rollout_can_be_upgraded_again_at_once(app: Flask, world: World) -> None:
    fail(*take(start(world, strategy("1", stop=1))))
    again = start(world, hosts=only(world, "web-2", "web-3"))
    succeed(*take(again))
    assert runs(world)["web-3"] == "1.2.0"
