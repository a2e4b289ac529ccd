"""The record of changes, as pages, the API and exports show it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import Select, String, cast, or_, select

from deployer.extensions import db
from deployer.models import AuditEntry
from deployer.queries.paging import Page, Slice, contains, midnight, paged, seen_of

BATCH = 500  # rows of an export that are in memory at a time


@dataclass(frozen=True)
class AuditLine:
    """Who did what to which thing, when and from where; ``refused``: tried to. ``facts`` are the verb's own."""

    id: int
    at: datetime
    actor: str
    verb: str
    noun: str
    noun_id: int
    service_id: int | None
    rollout_id: int | None
    source: str
    token: str
    refused: bool
    facts: dict[str, Any]


@dataclass(frozen=True)
class AuditFilter:
    """Which changes are wanted; None and "" mean any. ``first`` and ``last`` are days (UTC)."""

    by: str = ""
    verb: str = ""
    noun: str = ""
    service_id: int | None = None
    rollout_id: int | None = None
    refused: bool | None = None
    first: date | None = None
    last: date | None = None
    text: str = ""  # anywhere in the facts


_COLUMNS: tuple[Any, ...] = tuple(getattr(AuditEntry, name) for name in AuditLine.__dataclass_fields__)


def about(noun: str, noun_id: int, limit: int = 20) -> list[AuditLine]:
    """The last changes of one thing, the newest first."""
    query = select(*_COLUMNS).where(AuditEntry.noun == noun, AuditEntry.noun_id == noun_id)
    return [AuditLine(*row) for row in db.session.execute(query.order_by(AuditEntry.id.desc()).limit(limit))]


def entries(part: Slice, wanted: AuditFilter, seen: frozenset[int] | None) -> Page[AuditLine]:
    """The changes that match, newest first, of the services that are ``seen`` (None: of everything)."""
    return paged(_wanted(wanted, seen).order_by(AuditEntry.id.desc()), part, AuditLine)


def newest() -> int:
    """The id of the last change, 0 before the first."""
    return db.session.execute(select(AuditEntry.id).order_by(AuditEntry.id.desc()).limit(1)).scalar() or 0


def batch(wanted: AuditFilter, seen: frozenset[int] | None, after: int, last: int) -> list[AuditLine]:
    """As :func:`entries`, oldest first: up to BATCH of those with ids beyond ``after`` up to ``last``."""
    query = _wanted(wanted, seen).where(AuditEntry.id > after, AuditEntry.id <= last)
    return [AuditLine(*row) for row in db.session.execute(query.order_by(AuditEntry.id).limit(BATCH))]


def _wanted(wanted: AuditFilter, seen: frozenset[int] | None) -> Select[*tuple[Any, ...]]:
    query = seen_of(select(*_COLUMNS), AuditEntry.service_id, seen)
    same = {
        AuditEntry.actor: wanted.by or None,
        AuditEntry.verb: wanted.verb or None,
        AuditEntry.noun: wanted.noun or None,
        AuditEntry.service_id: wanted.service_id,
        AuditEntry.rollout_id: wanted.rollout_id,
        AuditEntry.refused: wanted.refused,
    }
    query = query.where(*(column == value for column, value in same.items() if value is not None))
    if wanted.first is not None:
        query = query.where(AuditEntry.at >= midnight(wanted.first))
    if wanted.last is not None:
        query = query.where(AuditEntry.at < midnight(wanted.last + timedelta(days=1)))
    if wanted.text:
        facts = cast(AuditEntry.facts, String)
        # As JSON has it: letters beyond ASCII are escaped there.
        spelt = {wanted.text, json.dumps(wanted.text)[1:-1]}
        query = query.where(or_(*(facts.ilike(contains(one), escape="\\") for one in sorted(spelt))))
    return query
