"""What pages and the API show of credentials: never the secret."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select

from deployer.domain.errors import no_such
from deployer.domain.reach import CredentialKind
from deployer.extensions import db
from deployer.models import CredentialRow, Host, SealingKey


@dataclass(frozen=True)
class CredentialView:
    """A credential, and how many hosts use it. ``public`` is a key's fingerprint or a file's path."""

    id: int
    name: str
    kind: CredentialKind
    public: str
    created: datetime
    updated: datetime
    updated_by: str
    hosts: int


def credentials() -> list[CredentialView]:
    """All of them, by name."""
    columns = (CredentialRow.id, CredentialRow.name, CredentialRow.kind, CredentialRow.public)
    times = (CredentialRow.created, CredentialRow.updated, CredentialRow.updated_by)
    tally = select(Host.credential_id, func.count().label("hosts")).group_by(Host.credential_id).subquery()
    rows = db.session.execute(
        select(*columns, *times, func.coalesce(tally.c.hosts, 0))
        .outerjoin(tally, tally.c.credential_id == CredentialRow.id)
        .order_by(CredentialRow.name)
    )
    return [CredentialView(*row) for row in rows]


def credential(credential_id: int) -> CredentialView:
    """One. Raises NotFound."""
    found = next((one for one in credentials() if one.id == credential_id), None)
    if found is None:
        raise no_such("credential", credential_id)
    return found


def can_be_sealed() -> bool:
    """Whether a worker has published the key to seal with."""
    return db.session.execute(select(SealingKey.id)).first() is not None
