"""What was tried and refused, remembered: once a minute for the same person, verb and thing."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from sqlalchemy import select

from deployer.domain.access import Actor, Verb
from deployer.extensions import db
from deployer.models import AuditEntry, Service, User
from deployer.models.columns import utc_now
from deployer.operations.transaction import Of, audit, transaction

EVERY = timedelta(seconds=60)
WRONG_PASSWORD = "sign_in_refused"  # noqa: S105 (the verb)
MOST = 200  # characters of what was called
REDIS = "(Redis)"  # no person can be called so


def record(who: Actor, verb: Verb, service_id: int | None, what: str) -> None:
    """Remember that ``who`` tried to do ``verb`` to the service, or to what is of none, by the call ``what``.

    A service that does not exist is none: else there would be an entry for each id that somebody makes up.
    """
    if service_id is not None and db.session.get(Service, service_id) is None:
        service_id = None
    noun = "console" if service_id is None else "service"
    _record(who.name, verb.value, (noun, service_id or 0), Of(service_id, refused=True), call=what[:MOST])


def record_wrong_password(name: str, address: str) -> None:
    """Remember that somebody tried a wrong password of a person. Of a name that nobody has nothing is kept: it may be
    a password in the wrong field."""
    user_id = db.session.execute(select(User.id).where(User.name == name)).scalar_one_or_none()
    if user_id is not None:
        _record(name, WRONG_PASSWORD, ("user", user_id), Of(refused=True), address=address[:64])


def record_forgery(what: str) -> None:
    """Remember that somebody who can write to Redis put a job there that is none of ours; no worker did it."""
    _record(REDIS, "forge", ("job", 0), Of(refused=True), call=what[:MOST])


def _record(name: str, verb: str, thing: tuple[str, int], of: Of, **facts: Any) -> None:
    if _is_known(name, verb, thing):  # looked up without a lock first: whoever keeps trying costs little
        return
    with transaction() as session:
        session.execute(select(User.id).where(User.name == name).with_for_update())
        if not _is_known(name, verb, thing):
            audit(name, verb, *thing, of, **facts)


def _is_known(name: str, verb: str, thing: tuple[str, int]) -> bool:
    noun, noun_id = thing
    query = select(AuditEntry.id).where(
        AuditEntry.at > utc_now() - EVERY,
        AuditEntry.refused,
        AuditEntry.actor == name,
        AuditEntry.verb == verb,
        AuditEntry.noun == noun,
        AuditEntry.noun_id == noun_id,
    )
    return db.session.execute(query.limit(1)).first() is not None
