"""The record of every change: who did what to which thing. Rows are only ever added: the database refuses all else."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Index, String, false, text
from sqlalchemy.orm import Mapped, mapped_column

from deployer.extensions import db
from deployer.models.columns import Moment, utc_now


class AuditEntry(db.Model):  # type: ignore[name-defined,misc]
    """One change, written in the transaction of the change; or one attempt that was refused.

    No foreign keys: what is recorded outlives what it is about.
    """

    __tablename__ = "audit_entry"
    __table_args__ = (
        Index("ix_audit_entry_noun_noun_id", "noun", "noun_id"),
        Index("ix_audit_entry_actor_id", "actor", "id"),
        Index("ix_audit_entry_service_id_id", "service_id", "id"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(Moment, default=utc_now, index=True)
    actor: Mapped[str] = mapped_column(String(64))
    verb: Mapped[str] = mapped_column(String(40))
    noun: Mapped[str] = mapped_column(String(20))
    noun_id: Mapped[int]
    facts: Mapped[dict[str, Any]] = mapped_column(JSON)
    service_id: Mapped[int | None]  # whose service it concerns
    rollout_id: Mapped[int | None] = mapped_column(index=True)  # the rollout it belongs to
    # From where: an address, "command line" or "worker".
    source: Mapped[str] = mapped_column(String(64), default="", server_default=text("''"))
    token: Mapped[str] = mapped_column(String(80), default="", server_default=text("''"))  # that it came by
    refused: Mapped[bool] = mapped_column(default=False, server_default=false())  # tried, and not done
