"""One function of this package is one transaction; this is how it opens and ends it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

from flask import current_app, g
from flask_sqlalchemy.session import Session
from sqlalchemy import insert
from sqlalchemy.orm import scoped_session

from deployer.extensions import WRITES, db
from deployer.models import AuditEntry


@dataclass(frozen=True)
class Of:
    """Which service and which rollout a change concerns, if it does. ``refused``: it was only tried."""

    service_id: int | None = None
    rollout_id: int | None = None
    refused: bool = False


@contextmanager
def transaction() -> Iterator[scoped_session[Session]]:
    """A writing transaction: committed at the end, rolled back on any exception.

    What was read before is forgotten first: a decision is made on what is read inside.
    """
    session = db.session
    session.rollback()
    session.connection(execution_options={WRITES: True})
    try:
        yield session
        session.commit()
    except BaseException:
        session.rollback()
        raise


def audit(actor: str, verb: str, noun: str, noun_id: int, of: Of | None = None, /, **facts: Any) -> None:
    """Add the row that remembers this change, in its own transaction."""
    did = {"actor": actor, "verb": verb, "noun": noun, "noun_id": noun_id}
    db.session.add(AuditEntry(**did, **asdict(of or Of()), **_whence(), facts=facts))


def audit_each(
    actor: str,
    verb: str,
    noun: str,
    facts: Mapping[int, Mapping[str, Any]],
    of: Of | None = None,
) -> None:
    """As :func:`audit`, for many things at once: noun id → facts."""
    common = {"actor": actor, "verb": verb, "noun": noun, **asdict(of or Of()), **_whence()}
    if facts:
        db.session.execute(insert(AuditEntry), [common | {"noun_id": id_, "facts": its} for id_, its in facts.items()])


def _whence() -> dict[str, str]:
    """From where it comes: the address and the token of a request, else what kind of process this is."""
    return {"source": g.get("source") or current_app.config.get("SOURCE", ""), "token": g.get("token", "")}
