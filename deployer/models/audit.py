"""The record of every change: who did what to which thing. Rows are only ever added."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from deployer.extensions import db
from deployer.models.columns import Moment, utc_now


class AuditEntry(db.Model):  # type: ignore[name-defined,misc]
    """One change, written in the transaction of the change."""

    __tablename__ = "audit_entry"
    __table_args__ = (Index("ix_audit_entry_noun_noun_id", "noun", "noun_id"), {"sqlite_autoincrement": True})

    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(Moment, default=utc_now)
    actor: Mapped[str] = mapped_column(String(64))
    verb: Mapped[str] = mapped_column(String(40))
    noun: Mapped[str] = mapped_column(String(20))
    noun_id: Mapped[int]
    facts: Mapped[dict[str, Any]] = mapped_column(JSON)
