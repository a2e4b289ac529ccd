"""The guarded UPDATEs on instances: who holds them (DESIGN §3.1). Each says how many rows it changed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, cast

from sqlalchemy import CursorResult, Executable, insert, select, update
from sqlalchemy.orm import Session

from deployer.domain.plan import PlannedStep
from deployer.domain.status import Evidence, InstanceStatus, StepState
from deployer.models.catalog import Service
from deployer.models.columns import Now, among
from deployer.models.fleet import Instance
from deployer.models.rollouts import Rollout, Step


def changed(session: Session, statement: Executable) -> int:
    """Execute ``statement`` and say how many rows it changed."""
    # Without the option an INSERT does not tell on PostgreSQL how many rows it wrote.
    result = session.execute(statement, execution_options={"preserve_rowcount": True})
    return cast("CursorResult[Any]", result).rowcount


def bump(session: Session, service_id: int) -> int:
    """Take the service's next revision inside this transaction. A sequence would not do: commits can reorder.

    Every writer does this first. So it is the lock of the service's rows too: what is read after it stays true until
    the commit.
    """
    statement = update(Service).where(Service.id == service_id).values(rev=Service.rev + 1).returning(Service.rev)
    return session.execute(statement.execution_options(synchronize_session=False)).scalar_one()


def write_steps(session: Session, rollout: Rollout, planned: Sequence[PlannedStep], rev: int) -> None:
    """One queued step for each of ``planned``: the claim's other half, and the outbox (DESIGN §3.2)."""
    session.execute(
        insert(Step),
        [
            {
                "rollout_id": rollout.id,
                "instance_id": one.instance_id,
                "from_version_id": one.from_version.id,
                "to_version_id": one.to_version.id,
                "prior_status": one.status,
                "wave": one.wave,
                "rev": rev,
            }
            for one in planned
        ],
    )


def claim(session: Session, rollout: Rollout, instance_ids: Sequence[int], at: datetime, rev: int) -> int:
    """Make ``rollout`` the holder of those of the instances that nobody holds (S2, S12). Returns how many it got;
    anything but all of them means that the caller must roll back."""
    return changed(
        session,
        update(Instance)
        .where(among(session, Instance.id, instance_ids), Instance.rollout_id.is_(None))
        .values(
            rollout_id=rollout.id,
            status=InstanceStatus.during(rollout.action),
            probe_by=None,  # the rollout asks anyway
            rev=rev,
            updated=at,
            updated_by=rollout.created_by,
        )
        .execution_options(synchronize_session=False),
    )


def release(
    session: Session,
    instance_ids: Sequence[int],
    rollout_id: int,
    rev: int,
    *,
    status: InstanceStatus,
    evidence: Evidence,
    version_id: int | None = None,
) -> int:
    """Free those of the instances that ``rollout_id`` holds. ``version_id`` stays as it is when None."""
    values: dict[str, Any] = {"rollout_id": None, "status": status, "evidence": evidence, "rev": rev, "updated": Now()}
    if version_id is not None:
        values["version_id"] = version_id
    return changed(
        session,
        update(Instance)
        .where(among(session, Instance.id, instance_ids), Instance.rollout_id == rollout_id)
        .values(values)
        .execution_options(synchronize_session=False),
    )


def end_queued(
    session: Session,
    rollout_id: int,
    state: StepState,
    at: datetime,
    rev: int,
    instance_ids: Sequence[int] | None = None,
) -> int:
    """End the steps that no worker has taken (those of ``instance_ids``, or all) in ``state``, and give their instances
    back as they were. Returns how many."""
    wanted = [Step.rollout_id == rollout_id, Step.state == StepState.QUEUED]
    if instance_ids is not None:
        wanted.append(among(session, Step.instance_id, instance_ids))
    ended = (
        update(Step)
        .where(*wanted)
        .values(state=state, finished=at, rev=rev)
        .returning(Step.instance_id)
        .execution_options(synchronize_session=False)
    )
    freed_ids = list(session.execute(ended).scalars())
    prior = (
        select(Step.prior_status)
        .where(Step.rollout_id == rollout_id, Step.instance_id == Instance.id)
        .scalar_subquery()
    )
    freed = changed(
        session,
        update(Instance)
        .where(Instance.rollout_id == rollout_id, among(session, Instance.id, freed_ids))
        .values(rollout_id=None, status=prior, rev=rev, updated=at)
        .execution_options(synchronize_session=False),
    )
    if freed != len(freed_ids):
        raise RuntimeError(f"rollout {rollout_id}: {len(freed_ids)} steps ended, {freed} instances freed")
    return freed
