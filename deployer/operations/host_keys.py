"""The keys by which a host proves that it is that host: a worker sees them, a person approves them."""

from __future__ import annotations

from sqlalchemy import delete, select

from deployer.domain.access import Actor, Verb
from deployer.domain.errors import N_, Conflict, no_such
from deployer.domain.reach import fingerprint, is_host_key
from deployer.extensions import db
from deployer.models import Host, HostKey
from deployer.models.columns import utc_now
from deployer.operations.places import Place
from deployer.operations.transaction import audit, transaction

MOST_OFFERED = 10  # unapproved keys of a host; beyond, the one not seen for longest goes


def offer(host_id: int, key: str, seen_at: Place | None = None) -> bool:
    """Remember that the host has shown ``key``. Idempotent. False, having done nothing, when there is no such host, the
    key is none, or the host is not reached any more as it was when it showed the key: at ``seen_at``."""
    with transaction() as session:
        host = session.get(Host, host_id, with_for_update=True)
        if host is None or not is_host_key(key) or (seen_at is not None and not _is_still_at(host, seen_at)):
            return False
        keys = session.execute(select(HostKey).where(HostKey.host_id == host_id).order_by(HostKey.seen)).scalars().all()
        known = next((one for one in keys if one.key == key), None)
        if known is not None:
            known.seen = utc_now()
            return True
        waiting = [one for one in keys if one.approved is None]
        for one in waiting[: max(0, len(waiting) - MOST_OFFERED + 1)]:
            session.delete(one)
        session.add(HostKey(host_id=host_id, key=key, fingerprint=fingerprint(key)))
        return True


def trust(host_id: int, wanted: str, actor: Actor, *, replace: bool = False) -> None:
    """Approve the key of this fingerprint. ``replace`` gives up the keys that were approved before: without it, they
    are a Conflict on ``replace``. Raises NotFound for the host, or on ``fingerprint`` when it has shown no such key."""
    actor.require(Verb.MANAGE_FLEET)
    with transaction() as session:
        host, key = _found(host_id, wanted)
        others = session.execute(
            select(HostKey).where(HostKey.host_id == host_id, HostKey.approved.is_not(None), HostKey.id != key.id)
        ).scalars()
        given_up = [one.fingerprint for one in others]
        if key.approved is None and given_up and not replace:
            raise Conflict(
                N_("Another key of this host is approved already."),
                N_(
                    "If the host was set up anew, say that this key replaces the old one. If not, somebody may stand "
                    "between you and the host."
                ),
                "replace",
            )
        if replace:
            session.execute(delete(HostKey).where(HostKey.host_id == host_id, HostKey.fingerprint.in_(given_up)))
        if key.approved is not None and not (replace and given_up):
            return
        key.approved, key.approved_by = utc_now(), actor.name
        facts = {"replaced": given_up} if given_up and replace else {}
        audit(actor.name, "trust", "host", host.id, hostname=host.hostname, fingerprint=wanted, **facts)


def forget(host_id: int, wanted: str, actor: Actor) -> None:
    """Forget the key of this fingerprint, approved or not. Raises NotFound as :func:`trust`."""
    actor.require(Verb.MANAGE_FLEET)
    with transaction() as session:
        host, key = _found(host_id, wanted)
        facts = {"approved_by": key.approved_by} if key.approved else {}
        session.delete(key)
        audit(actor.name, "forget", "host", host.id, hostname=host.hostname, fingerprint=wanted, **facts)


def _is_still_at(host: Host, place: Place) -> bool:
    now = (host.address, host.reach, host.ssh_port, host.jump)
    return now == (place.address, place.reach, place.login.port, place.login.jump)


def _found(host_id: int, wanted: str) -> tuple[Host, HostKey]:
    session = db.session
    host = session.get(Host, host_id, with_for_update=True)
    if host is None:
        raise no_such("host", host_id)
    key = session.execute(
        select(HostKey).where(HostKey.host_id == host_id, HostKey.fingerprint == wanted)
    ).scalar_one_or_none()
    if key is None:
        raise no_such("host key", wanted, "fingerprint")
    return host, key
