"""Undo: each host goes back to its own previous version, whenever somebody asks for it."""

from __future__ import annotations

import pytest
from flask import Flask

from deployer.domain.errors import Conflict, NotFound
from deployer.domain.status import Action, Origin, RolloutState, StepState
from deployer.extensions import db
from deployer.models import Rollout
from deployer.operations import rollouts
from deployer.operations.followups import retry, undo
from deployer.operations.steps import Settlement, settle_step
from tests.operations.upgrades import (
    ALL,
    fail,
    follower,
    held,
    only,
    runs,
    start,
    state,
    states,
    strategy,
    succeed,
    take,
)  # fmt: skip
from tests.world import ADMIN, World, snapshot


def mixed(world: World) -> int:
    """A rollout that brought 1.8.0 to web-1 from 1.2.0, and to web-2 from 1.1.0."""
    first = start(world, hosts=only(world, "web-1", "web-2"), target="1.8.0")
    for step, running in zip(take(first), ("1.2.0", "1.1.0"), strict=True):  # somebody had been on web-1 by hand
        assert settle_step(step, Settlement(ok=False, running=running, error="It did not start."))
    accepted = retry(first, ALL, ADMIN).accepted
    assert accepted is not None
    succeed(*take(accepted.rollout_id))
    return accepted.rollout_id


def test_each_host_of_a_mixed_fleet_goes_back_to_its_own_version(app: Flask, world: World) -> None:
    rollout_id = mixed(world)
    assert runs(world) == {"web-1": "1.8.0", "web-2": "1.8.0", "web-3": "1.1.0", "web-4": "1.0.0"}
    accepted = undo(rollout_id, ALL, ADMIN).accepted
    assert accepted is not None
    taken = take(accepted.rollout_id)
    assert [(one.place.hostname, one.action, one.to_label) for one in taken] == [
        ("web-1", Action.REVERT, "1.2.0"),
        ("web-2", Action.REVERT, "1.1.0"),
    ]
    succeed(*taken)
    assert runs(world) == {"web-1": "1.2.0", "web-2": "1.1.0", "web-3": "1.1.0", "web-4": "1.0.0"}


def test_an_undo_can_be_undone(app: Flask, world: World) -> None:
    rollout_id = mixed(world)
    back = undo(rollout_id, ALL, ADMIN).accepted
    assert back is not None
    succeed(*take(back.rollout_id))
    again = undo(back.rollout_id, ALL, ADMIN).accepted
    assert again is not None
    succeed(*take(again.rollout_id))
    assert runs(world) == {"web-1": "1.8.0", "web-2": "1.8.0", "web-3": "1.1.0", "web-4": "1.0.0"}


def test_single_hosts_can_be_undone_and_the_rest_later(app: Flask, world: World) -> None:
    rollout_id = start(world)
    succeed(*take(rollout_id))
    first = undo(rollout_id, only(world, "web-2"), ADMIN).accepted
    assert first is not None and first.host_ids == (world.hosts["web-2"],)
    rest = undo(rollout_id, ALL, ADMIN)
    assert rest.accepted is not None
    assert rest.accepted.host_ids == (world.hosts["web-1"], world.hosts["web-3"])
    assert [(one.hostname, f"#{first.rollout_id} " in str(one.why)) for one in rest.left_out] == [("web-2", True)]


def test_an_undo_while_hosts_are_being_worked_on_begins_with_the_end_of_the_last_of_them(
    app: Flask, world: World
) -> None:
    rollout_id = start(world)
    first, second = take(rollout_id, 2)
    assert undo(rollout_id, ALL, ADMIN).accepted is None
    assert states(rollout_id)["web-3"] is StepState.CANCELLED
    assert (state(rollout_id), held()) == (RolloutState.CANCELLING, {"web-1", "web-2"})
    succeed(first)
    assert (follower(rollout_id), held()) == (None, {"web-2"})
    succeed(second)
    following = follower(rollout_id)
    assert following is not None
    assert (following.origin, set(states(following.id))) == (Origin.UNDO, {"web-1", "web-2"})
    assert state(rollout_id) is RolloutState.CANCELLED
    succeed(*take(following.id))
    assert runs(world)["web-1"] == runs(world)["web-2"] == "1.1.0"


def test_asking_twice_while_hosts_are_being_worked_on_undoes_once(app: Flask, world: World) -> None:
    rollout_id = start(world)
    taken = take(rollout_id)
    undo(rollout_id, ALL, ADMIN)
    with pytest.raises(Conflict, match="asked for an undo already"):
        undo(rollout_id, ALL, ADMIN)
    succeed(*taken)
    assert db.session.scalars(db.select(Rollout.id).where(Rollout.origin_id == rollout_id)).all() == [rollout_id + 1]


def test_an_undo_that_finds_nothing_to_do_at_the_end_leaves_no_rollout(app: Flask, world: World) -> None:
    rollout_id = start(world)
    taken = take(rollout_id)
    undo(rollout_id, ALL, ADMIN)
    fail(*taken)
    assert (state(rollout_id), follower(rollout_id), held()) == (RolloutState.FAILED, None, set())


def test_single_hosts_cannot_be_chosen_while_hosts_are_being_worked_on(app: Flask, world: World) -> None:
    rollout_id = start(world)
    take(rollout_id, 1)
    before = snapshot()
    with pytest.raises(Conflict) as refused:
        undo(rollout_id, only(world, "web-1"), ADMIN)
    assert refused.value.field == "host"
    assert snapshot() == before


@pytest.mark.parametrize("gate", [True, False], ids=["at the gate", "paused by a person"])
def test_an_undo_of_a_waiting_rollout_ends_it_and_begins_at_once(app: Flask, world: World, gate: bool) -> None:
    rollout_id = start(world, strategy("1", gate=gate))
    taken = take(rollout_id)
    if not gate:
        rollouts.pause(rollout_id, ADMIN)
    succeed(*taken)
    accepted = undo(rollout_id, ALL, ADMIN).accepted
    assert accepted is not None
    assert accepted.host_ids == (world.hosts["web-1"],)
    assert (state(rollout_id), held()) == (RolloutState.CANCELLED, {"web-1"})


def test_an_undo_after_a_stop_that_still_has_hosts_at_work_waits_for_them(app: Flask, world: World) -> None:
    rollout_id = start(world, strategy("2", stop=1))
    first, second = take(rollout_id)
    fail(first)
    assert undo(rollout_id, ALL, ADMIN).accepted is None
    succeed(second)
    following = follower(rollout_id)
    assert following is not None
    assert set(states(following.id)) == {"web-2"}


def test_an_undo_before_anything_was_touched_is_refused_and_changes_nothing(app: Flask, world: World) -> None:
    rollout_id = start(world)
    before = snapshot()
    with pytest.raises(Conflict, match="nothing to undo"):
        undo(rollout_id, ALL, ADMIN)
    assert snapshot() == before


def test_a_host_that_runs_something_else_by_now_is_left_out(app: Flask, world: World) -> None:
    rollout_id = start(world)
    succeed(*take(rollout_id))
    succeed(*take(start(world, hosts=only(world, "web-1"), source="1.2.0", target="1.8.0")))
    found = undo(rollout_id, ALL, ADMIN)
    assert found.accepted is not None and world.hosts["web-1"] not in found.accepted.host_ids
    assert [one.hostname for one in found.left_out] == ["web-1"]


def test_an_undo_of_a_rollout_that_does_not_exist_is_no_resource(app: Flask, world: World) -> None:
    with pytest.raises(NotFound):
        undo(999, ALL, ADMIN)
