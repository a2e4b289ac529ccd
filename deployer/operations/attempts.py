"""What somebody tried and may not do, remembered: once a minute for the same person, verb and thing."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import select

from deployer.domain.access import Actor, Verb
from deployer.extensions import db
from deployer.models import AuditEntry, User
from deployer.models.columns import utc_now
from deployer.operations.transaction import Of, audit, transaction

EVERY = timedelta(seconds=60)
MOST = 200  # characters of what was called
REDIS = "(Redis)"  # no person can be called so


def record(who: Actor, verb: Verb, service_id: int | None, what: str) -> None:
    """Remember that ``who`` tried to do ``verb`` to the service, or to what is of none, by the call ``what``."""
    if _is_known(who, verb, service_id):  # looked up without a lock first: whoever keeps trying costs little
        return
    with transaction() as session:
        session.execute(select(User.id).where(User.name == who.name).with_for_update())
        if not _is_known(who, verb, service_id):
            noun = "console" if service_id is None else "service"
            audit(who.name, verb.value, noun, service_id or 0, Of(service_id, refused=True), call=what[:MOST])


def record_forgery(what: str) -> None:
    """Remember that somebody who can write to Redis put a job there that is none of ours; no worker did it."""
    if not _was_tried(REDIS, "forge"):
        with transaction():
            audit(REDIS, "forge", "job", 0, Of(refused=True), call=what[:MOST])


def _is_known(who: Actor, verb: Verb, service_id: int | None) -> bool:
    return _was_tried(who.name, verb.value, service_id)


def _was_tried(actor: str, verb: str, service_id: int | None = None) -> bool:
    query = select(AuditEntry.id).where(
        AuditEntry.at > utc_now() - EVERY,
        AuditEntry.refused,
        AuditEntry.actor == actor,
        AuditEntry.verb == verb,
        AuditEntry.service_id.is_not_distinct_from(service_id),
    )
    return db.session.execute(query.limit(1)).first() is not None
