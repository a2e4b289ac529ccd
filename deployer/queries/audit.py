"""The record of changes, as pages show it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select

from deployer.extensions import db
from deployer.models import AuditEntry


@dataclass(frozen=True)
class AuditLine:
    """Who did what, when. ``facts`` are the verb's own."""

    at: datetime
    actor: str
    verb: str
    facts: dict[str, Any]


def about(noun: str, noun_id: int, limit: int = 20) -> list[AuditLine]:
    """The last changes of one thing, the newest first."""
    rows = db.session.execute(
        select(AuditEntry.at, AuditEntry.actor, AuditEntry.verb, AuditEntry.facts)
        .where(AuditEntry.noun == noun, AuditEntry.noun_id == noun_id)
        .order_by(AuditEntry.id.desc())
        .limit(limit)
    )
    return [AuditLine(*row) for row in rows]
