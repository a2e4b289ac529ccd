"""Each safeguard by itself: it holds, and a check of it alone sees when it is taken away. No other layer is asked, so
none can hide that one is missing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from deployer.domain.hosts import HostChoice
from deployer.domain.plan import StartRollout
from deployer.domain.progress import MAX_ATTEMPTS
from deployer.domain.status import Action, Evidence, InstanceStatus, Reach, RolloutState, StepState
from deployer.domain.strategy import Strategy, WaveSize
from deployer.extensions import db
from deployer.jobs.journal import StepJournal
from deployer.models import Instance, Rollout, Step, claims, leases
from deployer.models.columns import utc_now
from deployer.operations import probes, rollouts, steps
from deployer.operations.places import Place as HostPlace
from deployer.operations.steps import Settlement, TakenStep
from tests.model import mutants
from tests.model.clock import Clock, SimulatedLoop
from tests.model.errands import Errands
from tests.model.hosts import Ended, Fleet, Place
from tests.model.mutants import Mutant
from tests.world import ADMIN, World

SLOT = ("a", "orders")


def start(world: World, strategy: Strategy | None = None) -> Rollout:
    """Upgrade web-1 to web-3."""
    command = StartRollout(
        world.service,
        world.versions["1.1.0"],
        Action.UPGRADE,
        world.versions["1.2.0"],
        HostChoice(everyone=True),
        strategy=strategy or Strategy(stop_after=9),
    )
    return db.session.get_one(Rollout, rollouts.start(command, ADMIN).rollout_id)


def a_claim_on_what_another_holds_gets_no_row(world: World) -> None:
    first = start(world)
    held = list(db.session.scalars(db.select(Instance.id).where(Instance.rollout_id == first.id)))
    stale = Rollout(
        service_id=world.service, action=Action.UPGRADE, from_version_id=first.from_version_id,
        to_version_id=first.to_version_id, created_by="ann",
    )  # fmt: skip
    db.session.add(stale)
    db.session.flush()
    assert claims.claim(db.session(), stale, held, utc_now(), 99) == 0


def a_release_by_another_rollout_frees_nothing(world: World) -> None:
    first = start(world)
    (held, *_) = db.session.scalars(db.select(Instance.id).where(Instance.rollout_id == first.id))
    after = {"status": InstanceStatus.RUNNING, "evidence": Evidence.CONFIRMED}
    assert claims.release(db.session(), [held], first.id + 1, 99, **after) == 0
    assert claims.release(db.session(), [held], first.id, 99, **after) == 1


def an_old_attempt_settles_nothing(world: World) -> None:
    (late, *_) = steps.take_steps(start(world).id, "late", 3, lease_seconds=-1)
    steps.take_over("sweeper")
    assert leases.settle(db.session(), [late.step_id], late.attempt, 99, state=StepState.SUCCEEDED) == set()
    assert leases.requeue(db.session(), [late.step_id], late.attempt, 99) == set()


def an_ended_step_is_not_settled_again(world: World) -> None:
    (mine, *_) = steps.take_steps(start(world).id, "worker", 3)
    settled = leases.settle(db.session(), [mine.step_id], mine.attempt, 99, state=StepState.FAILED)
    assert settled == {mine.step_id}
    assert leases.settle(db.session(), [mine.step_id], mine.attempt, 99, state=StepState.SUCCEEDED) == set()


def an_old_attempt_renews_nothing(world: World) -> None:
    late = steps.take_steps(start(world).id, "late", 3, lease_seconds=-1)
    now = steps.take_over("sweeper")
    assert leases.renew(db.session(), {one.step_id: one.attempt for one in late}, 30.0) == set()
    assert len(leases.renew(db.session(), {one.step_id: one.attempt for one in now}, 30.0)) == 3


def only_the_wave_that_is_asked_for_is_taken(world: World) -> None:
    rollout = start(world, Strategy(WaveSize(hosts=1), stop_after=9))
    assert len(leases.take(db.session(), rollout.id, 2, 9, "worker", 30.0, 99)) == 1
    assert len(leases.take(db.session(), rollout.id, 2, 9, "worker", 30.0, 99)) == 0


def what_is_taken_is_not_taken_again(world: World) -> None:
    rollout = start(world)
    assert len(leases.take(db.session(), rollout.id, 1, 9, "worker", 30.0, 99)) == 3
    assert len(leases.take(db.session(), rollout.id, 1, 9, "other", 30.0, 99)) == 0


def what_a_dead_worker_held_is_taken_over(world: World) -> None:
    steps.take_steps(start(world).id, "dead", 3, lease_seconds=-1)
    assert [one.attempt for one in steps.take_over("sweeper")] == [2, 2, 2]


def a_rollout_stops_at_its_limit(world: World) -> None:
    rollout_id = start(world, Strategy(WaveSize(hosts=1), stop_after=1)).id
    (only,) = steps.take_steps(rollout_id, "worker", 9)
    assert steps.settle_step(only, Settlement(ok=False, running="1.1.0", error="It did not start."))
    assert steps.take_steps(rollout_id, "worker", 9) == []
    assert db.session.get_one(Rollout, rollout_id).state is RolloutState.FAILED


def a_step_is_not_tried_for_ever(world: World) -> None:
    rollout_id = start(world).id
    for _ in range(2 * MAX_ATTEMPTS):
        steps.take_steps(rollout_id, "dead", 3, lease_seconds=-1)
        for one in steps.take_over("sweeper"):
            steps.settle_step(one, Settlement(ok=False, running="1.1.0", error="lost", untouched=True))
    attempts = db.session.scalars(db.select(Step.attempt).where(Step.rollout_id == rollout_id)).all()
    assert max(attempts) <= MAX_ATTEMPTS + 1
    assert db.session.get_one(Rollout, rollout_id).state.is_final


def an_answer_about_what_has_changed_since_is_thrown_away(world: World) -> None:
    instance_id = db.session.scalars(db.select(Instance.id)).first()
    assert instance_id is not None
    probes.ask(instance_id, ADMIN)
    (question,) = probes.waiting_probes()
    probes.ask(instance_id, ADMIN)
    assert not probes.settle_probe(question, "1.8.0")


def a_host_lets_no_older_attempt_in(_world: World) -> None:
    fleet = Fleet(Clock(), {SLOT: Place("1")})
    fleet.begin(SLOT, "late", (1, 1), 9.0, "2", None)
    fleet.begin(SLOT, "now", (1, 2), 9.0, None, None)
    assert [one.owner for one in fleet.places[SLOT].running] == ["now"]
    with pytest.raises(Ended):
        fleet.begin(SLOT, "late", (1, 1), 1.0, "2", None)
    assert not fleet.wrong


def who_takes_over_asks_the_host(_world: World) -> None:
    taken = TakenStep(
        1, 2, 1, Action.UPGRADE, "ann", HostPlace(1, 1, "orders", {}, "a", "", Reach.LOCAL, "", 1), "1", "2", None, ""
    )  # fmt: skip
    end = finished(Fleet(Clock(), {SLOT: Place("1")}), lambda errands: errands.look_after(taken, StepJournal()))
    assert (end.ok, end.running, end.untouched) == (False, "1", True)


def finished(fleet: Fleet, errand: Callable[[Errands], object]) -> Settlement:
    """What the errand ends with, in simulated time."""
    loop = SimulatedLoop(fleet.clock)
    task: asyncio.Task[Settlement] = loop.create_task(errand(Errands(fleet, "w")))
    while not task.done():
        if not loop.step():
            fleet.clock.now += 0.5
            fleet.act()
    return task.result()


CHECKS: dict[Callable[[World], None], list[Mutant]] = {
    a_claim_on_what_another_holds_gets_no_row: [mutants.claim_looks_then_takes],
    a_release_by_another_rollout_frees_nothing: [mutants.release_of_anybody],
    an_old_attempt_settles_nothing: [mutants.no_fence_in_the_database, mutants.any_attempt_will_do],
    an_ended_step_is_not_settled_again: [mutants.no_fence_in_the_database],
    an_old_attempt_renews_nothing: [mutants.no_fence_in_the_database, mutants.any_attempt_will_do],
    only_the_wave_that_is_asked_for_is_taken: [mutants.take_from_any_wave],
    what_is_taken_is_not_taken_again: [mutants.take_what_others_have],
    what_a_dead_worker_held_is_taken_over: [mutants.nobody_sweeps],
    a_rollout_stops_at_its_limit: [mutants.nobody_stops],
    a_step_is_not_tried_for_ever: [mutants.requeue_for_ever],
    an_answer_about_what_has_changed_since_is_thrown_away: [mutants.answers_of_yesterday],
    a_host_lets_no_older_attempt_in: [mutants.no_fence_on_the_hosts],
    who_takes_over_asks_the_host: [mutants.look_after_guesses],
}


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_a_safeguard_holds_by_itself(sqlite_world: World, check: Callable[[World], None]) -> None:
    check(sqlite_world)


@pytest.mark.parametrize(
    ("check", "mutant"),
    [
        pytest.param(check, mutant, id=f"{mutant.__name__}-{check.__name__}")
        for check, caught in CHECKS.items()
        for mutant in caught
    ],
)
def test_a_safeguard_that_is_missing_is_missed(
    sqlite_world: World, monkeypatch: pytest.MonkeyPatch, check: Callable[[World], None], mutant: Mutant
) -> None:
    mutant(monkeypatch)
    with pytest.raises((AssertionError, pytest.fail.Exception)):
        check(sqlite_world)


def test_every_mutant_is_caught_somewhere() -> None:
    every = {name for name, one in vars(mutants).items() if getattr(one, "__annotations__", {}).get("patch")}
    by_layer = {mutant.__name__ for caught in CHECKS.values() for mutant in caught}
    assert every - by_layer == {"asking_takes_no_fence"}  # (what it takes away is in no layer but the whole)
