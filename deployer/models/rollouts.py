"""Rollouts, their steps, and what the steps said while they ran."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, ForeignKeyConstraint, Index, String, Text, UniqueConstraint, false, text
from sqlalchemy.orm import Mapped, mapped_column

from deployer.domain.status import Action, InstanceStatus, OnFailure, Origin, RolloutState, StepState
from deployer.extensions import db
from deployer.models.columns import IntCode, Moment, Word, utc_now


class Rollout(db.Model):  # type: ignore[name-defined,misc]
    """One accepted request. Its id only ever grows. Its two versions are what it was asked for; a step may have others
    when the rollout follows another one."""

    __tablename__ = "rollout"
    __table_args__ = (
        ForeignKeyConstraint(["service_id", "from_version_id"], ["version.service_id", "version.id"]),
        ForeignKeyConstraint(["service_id", "to_version_id"], ["version.service_id", "version.id"]),
        # The same plan, sent twice by the same person, is one rollout.
        Index("ix_rollout_created_by_plan_token", "created_by", "plan_token", unique=True),
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
    # As typed: "" (all at once), "5", "25%".
    wave_size: Mapped[str] = mapped_column(String(10), default="", server_default=text("''"))
    stop_after: Mapped[int] = mapped_column(default=1, server_default=text("1"))  # failed hosts
    pause_after_first: Mapped[bool] = mapped_column(default=False, server_default=false())
    on_failure: Mapped[OnFailure] = mapped_column(
        Word(OnFailure), default=OnFailure.STOP, server_default=text("'stop'")
    )
    wave: Mapped[int] = mapped_column(default=1, server_default=text("1"))  # the current one: only its steps are taken
    # Who paused it; "" while it waits at the gate.
    paused_by: Mapped[str] = mapped_column(String(64), default="", server_default=text("''"))
    # The labels of the marked versions that it went back past, the newest first, with blanks between.
    crossed: Mapped[str] = mapped_column(Text, default="", server_default=text("''"))
    # Who asked for an undo as soon as it has ended.
    undo_by: Mapped[str] = mapped_column(String(64), default="", server_default=text("''"))
    # Why it follows the rollout ``origin_id``. No foreign key: SQLite could not add one to a table that is referred to.
    origin: Mapped[Origin | None] = mapped_column(Word(Origin))
    origin_id: Mapped[int | None] = mapped_column(index=True)
    plan_token: Mapped[str | None] = mapped_column(String(100))
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
        Index("ix_step_rollout_id_wave_state", "rollout_id", "wave", "state"),
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
    failure: Mapped[str] = mapped_column(String(40), default="", server_default=text("''"))  # its name
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
