"""Which workers live, by what they say themselves."""

from __future__ import annotations

from sqlalchemy import delete, update

from deployer.models import WorkerRow, claims
from deployer.models.columns import Now
from deployer.operations.transaction import transaction

FORGET_SECONDS = 86_400.0  # a worker that died is remembered for a day


def beat(name: str, slots: int) -> None:
    """Say that the worker lives and can do ``slots`` steps at a time."""
    with transaction() as session:
        alive = update(WorkerRow).where(WorkerRow.name == name).values(seen=Now(), slots=slots)
        if claims.changed(session(), alive):
            return
        session.execute(delete(WorkerRow).where(WorkerRow.seen < Now(-FORGET_SECONDS)))
        session.add(WorkerRow(name=name, slots=slots, started=Now(), seen=Now()))


def leave(name: str) -> None:
    """Say that the worker has ended in order."""
    with transaction() as session:
        session.execute(delete(WorkerRow).where(WorkerRow.name == name))
