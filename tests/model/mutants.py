"""Faults to be caught: each takes one safeguard away, and leaves every other in place."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Sequence
from datetime import datetime

import pytest
from sqlalchemy import update
from sqlalchemy.orm import Session

from deployer.domain.progress import Move, Standing, next_move
from deployer.domain.status import InstanceStatus, StepState
from deployer.domain.transitions import RolloutEvent
from deployer.jobs.work import Journal
from deployer.models import Instance, Rollout, claims, leases
from deployer.models.claims import changed
from deployer.operations import probes, progress, steps
from deployer.operations.probes import TakenProbe
from deployer.operations.steps import Settlement, TakenStep
from tests.model.errands import Errands
from tests.model.hosts import Fleet, Unreachable

Mutant = Callable[[pytest.MonkeyPatch], None]


def _without(function: Callable[..., object], *guards: str) -> Callable[..., object]:
    """The function, made anew from its own text with pieces of it left out."""
    text = inspect.getsource(function)
    for guard in guards:
        assert guard in text, f"{function.__qualname__} has changed: {guard!r} is not in it"
        text = text.replace(guard, "")
    names: dict[str, object] = {}
    exec(compile(f"from __future__ import annotations\n{text}", "mutant", "exec"), function.__globals__, names)
    return names[function.__name__]  # type: ignore[return-value]


def claim_looks_then_takes(patch: pytest.MonkeyPatch) -> None:
    """``claims.claim`` trusts what was read before, and updates by primary key."""

    def claim(session: Session, rollout: Rollout, instance_ids: Sequence[int], at: datetime, rev: int) -> int:
        return sum(
            changed(
                session,
                update(Instance)
                .where(Instance.id == id_)
                .values(rollout_id=rollout.id, status=InstanceStatus.during(rollout.action), rev=rev, updated=at),
            )
            for id_ in instance_ids
        )

    patch.setattr(claims, "claim", claim)


def release_of_anybody(patch: pytest.MonkeyPatch) -> None:
    """``claims.release`` frees an instance whoever holds it."""
    patch.setattr(claims, "release", _without(claims.release, ", Instance.rollout_id == rollout_id"))


def no_fence_in_the_database(patch: pytest.MonkeyPatch) -> None:
    """A worker writes on any step, whoever holds it, and also when it has ended."""
    guards = ", Step.state == StepState.RUNNING, Step.attempt == attempt"
    patch.setattr(leases, "write", _without(leases.write, guards))


def any_attempt_will_do(patch: pytest.MonkeyPatch) -> None:
    """A worker writes on, settles and keeps the lease of any running step, whoever holds it by now."""
    patch.setattr(leases, "write", _without(leases.write, ", Step.attempt == attempt"))


def take_from_any_wave(patch: pytest.MonkeyPatch) -> None:
    """``leases.take`` takes what is queued, whichever wave it is in."""
    patch.setattr(leases, "take", _without(leases.take, ", Step.wave == wave"))


def take_what_others_have(patch: pytest.MonkeyPatch) -> None:
    """``leases.take`` takes steps that run or have ended, too."""
    patch.setattr(leases, "take", _without(leases.take, ", Step.state == StepState.QUEUED"))


def nobody_sweeps(patch: pytest.MonkeyPatch) -> None:
    """Nobody takes over what dead workers held."""
    patch.setattr(steps, "take_over", lambda *_args: [])


def nobody_stops(patch: pytest.MonkeyPatch) -> None:
    """A rollout goes on however many hosts have failed."""

    def heedless(standing: Standing) -> Move | None:
        move = next_move(standing)
        if move is None or move.event is not RolloutEvent.STOP:
            return move
        here = standing.tally(standing.wave)
        waits = here[StepState.QUEUED] or here[StepState.RUNNING]
        return None if waits or standing.wave >= standing.last_wave else Move(None, standing.wave + 1)

    patch.setattr(progress, "next_move", heedless)


def requeue_for_ever(patch: pytest.MonkeyPatch) -> None:
    """A step that costs a worker each time is tried again without end."""
    patch.setattr(steps, "may_requeue", lambda state, _attempt: not state.is_final)


def answers_of_yesterday(patch: pytest.MonkeyPatch) -> None:
    """``probes.settle_probe`` records an answer about an instance that has changed since the question."""
    patch.setattr(probes, "settle_probe", _without(probes.settle_probe, ", Instance.rev == probe.rev"))


def no_fence_on_the_hosts(patch: pytest.MonkeyPatch) -> None:
    """The wrapper lets every command through."""
    patch.setattr(Fleet, "fencing", False)


def look_after_guesses(patch: pytest.MonkeyPatch) -> None:
    """Who takes over a step takes for granted that its command did its work."""

    async def look_after(self: Errands, step: TakenStep, say: Journal) -> Settlement:
        await asyncio.sleep(0)
        return Settlement(True, step.to_label)

    patch.setattr(Errands, "look_after", look_after)


def asking_takes_no_fence(patch: pytest.MonkeyPatch) -> None:
    """A host is asked for its version while older commands may still be at work there, or on their way."""

    async def ask(self: Errands, probe: TakenProbe) -> str | None:
        await asyncio.sleep(0.5)
        try:
            return self.fleet.probe((probe.place.hostname, probe.place.service))
        except Unreachable:
            return None

    patch.setattr(Errands, "ask", ask)
