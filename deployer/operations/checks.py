"""Have a worker test the connection to a host, and remember what it found there."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select, update

from deployer import queue
from deployer.domain.access import Actor, Verb
from deployer.domain.errors import N_, Conflict, no_such
from deployer.extensions import db
from deployer.models import Host, claims
from deployer.models.columns import utc_now
from deployer.operations.places import Place, host_places
from deployer.operations.transaction import audit, transaction

AT_ONCE = 50


@dataclass(frozen=True)
class TakenCheck:
    """A host to look at. ``updated`` is when it was changed last: if that is another moment by the time of the answer,
    the answer is about another way to the host, and is thrown away."""

    place: Place
    by: str
    updated: datetime


@dataclass(frozen=True)
class CheckEnd:
    """What a worker found: facts, or why it could not look (``kind``, ``cause``, ``remedy``)."""

    facts: dict[str, Any] | None
    kind: str = ""
    cause: str = ""
    remedy: str = ""


def ask(host_id: int, actor: Actor) -> None:
    """Have a worker look. Raises NotFound, or Conflict for a retired host."""
    actor.require(Verb.ROLL_OUT)
    with transaction() as session:
        host = session.get(Host, host_id, with_for_update=True)
        if host is None:
            raise no_such("host", host_id)
        if host.retired is not None:
            raise Conflict(N_("This host is retired."), N_("Bring it back first."))
        host.check_by = actor.name
        audit(actor.name, "check", "host", host_id, hostname=host.hostname)
    queue.ring(0)


def waiting_checks() -> list[TakenCheck]:
    """The hosts that nobody has looked at yet. Two workers may look at the same: looking changes nothing."""
    rows = db.session.execute(
        select(Host.id, Host.check_by, Host.updated).where(Host.check_by.is_not(None)).order_by(Host.id).limit(AT_ONCE)
    ).all()
    at = host_places([row.id for row in rows]) if rows else {}
    return [TakenCheck(at[row.id], row.check_by, row.updated) for row in rows if row.check_by]


def settle_check(check: TakenCheck, end: CheckEnd) -> bool:
    """Remember what was found. False, having changed nothing, when the host was changed meanwhile or has been answered
    for already."""
    host_id = check.place.host_id
    with transaction() as session:
        found = (
            update(Host)
            .where(Host.id == host_id, Host.check_by.is_not(None), Host.updated == check.updated)
            .values(
                check_by=None,
                checked=utc_now(),
                facts=end.facts,
                check_kind=end.kind[:40],
                check_cause=end.cause,
                check_remedy=end.remedy,
            )
            .execution_options(synchronize_session=False)
        )
        if not claims.changed(session(), found):
            session.rollback()
            return False
        return True
