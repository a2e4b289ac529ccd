"""Rollouts, their steps, and what the steps said while they ran."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, ForeignKeyConstraint, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from deployer.domain.status import Action, InstanceStatus, RolloutState, StepState
from deployer.extensions import db
from deployer.models.columns import IntCode, Moment, Word, utc_now


class Rollout(db.Model):  # type: ignore[name-defined,misc]
    """One accepted request. Its id only ever grows."""

    __tablename__ = "rollout"
    __table_args__ = (
        ForeignKeyConstraint(["service_id", "from_version_id"], ["version.service_id", "version.id"]),
        ForeignKeyConstraint(["service_id", "to_version_id"], ["version.service_id", "version.id"]),
        Index("ix_rollout_service_id_id", "service_id", "id"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    service_id: Mapped[int] = mapped_column(ForeignKey("service.id"))
    action: Mapped[Action] = mapped_column(Word(Action))
    from_version_id: Mapped[int]
    to_version_id: Mapped[int]
    state: Mapped[RolloutState] = mapped_column(Word(RolloutState), default=RolloutState.QUEUED, index=True)
    reason: Mapped[str] = mapped_column(String(200), default="")  # why, in the person's words
    rev: Mapped[int] = mapped_column(default=0)
    created: Mapped[datetime] = mapped_column(Moment, default=utc_now)
    created_by: Mapped[str] = mapped_column(String(64))
    finished: Mapped[datetime | None] = mapped_column(Moment)


class Step(db.Model):  # type: ignore[name-defined,misc]
    """One instance's part of a rollout. ``attempt`` is the fencing number: every write of a worker names the attempt
    it was given, and a write with an old one changes 0 rows."""

    __tablename__ = "step"
    __table_args__ = (
        UniqueConstraint("rollout_id", "instance_id"),
        Index("ix_step_rollout_id_state", "rollout_id", "state"),
        Index("ix_step_state_lease_until", "state", "lease_until"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    rollout_id: Mapped[int] = mapped_column(ForeignKey("rollout.id"))
    instance_id: Mapped[int] = mapped_column(ForeignKey("instance.id"), index=True)
    from_version_id: Mapped[int] = mapped_column(ForeignKey("version.id"))
    to_version_id: Mapped[int] = mapped_column(ForeignKey("version.id"))
    prior_status: Mapped[InstanceStatus] = mapped_column(IntCode(InstanceStatus))  # restored when it never starts
    wave: Mapped[int] = mapped_column(default=1)
    state: Mapped[StepState] = mapped_column(Word(StepState), default=StepState.QUEUED)
    attempt: Mapped[int] = mapped_column(default=0)
    lease_until: Mapped[datetime | None] = mapped_column(Moment)
    worker: Mapped[str] = mapped_column(String(200), default="")
    phase: Mapped[str] = mapped_column(String(200), default="")  # what it is doing now, or did last
    error: Mapped[str] = mapped_column(Text, default="")
    running_version_id: Mapped[int | None] = mapped_column(ForeignKey("version.id"))  # what the probe found at the end
    rev: Mapped[int] = mapped_column(default=0)
    started: Mapped[datetime | None] = mapped_column(Moment)
    finished: Mapped[datetime | None] = mapped_column(Moment)


class StepLog(db.Model):  # type: ignore[name-defined,misc]
    """A batch of lines that a step said. Batches, because a row per line would be a commit per line."""

    __tablename__ = "step_log"
    __table_args__ = (Index("ix_step_log_step_id_id", "step_id", "id"), {"sqlite_autoincrement": True})

    id: Mapped[int] = mapped_column(primary_key=True)
    step_id: Mapped[int] = mapped_column(ForeignKey("step.id"))
    attempt: Mapped[int]
    at: Mapped[datetime] = mapped_column(Moment, default=utc_now)
    lines: Mapped[str] = mapped_column(Text)
