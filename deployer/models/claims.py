"""The guarded UPDATEs on which the protocol rests (DESIGN §3). Each says how many rows it changed; the caller looks."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, cast

from sqlalchemy import ColumnElement, CursorResult, Executable, Integer, insert, literal, select, update
from sqlalchemy.orm import Session

from deployer.domain.status import Evidence, InstanceStatus, StepState
from deployer.models.catalog import Service
from deployer.models.columns import Now, Word, among
from deployer.models.fleet import Instance
from deployer.models.rollouts import Rollout, Step


def _changed(session: Session, statement: Executable) -> int:
    # Without the option an INSERT does not tell on PostgreSQL how many rows it wrote.
    result = session.execute(statement, execution_options={"preserve_rowcount": True})
    return cast("CursorResult[Any]", result).rowcount


def bump(session: Session, service_id: int, *, structure: bool = False) -> int:
    """Take the service's next revision inside this transaction. A sequence would not do: commits can reorder."""
    values: dict[str, Any] = {"rev": Service.rev + 1}
    if structure:
        values["structure_rev"] = Service.rev + 1
    statement = update(Service).where(Service.id == service_id).values(values).returning(Service.rev)
    return session.execute(statement.execution_options(synchronize_session=False)).scalar_one()


def write_steps(session: Session, rollout: Rollout, instance_ids: Sequence[int], rev: int) -> int:
    """One queued step for each of the instances that nobody holds. Returns how many were written."""
    rows = select(
        literal(rollout.id, Integer),
        Instance.id,
        Instance.version_id,
        literal(rollout.to_version_id, Integer),
        Instance.status,
        literal(1, Integer),
        literal(StepState.QUEUED, Word(StepState)),
        literal(0, Integer),
        literal(""),
        literal(""),
        literal(""),
        literal(rev, Integer),
    ).where(_free(session, rollout, instance_ids))
    columns = [
        "rollout_id",
        "instance_id",
        "from_version_id",
        "to_version_id",
        "prior_status",
        "wave",
        "state",
        "attempt",
        "worker",
        "phase",
        "error",
        "rev",
    ]
    return _changed(session, insert(Step).from_select(columns, rows))


def claim(session: Session, rollout: Rollout, instance_ids: Sequence[int], at: datetime, rev: int) -> int:
    """Make ``rollout`` the holder of those of the instances that nobody holds (S2, S12). Returns how many it got;
    anything but all of them means that the caller must roll back."""
    return _changed(
        session,
        update(Instance)
        .where(_free(session, rollout, instance_ids))
        .values(
            rollout_id=rollout.id,
            status=InstanceStatus.during(rollout.action),
            rev=rev,
            updated=at,
            updated_by=rollout.created_by,
        )
        .execution_options(synchronize_session=False),
    )


def _free(session: Session, rollout: Rollout, instance_ids: Sequence[int]) -> ColumnElement[bool]:
    return (
        among(session, Instance.id, instance_ids)
        & Instance.rollout_id.is_(None)
        & (Instance.version_id == rollout.from_version_id)
    )


def take(session: Session, rollout_id: int, slots: int, worker: str, lease_seconds: float, rev: int) -> dict[int, int]:
    """Swap up to ``slots`` queued steps to running under a lease, each with its next fencing number.

    Returns step id → attempt of those we got; a step that another worker is taking right now is passed over.
    """
    # Two statements: as a subquery of the UPDATE, PostgreSQL may run the LIMIT anew for each row and take too many.
    queued = session.execute(
        select(Step.id)
        .where(Step.rollout_id == rollout_id, Step.state == StepState.QUEUED)
        .order_by(Step.wave, Step.id)
        .limit(slots)
        .with_for_update(skip_locked=True)
    ).scalars()
    statement = (
        update(Step)
        .where(among(session, Step.id, queued), Step.state == StepState.QUEUED)
        .values(
            state=StepState.RUNNING,
            attempt=Step.attempt + 1,
            lease_until=Now(lease_seconds),
            worker=worker,
            started=Now(),
            rev=rev,
        )
        .returning(Step.id, Step.attempt)
        .execution_options(synchronize_session=False)
    )
    return dict(session.execute(statement).all())


