"""The gate after the first wave holds whatever else happens; an undo that begins later is asked for once."""

from __future__ import annotations

import pytest
from flask import Flask
from sqlalchemy import event

from deployer.domain.errors import Conflict
from deployer.domain.hosts import HostChoice
from deployer.domain.plan import StartRollout
from deployer.domain.status import Action, RolloutState
from deployer.domain.strategy import Strategy, WaveSize
from deployer.domain.token import PlanChanged
from deployer.extensions import db
from deployer.operations import followups, rollouts, steps
from deployer.queries import plans
from deployer.queries import rollouts as queries
from tests.standings import ALL, BOB, MAKERS, started, work
from tests.storm import prepare
from tests.world import ADMIN, World, snapshot


def test_a_pause_during_the_first_wave_does_not_do_away_with_the_gate(app: Flask, world: World) -> None:
    rollout_id = started(world, "canary", Strategy(WaveSize(hosts=1), pause_after_first=True))
    (canary,) = steps.take_steps(rollout_id, "a worker", 9)
    rollouts.pause(rollout_id, BOB)
    assert not queries.rollout(rollout_id).at_gate
    assert steps.settle_step(canary, steps.Settlement(ok=True, running="1.2.0"))
    row = queries.rollout(rollout_id)
    assert (row.state, row.at_gate) == (RolloutState.PAUSED, True)
    assert steps.take_steps(rollout_id, "a worker", 9) == []


def test_a_pause_that_is_over_before_the_first_wave_is_leaves_the_gate_where_it_is(app: Flask, world: World) -> None:
    rollout_id = started(world, "canary", Strategy(WaveSize(hosts=1), pause_after_first=True))
    rollouts.pause(rollout_id, BOB)
    rollouts.resume(rollout_id, ALL, BOB)
    work(rollout_id, True)
    assert queries.rollout(rollout_id).at_gate


def test_going_on_with_the_last_of_many_hosts_does_not_go_through_all_the_waves_between(sqlite_app: Flask) -> None:
    ground = prepare(200)
    strategy = Strategy(WaveSize(hosts=1), pause_after_first=True)
    command = StartRollout(ground.service, ground.source, Action.UPGRADE, ground.target, ALL, strategy=strategy)
    rollout_id = rollouts.start(command, ADMIN).rollout_id
    (canary,) = steps.take_steps(rollout_id, "a worker", 9)
    assert steps.settle_step(canary, steps.Settlement(ok=True, running="2"))
    statements: list[str] = []
    event.listen(db.engine, "before_cursor_execute", lambda *args: statements.append(args[2]))
    rollouts.resume(rollout_id, HostChoice(everyone=False, ids=(ground.hosts[-1],)), ADMIN)
    assert len(statements) < 40
    row = queries.rollout(rollout_id)
    assert (row.state, row.wave, row.skipped, row.queued) == (RolloutState.RUNNING, 200, 198, 1)
    assert len(steps.take_steps(rollout_id, "a worker", 9)) == 1


def test_an_undo_of_what_was_shown_does_not_become_one_of_hosts_that_are_being_worked_on(
    app: Flask, world: World
) -> None:
    rollout_id = MAKERS["gate"](world)
    token = plans.undo(rollout_id, ALL).token
    rollouts.resume(rollout_id, ALL, BOB)
    work(rollout_id, None)
    before = snapshot()
    with pytest.raises(PlanChanged, match="being worked on now"):
        followups.undo(rollout_id, ALL, ADMIN, token)
    assert snapshot() == before


def test_an_undo_that_begins_later_is_asked_for_once(app: Flask, world: World) -> None:
    rollout_id = MAKERS["running"](world)
    assert followups.undo(rollout_id, ALL, BOB).accepted is None
    before = snapshot()
    with pytest.raises(Conflict, match="bob has asked for an undo already"):
        followups.undo(rollout_id, ALL, ADMIN)
    assert snapshot() == before
