"""What a worker does with steps: take them, keep their leases, say how they go, settle them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import and_, select
from sqlalchemy.orm import aliased

from deployer.domain.errors import N_
from deployer.domain.status import Action, Evidence, InstanceStatus, Reach, RolloutState, StepState
from deployer.domain.transitions import RolloutEvent, StepEvent, advance_rollout, advance_step
from deployer.extensions import db
from deployer.models import Host, Instance, Rollout, Service, Step, StepLog, Version, claims
from deployer.operations.ending import end_if_done
from deployer.operations.transaction import audit, transaction

LEASE_SECONDS = 30.0


@dataclass(frozen=True)
class TakenStep:
    """A step that this worker holds, with all it needs to do it: nothing is read again while machines are touched."""

    step_id: int
    attempt: int
    rollout_id: int
    service_id: int
    instance_id: int
    action: Action
    by: str
    service: str
    recipe: dict[str, Any]
    hostname: str
    address: str
    reach: Reach
    directory: str
    port: int
    from_label: str
    to_label: str
    artifact_sha256: str | None
    artifact_url: str


@dataclass(frozen=True)
class Settlement:
    """How a step ended. ``running`` is the label that the probe found, None when nothing usable answered."""

    ok: bool
    running: str | None
    error: str = ""


def take_steps(rollout_id: int, worker: str, slots: int, lease_seconds: float = LEASE_SECONDS) -> list[TakenStep]:
    """Take up to ``slots`` queued steps of the rollout. Empty when there are none, or the rollout is unknown."""
    with transaction() as session:
        rollout = session.get(Rollout, rollout_id)
        if rollout is None:
            return []
        rev = claims.bump(session(), rollout.service_id)
        session.refresh(rollout)
        taken = claims.take(session(), rollout_id, slots, worker, lease_seconds, rev)
        if taken and rollout.state is RolloutState.QUEUED:
            rollout.state = advance_rollout(rollout.state, RolloutEvent.START)
            rollout.rev = rev
        return _described(rollout, taken)


def keep_leases(held: dict[int, int], lease_seconds: float = LEASE_SECONDS) -> set[int]:
    """Renew the leases of ``held`` (step id → attempt). Returns those that are still ours."""
    with transaction() as session:
        return claims.renew(session(), held, lease_seconds)


def say(step: TakenStep, lines: list[str], phase: str | None) -> bool:
    """Add log lines, and the phase when it changed. Returns False when the step is no longer ours."""
    with transaction() as session:
        rev = claims.bump(session(), step.service_id)
        row = session.get(Step, step.step_id)
        if row is None or row.attempt != step.attempt or row.state is not StepState.RUNNING:
            return False
        row.rev = rev
        if phase is not None:
            row.phase = phase
        if lines:
            session.add(StepLog(step_id=row.id, attempt=row.attempt, lines="\n".join(lines)))
        return True


class _Fenced(Exception):
    """The step has moved on without us."""


def settle_step(step: TakenStep, end: Settlement) -> bool:
    """Write the truth: the step's end, the instance's version as probed, its status, the free claim — one transaction.

    Returns False, having changed nothing, when the attempt is no longer the step's.
    """
    try:
        with transaction() as session:
            rev = claims.bump(session(), step.service_id)
            found = _version_id(step.service_id, end.running)
            error = end.error
            if end.running is not None and found is None:
                error = f"{error} " + N_("The host runs a version that is not recorded here: ") + end.running
            state = advance_step(StepState.RUNNING, StepEvent.SUCCEED if end.ok else StepEvent.FAIL)
            settled = claims.settle(
                session(), step.step_id, step.attempt, rev, state=state, error=error.strip(), running_version_id=found
            )
            if settled != 1:
                raise _Fenced
            claims.release(
                session(),
                step.instance_id,
                step.rollout_id,
                rev,
                status=InstanceStatus.RUNNING if end.ok else InstanceStatus.after_failed(step.action),
                version_id=found,
                evidence=Evidence.CONFIRMED if found is not None else Evidence.UNVERIFIED,
            )
            audit(
                step.by,
                "settle",
                "step",
                step.step_id,
                rollout=step.rollout_id,
                host=step.hostname,
                state=state.value,
                source=step.from_label,
                running=end.running,
            )
            end_if_done(session.get_one(Rollout, step.rollout_id), rev)
    except _Fenced:
        return False
    return True


def waiting_rollouts() -> list[int]:
    """Rollouts with steps that no living worker has, oldest first: what to ring for after a silence."""
    waits = (Step.state == StepState.QUEUED) | and_(*claims.expired())
    rows = select(Step.rollout_id).where(waits).distinct().order_by(Step.rollout_id)
    return list(db.session.execute(rows).scalars())


def take_over(worker: str, lease_seconds: float = LEASE_SECONDS) -> list[TakenStep]:
    """Take the steps whose leases have run out, each with the next fencing number: who had them can no longer write."""
    if db.session.execute(select(Step.id).where(*claims.expired()).limit(1)).first() is None:
        return []
    with transaction() as session:
        by_rollout: dict[int, dict[int, int]] = {}
        for step_id, attempt, rollout_id in claims.take_over(session(), worker, lease_seconds):
            by_rollout.setdefault(rollout_id, {})[step_id] = attempt
        return [
            step
            for rollout_id, taken in by_rollout.items()
            for step in _described(session.get_one(Rollout, rollout_id), taken)
        ]


def _version_id(service_id: int, label: str | None) -> int | None:
    if label is None:
        return None
    return db.session.execute(
        select(Version.id).where(Version.service_id == service_id, Version.label == label)
    ).scalar_one_or_none()


def _described(rollout: Rollout, taken: dict[int, int]) -> list[TakenStep]:
    source, target = aliased(Version), aliased(Version)
    rows = db.session.execute(
        select(Step, Instance, Host, Service, source.label, target.label, target.artifact_sha256, target.artifact_url)
        .join(Instance, Instance.id == Step.instance_id)
        .join(Host, Host.id == Instance.host_id)
        .join(Service, Service.id == Instance.service_id)
        .join(source, source.id == Step.from_version_id)
        .join(target, target.id == Step.to_version_id)
        .where(Step.id.in_(taken))
        .order_by(Step.id)
    )
    return [
        TakenStep(
            step_id=step.id,
            attempt=taken[step.id],
            rollout_id=rollout.id,
            service_id=service.id,
            instance_id=instance.id,
            action=rollout.action,
            by=rollout.created_by,
            service=service.name,
            recipe=service.recipe,
            hostname=host.hostname,
            address=host.address,
            reach=host.reach,
            directory=host.directory,
            port=instance.port,
            from_label=from_label,
            to_label=to_label,
            artifact_sha256=sha256,
            artifact_url=url,
        )
        for step, instance, host, service, from_label, to_label, sha256, url in rows
    ]