def renew(session: Session, held: dict[int, int], lease_seconds: float) -> set[int]:
    """Renew the leases of ``held`` (step id → attempt) in one UPDATE. Returns the ids that are still ours."""
    if not held:
        return set()
    pairs = [(Step.id == step_id) & (Step.attempt == attempt) for step_id, attempt in held.items()]
    mine = pairs[0]
    for pair in pairs[1:]:
        mine |= pair
    statement = (
        update(Step)
        .where(Step.state == StepState.RUNNING, mine)
        .values(lease_until=Now(lease_seconds))
        .returning(Step.id)
        .execution_options(synchronize_session=False)
    )
    return set(session.execute(statement).scalars())


def expired() -> tuple[ColumnElement[bool], ...]:
    """Steps that run by the books while nobody keeps their lease, by the database's clock."""
    return Step.state == StepState.RUNNING, Step.lease_until < Now()


def take_over(session: Session, worker: str, lease_seconds: float) -> list[tuple[int, int, int]]:
    """Give every expired step to ``worker`` under the next fencing number. Returns (step id, attempt, rollout id)."""
    lost = session.execute(
        select(Step.id).where(*expired()).order_by(Step.id).with_for_update(skip_locked=True)
    ).scalars()
    statement = (
        update(Step)
        .where(among(session, Step.id, lost), *expired())
        .values(attempt=Step.attempt + 1, lease_until=Now(lease_seconds), worker=worker)
        .returning(Step.id, Step.attempt, Step.rollout_id)
        .execution_options(synchronize_session=False)
    )
    return [(step_id, attempt, rollout) for step_id, attempt, rollout in session.execute(statement)]


def settle(session: Session, step_id: int, attempt: int, rev: int, **values: object) -> int:
    """Write the end of a running step, fenced by its attempt. Returns 1, or 0: this attempt is no longer the step's."""
    return _changed(
        session,
        update(Step)
        .where(Step.id == step_id, Step.state == StepState.RUNNING, Step.attempt == attempt)
        .values(lease_until=None, finished=Now(), rev=rev, **values)
        .execution_options(synchronize_session=False),
    )


def release(
    session: Session,
    instance_id: int,
    rollout_id: int,
    rev: int,
    *,
    status: InstanceStatus,
    version_id: int | None = None,
    evidence: Evidence | None = None,
) -> int:
    """Free an instance, only if ``rollout_id`` holds it. ``version_id`` and ``evidence`` stay as they are when None."""
    values: dict[str, Any] = {"rollout_id": None, "status": status, "rev": rev, "updated": Now()}
    if version_id is not None:
        values["version_id"] = version_id
    if evidence is not None:
        values["evidence"] = evidence
    return _changed(
        session,
        update(Instance)
        .where(Instance.id == instance_id, Instance.rollout_id == rollout_id)
        .values(values)
        .execution_options(synchronize_session=False),
    )


def cancel_queued(session: Session, rollout_id: int, at: datetime, rev: int) -> int:
    """End the steps that no worker has taken and give their instances back as they were. Returns how many."""
    cancelled = (
        update(Step)
        .where(Step.rollout_id == rollout_id, Step.state == StepState.QUEUED)
        .values(state=StepState.CANCELLED, finished=at, rev=rev)
        .returning(Step.instance_id)
        .execution_options(synchronize_session=False)
    )
    instance_ids = list(session.execute(cancelled).scalars())
    prior = (
        select(Step.prior_status)
        .where(Step.rollout_id == rollout_id, Step.instance_id == Instance.id)
        .scalar_subquery()
    )
    freed = _changed(
        session,
        update(Instance)
        .where(Instance.rollout_id == rollout_id, among(session, Instance.id, instance_ids))
        .values(rollout_id=None, status=prior, rev=rev, updated=at)
        .execution_options(synchronize_session=False),
    )
    if freed != len(instance_ids):
        raise RuntimeError(f"rollout {rollout_id}: {len(instance_ids)} steps cancelled, {freed} instances freed")
    return freed
