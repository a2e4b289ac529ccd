"""The guarded UPDATEs on running steps: leases and fencing (DESIGN §3.3, §3.4). A write names its attempt."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from sqlalchemy import ColumnElement, select, update
from sqlalchemy.orm import Session

from deployer.domain.status import StepState
from deployer.models.claims import changed
from deployer.models.columns import Now, among
from deployer.models.rollouts import Rollout, Step


def lock(session: Session, step_ids: Iterable[int]) -> None:
    """Lock the steps' rows in the one order in which everybody does; else those who write several rows one statement
    after another would deadlock on PostgreSQL. On SQLite a writer is alone anyway."""
    if session.get_bind().dialect.name == "postgresql":
        session.execute(select(Step.id).where(among(session, Step.id, step_ids)).order_by(Step.id).with_for_update())


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


def renew(session: Session, held: Mapping[int, int], lease_seconds: float) -> set[int]:
    """Renew the leases of ``held`` (step id → attempt). Returns the ids that are still ours."""
    lock(session, held)
    ours: set[int] = set()
    for attempt in sorted(set(held.values())):
        ids = [step_id for step_id, its in held.items() if its == attempt]
        ours |= write(session, ids, attempt, lease_until=Now(lease_seconds))
    return ours


def write(session: Session, step_ids: Iterable[int], attempt: int, **values: object) -> set[int]:
    """Write the same on running steps in one UPDATE, each fenced by its attempt. Returns the ids that were ours; on the
    others nothing has changed."""
    statement = (
        update(Step)
        .where(among(session, Step.id, step_ids), Step.state == StepState.RUNNING, Step.attempt == attempt)
        .values(values)
        .returning(Step.id)
        .execution_options(synchronize_session=False)
    )
    return set(session.execute(statement).scalars())


def expired() -> tuple[ColumnElement[bool], ...]:
    """Steps that run by the books while nobody keeps their lease, by the database's clock."""
    return Step.state == StepState.RUNNING, Step.lease_until < Now()


def expire(session: Session, worker: str) -> int:
    """Let the leases of ``worker`` run out now: it is known to be dead. Returns how many it had."""
    lock(session, session.execute(select(Step.id).where(Step.worker == worker)).scalars())
    return changed(
        session,
        update(Step)
        .where(Step.state == StepState.RUNNING, Step.worker == worker, Step.lease_until > Now())
        .values(lease_until=Now(-1))
        .execution_options(synchronize_session=False),
    )


def take_over(
    session: Session, service_id: int, worker: str, slots: int, lease_seconds: float, rev: int
) -> dict[int, int]:
    """Give up to ``slots`` expired steps of a service to ``worker`` under the next fencing number. Returns step id →
    attempt."""
    lost = (
        select(Step.id)
        .join(Rollout, Rollout.id == Step.rollout_id)
        .where(Rollout.service_id == service_id, *expired())
        .order_by(Step.id)
        .limit(slots)
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


def settle(session: Session, step_ids: Iterable[int], attempt: int, rev: int, **values: object) -> set[int]:
    """Write the end of running steps, fenced likewise."""
    return write(session, step_ids, attempt, lease_until=None, finished=Now(), rev=rev, **values)


def requeue(session: Session, step_ids: Iterable[int], attempt: int, rev: int) -> set[int]:
    """Give running steps back to the queue, fenced likewise. The attempt stays: the next one will be higher."""
    values = {"state": StepState.QUEUED, "lease_until": None, "worker": "", "phase": "", "started": None}
    return write(session, step_ids, attempt, rev=rev, **values)
