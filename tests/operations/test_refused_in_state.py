"""Every action meets every state: either the rollout allows it, or it is refused and not a row is changed."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from flask import Flask

from deployer.domain.access import Actor, Role
from deployer.domain.errors import Conflict, Forbidden, NotFound
from deployer.domain.status import RolloutState as R
from deployer.operations import followups, rollouts
from tests.operations.upgrades import ALL, fail, start, state, strategy, succeed, take
from tests.world import ADMIN, World, snapshot


def _queued(world: World) -> int:
    return start(world)


def _running(world: World) -> int:
    rollout_id = start(world)
    take(rollout_id, 1)
    return rollout_id


def _paused(world: World) -> int:
    rollout_id = _running(world)
    rollouts.pause(rollout_id, ADMIN)
    return rollout_id


def _cancelling(world: World) -> int:
    rollout_id = _running(world)
    rollouts.cancel(rollout_id, ADMIN)
    return rollout_id


def _stopping(world: World) -> int:
    rollout_id = start(world, strategy(stop=1))
    first, _ = take(rollout_id, 2)
    fail(first)
    return rollout_id


def _succeeded(world: World) -> int:
    rollout_id = start(world)
    succeed(*take(rollout_id))
    return rollout_id


def _failed(world: World) -> int:
    rollout_id = start(world)
    first, *others = take(rollout_id)
    fail(first)
    succeed(*others)
    return rollout_id


def _cancelled(world: World) -> int:
    rollout_id = start(world)
    succeed(*take(rollout_id, 1))
    rollouts.cancel(rollout_id, ADMIN)
    return rollout_id


IN_STATE: dict[R, Callable[[World], int]] = {
    R.QUEUED: _queued,
    R.RUNNING: _running,
    R.PAUSED: _paused,
    R.CANCELLING: _cancelling,
    R.STOPPING: _stopping,
    R.SUCCEEDED: _succeeded,
    R.FAILED: _failed,
    R.CANCELLED: _cancelled,
}


def _pause(rollout_id: int, actor: Actor) -> None:
    rollouts.pause(rollout_id, actor)


def _resume(rollout_id: int, actor: Actor) -> None:
    rollouts.resume(rollout_id, ALL, actor)


def _cancel(rollout_id: int, actor: Actor) -> None:
    rollouts.cancel(rollout_id, actor)


def _undo(rollout_id: int, actor: Actor) -> None:
    followups.undo(rollout_id, ALL, actor)


def _retry(rollout_id: int, actor: Actor) -> None:
    followups.retry(rollout_id, ALL, actor)


ALLOWED: dict[Callable[[int, Actor], None], set[R]] = {
    _pause: {R.QUEUED, R.RUNNING},
    _resume: {R.PAUSED},
    _cancel: {R.QUEUED, R.RUNNING, R.PAUSED},
    _undo: {R.RUNNING, R.PAUSED, R.CANCELLING, R.STOPPING, R.SUCCEEDED, R.FAILED, R.CANCELLED},  # something was touched
    _retry: {R.FAILED},
}


@pytest.mark.parametrize("at", R, ids=str)
def test_an_action_that_the_state_does_not_allow_changes_nothing(app: Flask, world: World, at: R) -> None:
    rollout_id = IN_STATE[at](world)
    assert state(rollout_id) is at
    before = snapshot()
    for action, allowed in ALLOWED.items():
        if at not in allowed:
            with pytest.raises(Conflict):
                action(rollout_id, ADMIN)
            assert snapshot() == before, action


@pytest.mark.parametrize(
    ("action", "at"),
    [
        pytest.param(action, at, id=f"{action.__name__[1:]}-{at}")
        for action, allowed in ALLOWED.items()
        for at in sorted(allowed)
    ],
)
def test_an_action_that_the_state_allows_is_carried_out(
    sqlite_world: World, action: Callable[[int, Actor], None], at: R
) -> None:
    rollout_id = IN_STATE[at](sqlite_world)
    before = snapshot()
    action(rollout_id, ADMIN)
    assert len(snapshot()["audit_entry"]) > len(before["audit_entry"])


def test_a_viewer_may_do_none_of_it(sqlite_world: World) -> None:
    rollout_id = _paused(sqlite_world)
    before = snapshot()
    for action in ALLOWED:
        with pytest.raises(Forbidden):
            action(rollout_id, Actor("vic", Role.VIEWER))
    assert snapshot() == before


def test_a_rollout_that_does_not_exist_is_no_resource(sqlite_world: World) -> None:
    before = snapshot()
    for action in ALLOWED:
        with pytest.raises(NotFound):
            action(999, ADMIN)
    assert snapshot() == before
