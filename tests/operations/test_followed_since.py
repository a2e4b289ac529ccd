"""What a rollout did to a host is its own to undo or try again until another rollout has worked on that host."""

from __future__ import annotations

from dataclasses import replace

import pytest
from flask import Flask

from deployer.domain.errors import Conflict
from deployer.domain.hosts import HostChoice
from deployer.domain.plan import StartRollout
from deployer.domain.status import Action
from deployer.domain.strategy import Strategy
from deployer.operations import followups, rollouts, steps
from deployer.operations.steps import Settlement
from deployer.queries import plans
from deployer.queries import rollouts as queries
from tests.world import ADMIN, World, snapshot

ALL = HostChoice(everyone=True)


def upgrade(world: World, source: str = "1.1.0", target: str = "1.2.0") -> StartRollout:
    return StartRollout(
        world.service,
        world.versions[source],
        Action.UPGRADE,
        world.versions[target],
        ALL,
        strategy=Strategy(stop_after=9),
    )


def carry_out(rollout_id: int, running: str, *, ok: bool = True) -> None:
    for step in steps.take_steps(rollout_id, "worker", 9):
        assert steps.settle_step(step, Settlement(ok=ok, running=running, error="" if ok else "It did not start."))


def test_an_undo_of_what_was_undone_and_done_again_is_refused(app: Flask, world: World) -> None:
    first = rollouts.start(upgrade(world), ADMIN).rollout_id
    carry_out(first, "1.2.0")
    undo = followups.undo(first, ALL, ADMIN).accepted
    assert undo is not None
    carry_out(undo.rollout_id, "1.1.0")
    again = rollouts.start(upgrade(world), ADMIN).rollout_id
    carry_out(again, "1.2.0")
    before = snapshot()
    with pytest.raises(Conflict, match=f"Rollout #{again} has worked on it since; it runs 1.2.0"):
        followups.undo(first, ALL, ADMIN)
    assert snapshot() == before
    assert not plans.offers(queries.rollout(first)).undo
    assert plans.offers(queries.rollout(again)).undo
    assert queries.rollout(first).undone_by == undo.rollout_id


def test_a_failed_host_that_another_rollout_has_taken_on_is_not_tried_again(app: Flask, world: World) -> None:
    failed = rollouts.start(upgrade(world, target="1.8.0"), ADMIN).rollout_id
    carry_out(failed, "1.1.0", ok=False)
    assert plans.offers(queries.rollout(failed)).retry == 3
    carry_out(rollouts.start(upgrade(world), ADMIN).rollout_id, "1.2.0")
    with pytest.raises(Conflict, match="has worked on it since"):
        followups.retry(failed, ALL, ADMIN)
    assert plans.offers(queries.rollout(failed)).retry == 0


@pytest.mark.parametrize("other", ["hosts", "strategy", "target", "undo"])
def test_the_token_of_a_plan_that_was_started_starts_nothing_else(app: Flask, world: World, other: str) -> None:
    one = HostChoice(everyone=False, ids=(world.hosts["web-1"],))
    command = replace(upgrade(world), hosts=one)
    command = replace(command, token=plans.rollout(command).token)
    accepted = rollouts.start(command, ADMIN)
    assert rollouts.start(command, ADMIN) == accepted
    carry_out(accepted.rollout_id, "1.2.0")
    assert rollouts.start(command, ADMIN) == accepted
    before = snapshot()
    with pytest.raises(Conflict, match=f"started already, as rollout #{accepted.rollout_id}") as refused:
        if other == "undo":
            followups.undo(accepted.rollout_id, ALL, ADMIN, command.token)
        else:
            changed = {
                "hosts": {"hosts": HostChoice(everyone=False, ids=(world.hosts["web-2"],))},
                "strategy": {"strategy": Strategy(stop_after=2)},
                "target": {"to_version_id": world.versions["1.8.0"]},
            }[other]
            rollouts.start(replace(command, **changed), ADMIN)
    assert refused.value.field == "plan"
    assert snapshot() == before
