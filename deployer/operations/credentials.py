"""What workers show to hosts: added and replaced by people, sealed at once, opened by workers alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import insert as insert_rows
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from deployer import sealing
from deployer.domain.access import Actor, Verb
from deployer.domain.errors import N_, Conflict, no_such
from deployer.domain.reach import CredentialKind, Secret
from deployer.extensions import db
from deployer.models import CredentialRow, Host, SealingKey
from deployer.models.columns import utc_now
from deployer.operations.catalog import taken
from deployer.operations.hosts import named
from deployer.operations.transaction import audit, audit_each, transaction
from deployer.sealing import CannotOpen, Keys

ONLY = 1  # the id of the one row of sealing keys


@dataclass(frozen=True)
class NewCredential:
    """A credential to add. ``public`` is a key's fingerprint or a file's path; a file has no ``secret``."""

    name: str
    kind: CredentialKind
    public: str = ""
    secret: Secret | None = None


def add(new: NewCredential, actor: Actor) -> int:
    """Add a credential and return its id. Raises Conflict on ``name`` when it is taken, or while no worker has ever
    published the key to seal with."""
    actor.require(Verb.MANAGE_FLEET)
    try:
        with transaction():
            return insert([new], actor)[0]
    except IntegrityError:
        raise taken(N_("There is a credential of this name already."), "name") from None


def insert(news: Sequence[NewCredential], actor: Actor) -> list[int]:
    """Add credentials inside the caller's transaction, and return their ids. Raises IntegrityError when a name is
    taken, and Conflict as :func:`add` for those with a secret."""
    if not news:
        return []
    # Not as objects of the session: those would be a statement each.
    db.session.execute(insert_rows(CredentialRow), [{"name": new.name, **_columns(new, actor)} for new in news])
    query = select(CredentialRow.name, CredentialRow.id).where(CredentialRow.name.in_([new.name for new in news]))
    ids = {row.name: row.id for row in db.session.execute(query)}
    told = {ids[new.name]: {"name": new.name, "kind": new.kind.value, "public": new.public} for new in news}
    audit_each(actor.name, "add", "credential", told)
    return list(told)


def replace(credential_id: int, new: NewCredential, actor: Actor) -> None:
    """Put another secret in the place of the old one, which is lost. Raises NotFound, and Conflict as :func:`add` or
    when its name would change."""
    actor.require(Verb.MANAGE_FLEET)
    with transaction() as session:
        row = session.get(CredentialRow, credential_id, with_for_update=True)
        if row is None:
            raise no_such("credential", credential_id)
        if row.name != new.name:
            raise Conflict(N_("A credential keeps its name."), N_("Add a new one, and let the hosts use that."), "name")
        before = row.public
        _fill(row, new, actor)
        audit(
            actor.name,
            "replace",
            "credential",
            row.id,
            name=new.name,
            kind=new.kind.value,
            before=before,
            public=new.public,
        )


def remove(credential_id: int, actor: Actor) -> None:
    """Remove a credential. Raises NotFound, or Conflict while hosts use it, naming them."""
    actor.require(Verb.MANAGE_FLEET)
    with transaction() as session:
        row = session.get(CredentialRow, credential_id, with_for_update=True)
        if row is None:
            raise no_such("credential", credential_id)
        query = select(Host.hostname).where(Host.credential_id == credential_id).order_by(Host.hostname)
        hosts = session.execute(query).scalars().all()
        if hosts:
            raise Conflict(
                N_("Hosts use this credential: %(hosts)s."),
                N_("Let them use another one first; retired hosts count too."),
                facts={"hosts": named(hosts)},
            )
        session.delete(row)
        audit(actor.name, "remove", "credential", credential_id, name=row.name)


def publish(publics: Sequence[str]) -> bool:
    """Let the console seal for a worker that holds these keys, the newest first. False, having changed nothing, when
    what is kept was sealed for a key that is not among them."""
    try:
        with transaction() as session:
            row = session.get(SealingKey, ONLY, with_for_update=True)
            if row is None:
                session.add(SealingKey(id=ONLY, public=publics[0]))
            elif row.public != publics[0]:
                is_sealed = session.execute(
                    select(CredentialRow.id).where(CredentialRow.sealed.is_not(None)).limit(1)
                ).first()
                if row.public not in publics and is_sealed:
                    return False
                row.public, row.published = publics[0], utc_now()
    except IntegrityError:  # another first worker was faster
        return publish(publics)
    return True


def reseal(keys: Keys, actor: Actor) -> list[str]:
    """Publish the newest of ``keys`` and seal everything for it. Returns the names of those that none of them opens:
    they are as they were, and have to be replaced."""
    actor.require(Verb.MANAGE_FLEET)
    public = keys.publics[0]
    unopened = []
    with transaction() as session:
        row = session.get(SealingKey, ONLY, with_for_update=True)
        if row is None:
            session.add(SealingKey(id=ONLY, public=public))
        else:
            row.public, row.published = public, utc_now()
        query = select(CredentialRow).where(CredentialRow.sealed.is_not(None)).order_by(CredentialRow.name)
        for one in session.execute(query.with_for_update()).scalars():
            try:
                one.sealed = sealing.seal(keys.open(one.sealed or b"", one.name), one.name, public)
            except CannotOpen:
                unopened.append(one.name)
        audit(actor.name, "rotate", "credential", 0, unopened=unopened)
    return unopened


def _fill(row: CredentialRow, new: NewCredential, actor: Actor) -> None:
    for name, value in _columns(new, actor).items():
        setattr(row, name, value)


def _columns(new: NewCredential, actor: Actor) -> dict[str, Any]:
    """The row of a credential, but for its name."""
    return {
        "kind": new.kind,
        "public": new.public,
        "sealed": _sealed(new) if new.secret is not None else None,
        "updated": utc_now(),
        "updated_by": actor.name,
    }


def _sealed(new: NewCredential) -> bytes:
    key = db.session.get(SealingKey, ONLY, with_for_update={"read": True})
    if key is None or new.secret is None:
        raise Conflict(
            N_("No worker has published the key to seal it with yet."),
            N_("Start one, which does that: deployer worker. Then send this again; nothing of it was kept."),
        )
    return sealing.seal(new.secret, new.name, key.public)
