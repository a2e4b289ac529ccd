"""What pages and ``deployer doctor`` say of workers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select

from deployer.extensions import db
from deployer.models import WorkerRow
from deployer.models.columns import Now

ALIVE_SECONDS = 30.0  # a living worker says so every few seconds


@dataclass(frozen=True)
class LivingWorker:
    """A worker that was heard of lately."""

    name: str
    slots: int
    started: datetime
    seen: datetime


def living() -> list[LivingWorker]:
    """The workers that live, by the database's clock."""
    query = (
        select(WorkerRow.name, WorkerRow.slots, WorkerRow.started, WorkerRow.seen)
        .where(WorkerRow.seen > Now(-ALIVE_SECONDS))
        .order_by(WorkerRow.name)
    )
    return [LivingWorker(*row) for row in db.session.execute(query)]


def is_any_alive() -> bool:
    """Whether anybody will take up what waits."""
    return bool(living())
