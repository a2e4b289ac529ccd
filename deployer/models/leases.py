"""The guarded UPDATEs on running steps: leases and fencing (DESIGN §3.3, §3.4). A write names its attempt."""

from __future__ import annotations

from sqlalchemy import ColumnElement, select, tuple_, update
from sqlalchemy.orm import Session

from deployer.domain.status import StepState
from deployer.models.claims import changed
from deployer.models.columns import Now, among
from deployer.models.rollouts import Rollout, Step


def take(
    session: Session, rollout_id: int, wave: int, slots: int, worker: str, lease_seconds: float, rev: int
) -> dict[int, int]:
    """Swap up to ``slots`` queued steps of ``wave`` to running under a lease, each with its next fencing number.

    Returns step id → attempt of those we got; a step that another worker is taking right now is passed over.
    """
    # Two statements: as a subquery of the UPDATE, PostgreSQL may run the LIMIT anew for each row and take too many.
    queued = session.execute(
        select(Step.id)
        .where(Step.rollout_id == rollout_id, Step.wave == wave, Step.state == StepState.QUEUED)
        .order_by(Step.id)
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
    statement = (
        update(Step)
        .where(Step.state == StepState.RUNNING, tuple_(Step.id, Step.attempt).in_(held.items()))
        .values(lease_until=Now(lease_seconds))
        .returning(Step.id)
        .execution_options(synchronize_session=False)
    )
    return set(session.execute(statement).scalars())


def expired() -> tuple[ColumnElement[bool], ...]:
    """Steps that run by the books while nobody keeps their lease, by the database's clock."""
    return Step.state == StepState.RUNNING, Step.lease_until < Now()


def expire(session: Session, worker: str) -> int:
    """Let the leases of ``worker`` run out now: it is known to be dead. Returns how many it had."""
    return changed(
        session,
        update(Step)
        .where(Step.state == StepState.RUNNING, Step.worker == worker, Step.lease_until > Now())
        .values(lease_until=Now(-1))
        .execution_options(synchronize_session=False),
    )


def take_over(session: Session, service_id: int, worker: str, lease_seconds: float, rev: int) -> dict[int, int]:
    """Give every expired step of a service to ``worker`` under the next fencing number. Returns step id → attempt."""
    lost = (
        select(Step.id)
        .join(Rollout, Rollout.id == Step.rollout_id)
        .where(Rollout.service_id == service_id, *expired())
        .order_by(Step.id)
        .with_for_update(of=Step, skip_locked=True)
    )
    statement = (
        update(Step)
        .where(among(session, Step.id, session.execute(lost).scalars()), *expired())
        .values(attempt=Step.attempt + 1, lease_until=Now(lease_seconds), worker=worker, rev=rev)
        .returning(Step.id, Step.attempt)
        .execution_options(synchronize_session=False)
    )
    return dict(session.execute(statement).all())


def settle(session: Session, step_id: int, attempt: int, rev: int, **values: object) -> int:
    """Write the end of a running step, fenced by its attempt. Returns 1, or 0: this attempt is no longer the step's."""
    return _leave(session, step_id, attempt, finished=Now(), rev=rev, **values)


def requeue(session: Session, step_id: int, attempt: int, rev: int) -> int:
    """Give a running step back to the queue, fenced likewise. Its attempt stays: the next one will be higher."""
    return _leave(session, step_id, attempt, state=StepState.QUEUED, worker="", phase="", started=None, rev=rev)


def _leave(session: Session, step_id: int, attempt: int, **values: object) -> int:
    return changed(
        session,
        update(Step)
        .where(Step.id == step_id, Step.state == StepState.RUNNING, Step.attempt == attempt)
        .values(lease_until=None, **values)
        .execution_options(synchronize_session=False),
    )
