"""S12, S13: the job performs the locked transition for real, records what the probe said, and unlocks."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select
from sqlalchemy.exc import OperationalError

from deployer import artifacts
from deployer.domain.hosts import HostChoice
from deployer.domain.progress import MAX_ATTEMPTS
from deployer.domain.recipe import parse_recipe
from deployer.domain.status import Action, Evidence, InstanceStatus, RolloutState, StepState
from deployer.extensions import db
from deployer.jobs import drain as jobs
from deployer.jobs.deploy import Phase, deploy
from deployer.jobs.drain import work
from deployer.jobs.execute import task_of
from deployer.jobs.journal import StepJournal
from deployer.models import AuditEntry
from deployer.operations import steps
from deployer.operations.rollouts import cancel
from deployer.operations.steps import Said, Settlement, TakenStep
from deployer.queries import rollouts
from deployer.queries import steps as step_queries
from deployer.remote.local import LocalRunner
from tests.jobs.conftest import Fleet
from tests.world import ADMIN


def drain(app: Flask) -> None:
    asyncio.run(work(app))
    db.session.rollback()


@pytest.mark.parametrize(
    ("action", "target"),
    [pytest.param(Action.UPGRADE, "1.4.0", id="upgrade"), pytest.param(Action.REVERT, "1.0.0", id="revert")],
)
def test_a_rollout_replaces_the_running_services_and_records_what_they_answer(
    app: Flask, real_fleet: Fleet, action: Action, target: str
) -> None:
    assert real_fleet.answers() == ["1.1.0", "1.1.0"]
    rollout_id = real_fleet.start(target, action)
    drain(app)
    assert real_fleet.answers() == [target, target]
    for instance in real_fleet.instances():
        assert instance.version_id == real_fleet.versions[target]
        assert (instance.rollout_id, instance.status) == (None, InstanceStatus.RUNNING)
        assert instance.evidence is Evidence.CONFIRMED
    row = rollouts.rollout(rollout_id)
    assert (row.state, row.succeeded, row.failed) == (RolloutState.SUCCEEDED, 2, 0)
    for step in step_queries.steps(rollout_id):
        assert (step.state, step.attempt, step.running_label, step.error) == (StepState.SUCCEEDED, 1, target, "")
        assert step.lines
        assert step.finished


@pytest.mark.parametrize(
    ("target", "word"),
    [pytest.param("1.2.0", "/healthz", id="unhealthy"), pytest.param("1.3.0", "Restart failed", id="crash at start")],
)
def test_after_a_failed_upgrade_the_host_runs_what_is_recorded_and_the_reason_is_on_the_step(
    app: Flask, real_fleet: Fleet, target: str, word: str
) -> None:
    rollout_id = real_fleet.start(target, hosts=HostChoice(everyone=False, ids=(real_fleet.hosts[0],)))
    drain(app)
    assert real_fleet.answers() == ["1.1.0", "1.1.0"]
    failed, untouched = real_fleet.instances()
    assert (failed.status, failed.rollout_id) == (InstanceStatus.UPGRADE_FAILED, None)
    assert (failed.version_id, failed.evidence) == (real_fleet.versions["1.1.0"], Evidence.CONFIRMED)
    assert untouched.status is InstanceStatus.RUNNING
    (step,) = step_queries.steps(rollout_id)
    assert (step.state, step.running_label) == (StepState.FAILED, "1.1.0")
    assert word in step.error
    assert "restored" in step.error
    assert rollouts.rollout(rollout_id).state is RolloutState.FAILED


def test_a_host_that_cannot_be_asked_is_unlocked_and_marked_unverified(app: Flask, real_fleet: Fleet) -> None:
    rollout_id = real_fleet.start("1.4.0")
    (step, _other) = steps.take_steps(rollout_id, "worker", 2)
    assert steps.settle_step(step, Settlement(ok=False, running=None, error="The host was gone."))
    instance = real_fleet.instances()[0]
    assert (instance.rollout_id, instance.status) == (None, InstanceStatus.UPGRADE_FAILED)
    assert instance.evidence is Evidence.UNVERIFIED
    assert instance.version_id == real_fleet.versions["1.1.0"]


def test_a_late_worker_changes_nothing(app: Flask, real_fleet: Fleet) -> None:
    rollout_id = real_fleet.start("1.4.0")
    late = steps.take_steps(rollout_id, "late", 2, lease_seconds=-1)
    assert steps.waiting_rollouts() == [rollout_id]
    now = steps.take_over("sweeper")
    assert [step.attempt for step in now] == [2, 2]
    before = [(one.rollout_id, one.status, one.version_id) for one in real_fleet.instances()]
    assert not steps.settle_step(late[0], Settlement(ok=True, running="1.4.0"))
    steps.say([Said(late[0], ["I am still here"], "Waking up")])
    assert [(one.phase, one.lines) for one in step_queries.steps(rollout_id)] == [("", ()), ("", ())]
    assert steps.keep_leases({step.step_id: step.attempt for step in late}) == set()
    assert [(one.rollout_id, one.status, one.version_id) for one in real_fleet.instances()] == before
    assert steps.settle_step(now[0], Settlement(ok=False, running="1.1.0", error="lost"))


def test_a_doorbell_that_rings_twice_does_the_work_once(app: Flask, real_fleet: Fleet) -> None:
    real_fleet.start("1.4.0")
    drain(app)
    drain(app)
    drain(app)
    settled = db.session.execute(select(AuditEntry).where(AuditEntry.verb == "settle")).scalars().all()
    assert len(settled) == 2


def test_a_cancelled_rollout_lets_running_steps_end_and_starts_no_other(app: Flask, real_fleet: Fleet) -> None:
    rollout_id = real_fleet.start("1.4.0")
    (taken,) = steps.take_steps(rollout_id, "worker", 1)
    cancel(rollout_id, ADMIN)
    assert steps.take_steps(rollout_id, "other", 5) == []
    assert steps.settle_step(taken, Settlement(ok=True, running="1.4.0"))
    row = rollouts.rollout(rollout_id)
    assert (row.state, row.succeeded, row.cancelled) == (RolloutState.CANCELLED, 1, 1)
    assert {one.rollout_id for one in real_fleet.instances()} == {None}


def test_a_rollout_accepted_while_another_is_slow_does_not_wait_for_it(app: Flask, real_fleet: Fleet) -> None:
    def only(number: int) -> HostChoice:
        return HostChoice(everyone=False, ids=(real_fleet.hosts[number],))

    slow = real_fleet.start("1.2.0", hosts=only(0))  # its health check fails for two seconds, twice

    async def both() -> int:
        job = asyncio.create_task(work(app))
        await asyncio.sleep(0.5)
        with app.app_context():
            quick = real_fleet.start("1.4.0", hosts=only(1))
        await job
        return quick

    quick = asyncio.run(both())
    db.session.rollback()
    assert rollouts.rollout(quick).state is RolloutState.SUCCEEDED
    (quick_step,), (slow_step,) = step_queries.steps(quick), step_queries.steps(slow)
    assert quick_step.started and slow_step.finished and quick_step.started < slow_step.finished


def test_a_step_whose_worker_died_before_it_changed_anything_is_done_by_another(app: Flask, real_fleet: Fleet) -> None:
    rollout_id = real_fleet.start("1.4.0")
    steps.take_steps(rollout_id, "dead", 2, lease_seconds=-1)
    drain(app)
    assert real_fleet.answers() == ["1.4.0", "1.4.0"]
    for instance in real_fleet.instances():
        assert (instance.rollout_id, instance.status) == (None, InstanceStatus.RUNNING)
        assert (instance.version_id, instance.evidence) == (real_fleet.versions["1.4.0"], Evidence.CONFIRMED)
    for step in step_queries.steps(rollout_id):
        assert (step.state, step.attempt, step.running_label) == (StepState.SUCCEEDED, 3, "1.4.0")


def test_a_step_that_costs_a_worker_each_time_is_given_up_with_what_the_host_says_it_runs(
    app: Flask, real_fleet: Fleet
) -> None:
    rollout_id = real_fleet.start("1.4.0")
    for _ in range(MAX_ATTEMPTS):
        steps.take_steps(rollout_id, "dead", 2, lease_seconds=-1)
        for step in steps.take_over("dying", lease_seconds=-1):
            if step.attempt < MAX_ATTEMPTS:
                assert steps.settle_step(step, Settlement(ok=False, running="1.1.0", error="lost", untouched=True))
    drain(app)
    for instance in real_fleet.instances():
        assert (instance.rollout_id, instance.status) == (None, InstanceStatus.UPGRADE_FAILED)
        assert (instance.version_id, instance.evidence) == (real_fleet.versions["1.1.0"], Evidence.CONFIRMED)
    for step in step_queries.steps(rollout_id):
        assert (step.state, step.running_label) == (StepState.FAILED, "1.1.0")
        assert "lost" in step.error


def test_what_a_lost_worker_had_brought_into_service_is_kept_if_it_serves(app: Flask, real_fleet: Fleet) -> None:
    rollout_id = lost_after_the_work(app, real_fleet, "1.4.0")
    drain(app)
    assert real_fleet.answers()[0] == "1.4.0"
    assert real_fleet.instances()[0].version_id == real_fleet.versions["1.4.0"]
    assert rollouts.rollout(rollout_id).state is RolloutState.SUCCEEDED


def test_a_broken_release_that_a_lost_worker_left_in_place_is_taken_back(app: Flask, real_fleet: Fleet) -> None:
    rollout_id = lost_after_the_work(app, real_fleet, "1.2.0")
    assert real_fleet.answers()[0] == "1.2.0"
    drain(app)
    assert real_fleet.answers()[0] == "1.1.0"
    first = real_fleet.instances()[0]
    assert (first.version_id, first.status) == (real_fleet.versions["1.1.0"], InstanceStatus.UPGRADE_FAILED)
    assert "restored" in step_queries.steps(rollout_id)[0].error


def test_a_link_that_a_lost_worker_switched_without_a_restart_is_put_back(app: Flask, real_fleet: Fleet) -> None:
    rollout_id = lost_after_the_work(app, real_fleet, "1.4.0", until=Phase.SWITCHING)
    current = real_fleet.home / "hosts" / "host-1" / "orders" / "current"
    assert (str(current.readlink()), real_fleet.answers()[0]) == ("releases/1.4.0", "1.1.0")
    cancel(rollout_id, ADMIN)  # else it would be tried again
    drain(app)
    assert (str(current.readlink()), real_fleet.answers()[0]) == ("releases/1.1.0", "1.1.0")
    assert rollouts.rollout(rollout_id).state is RolloutState.FAILED


def lost_after_the_work(app: Flask, fleet: Fleet, target: str, until: Phase = Phase.HEALTH) -> int:
    """A worker that is lost on the first host once it has come to the end of the phase ``until``."""

    class Lost(Exception):
        pass

    class Journal(StepJournal):
        def phase(self, text: str) -> None:
            super().phase(text)
            if before and before[-1] == until:
                raise Lost
            before.append(text)

    before: list[str] = []
    rollout_id = fleet.start(target, hosts=HostChoice(everyone=False, ids=(fleet.hosts[0],)))
    (step,) = steps.take_steps(rollout_id, "dead", 1, lease_seconds=-1)
    store = app.config["SETTINGS"].artifacts
    task = task_of(step, artifacts.path_of(store, str(step.artifact_sha256)))
    with pytest.raises(Lost):
        asyncio.run(
            deploy(
                LocalRunner(step.place.address, step.place.directory), parse_recipe(step.place.recipe), task, Journal()
            )
        )
    return rollout_id


@pytest.mark.parametrize(("operation", "pause"), [("settle_steps", 60), ("say", 0.01), ("say", 60)])
def test_a_database_that_is_away_for_a_moment_fails_no_step(
    app: Flask, real_fleet: Fleet, monkeypatch: pytest.MonkeyPatch, operation: str, pause: float
) -> None:
    """Whether it is away when a step says something on its way, or its last word, or when its end is written."""
    monkeypatch.setattr(jobs, "SAY_SECONDS", pause)
    real, calls = getattr(steps, operation), 0

    def away(*args: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls <= 2:
            raise OperationalError("UPDATE", {}, Exception("the server closed the connection"))
        return real(*args)

    monkeypatch.setattr(steps, operation, away)
    rollout_id = real_fleet.start("1.4.0")
    drain(app)
    assert calls > 2
    assert rollouts.rollout(rollout_id).state is RolloutState.SUCCEEDED
    assert {instance.rollout_id for instance in real_fleet.instances()} == {None}
    assert all("Done" in step.phase and step.lines for step in step_queries.steps(rollout_id))


def test_an_end_that_the_database_refuses_keeps_no_other_host_locked(
    app: Flask, real_fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def execute(_to: object, _store: object, step: TakenStep, _say: object) -> Settlement:
        if step.place.hostname == "host-1":
            return Settlement(False, "1.1.0", "\x00")  # PostgreSQL keeps no such text
        return Settlement(True, "1.4.0")

    monkeypatch.setattr(jobs, "execute", execute)
    monkeypatch.setattr(jobs, "PATIENCE_SECONDS", 0.0)
    real_fleet.start("1.4.0")
    drain(app)
    assert [one.rollout_id for one in real_fleet.instances()][1] is None
    assert real_fleet.instances()[1].version_id == real_fleet.versions["1.4.0"]
