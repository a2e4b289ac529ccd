"""A worker that slept past its own leases: what it did before is over; who has the steps now goes by the host."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask

from deployer.domain.status import RolloutState
from deployer.extensions import db
from deployer.jobs import drain as jobs
from deployer.jobs import identity, sweeper
from deployer.jobs.drain import Drain, Errands
from deployer.jobs.work import Journal
from deployer.operations import steps
from deployer.operations.checks import CheckEnd
from deployer.operations.steps import Settlement, TakenStep
from deployer.queries import rollouts as queries
from tests.operations.test_cancel import start
from tests.world import World


async def inline(operation: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
    """The database without threads."""
    await asyncio.sleep(0)
    return operation(*args, **kwargs)


def test_a_worker_that_gets_its_own_step_back_ends_the_earlier_attempt_first(
    sqlite_app: Flask, sqlite_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    rollout_id = start(sqlite_world)
    told: list[tuple[str, int, int]] = []

    async def carry_out(step: TakenStep, _say: Journal) -> Settlement:
        told.append(("begin", step.step_id, step.attempt))
        try:
            await asyncio.sleep(60)
        finally:
            told.append(("end", step.step_id, step.attempt))
        return Settlement(ok=True, running="1.2.0")

    async def look_after(step: TakenStep, _say: Journal) -> Settlement:
        told.append(("look", step.step_id, step.attempt))
        await asyncio.sleep(0.2)
        told.append(("seen", step.step_id, step.attempt))
        return Settlement(ok=True, running="1.2.0")

    async def ask(_probe: object) -> str | None:
        return None

    async def check(_check: object) -> CheckEnd:
        return CheckEnd(None)

    monkeypatch.setattr(jobs, "LOOK_SECONDS", 0.05)

    async def sleep_past_the_leases() -> None:
        errands = Errands(carry_out, look_after, ask, lambda: None, check)
        work = asyncio.create_task(Drain(inline, errands, "me", 3).run())
        while len(told) < 3:  # noqa: ASYNC110 (nobody here could set an event)
            await asyncio.sleep(0.01)
        steps.expire_leases("me")
        await asyncio.wait_for(work, 20)

    asyncio.run(sleep_past_the_leases())
    for step_id in {step_id for _, step_id, _ in told}:
        of_step = [(what, attempt) for what, its, attempt in told if its == step_id]
        assert of_step == [("begin", 1), ("end", 1), ("look", 2), ("seen", 2)]
    db.session.rollback()
    assert queries.rollout(rollout_id).state is RolloutState.SUCCEEDED


def test_the_leases_of_a_process_that_has_ended_are_seen_to_be_nobodys(sqlite_app: Flask, sqlite_world: World) -> None:
    rollout_id = start(sqlite_world)
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    assert len(steps.take_steps(rollout_id, identity.of_process(gone.pid), 2)) == 2
    assert len(steps.take_steps(rollout_id, identity.of_process(), 1)) == 1
    assert steps.take_over("other") == []
    sweeper.tick("me", 1)
    assert [step.attempt for step in steps.take_over("other")] == [2, 2]
    assert steps.holders() == [identity.of_process(), "other"]


@pytest.mark.parametrize("name", ["elsewhere/00000000:1", "nonsense", f"{os.uname().nodename}:999999999", ""])
def test_of_a_process_elsewhere_it_is_not_known_whether_it_has_ended(name: str) -> None:
    assert not identity.is_dead(name)
