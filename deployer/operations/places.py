"""Where an instance is and how a version gets there: all that a worker has to know before it touches a machine."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Row, select

from deployer.domain.reach import Credential, Login
from deployer.domain.status import Reach
from deployer.extensions import db
from deployer.models import CredentialRow, Host, HostKey, Instance, Service, Version
from deployer.models.columns import among

_REACHED = (
    Host.id.label("host_id"),
    Host.hostname,
    Host.address,
    Host.reach,
    Host.directory,
    Host.ssh_user,
    Host.ssh_port,
    Host.jump,
    CredentialRow.id.label("credential_id"),
    CredentialRow.name.label("credential_name"),
    CredentialRow.kind,
    CredentialRow.public,
    CredentialRow.sealed,
)


@dataclass(frozen=True)
class Place:
    """A service on a host, or the host alone: then ``service`` is "" and ``instance_id`` is 0.

    ``host_keys`` are the approved ones. Without a ``credential`` the worker shows what it is configured to show.
    """

    service_id: int
    instance_id: int
    service: str
    recipe: dict[str, Any]
    hostname: str
    address: str
    reach: Reach
    directory: str
    port: int
    host_id: int = 0
    login: Login = field(default_factory=Login)
    host_keys: tuple[str, ...] = ()
    credential: Credential | None = None


def places(instance_ids: Iterable[int]) -> dict[int, Place]:
    """The places of instances, by instance id."""
    rows = db.session.execute(
        select(Instance.id, Instance.service_id, Service.name, Service.recipe, Instance.port, *_REACHED)
        .join(Service, Service.id == Instance.service_id)
        .join(Host, Host.id == Instance.host_id)
        .outerjoin(CredentialRow, CredentialRow.id == Host.credential_id)
        .where(among(db.session(), Instance.id, instance_ids))
    ).all()
    keys = _approved_keys(rows)
    return {row.id: Place(row.service_id, row.id, row.name, row.recipe, **_reached(row, keys)) for row in rows}


def host_places(host_ids: Iterable[int]) -> dict[int, Place]:
    """The hosts alone, by host id."""
    rows = db.session.execute(
        select(*_REACHED)
        .select_from(Host)
        .outerjoin(CredentialRow, CredentialRow.id == Host.credential_id)
        .where(among(db.session(), Host.id, host_ids))
    ).all()
    keys = _approved_keys(rows)
    return {row.host_id: Place(0, 0, "", {}, **_reached(row, keys)) for row in rows}


def _reached(row: Row[*tuple[Any, ...]], keys: dict[int, tuple[str, ...]]) -> dict[str, Any]:
    shown = (row.credential_id, row.credential_name, row.kind, row.public, row.sealed)
    return {
        "hostname": row.hostname,
        "address": row.address,
        "reach": row.reach,
        "directory": row.directory,
        "port": getattr(row, "port", 0),
        "host_id": row.host_id,
        "login": Login(row.ssh_user, row.ssh_port, row.jump),
        "host_keys": keys.get(row.host_id, ()),
        "credential": Credential(*shown) if row.credential_id is not None else None,
    }


def _approved_keys(rows: Sequence[Row[*tuple[Any, ...]]]) -> dict[int, tuple[str, ...]]:
    host_ids = {row.host_id for row in rows if row.reach is Reach.SSH}
    if not host_ids:
        return {}
    found: dict[int, tuple[str, ...]] = {}
    query = select(HostKey.host_id, HostKey.key).where(
        among(db.session(), HostKey.host_id, host_ids), HostKey.approved.is_not(None)
    )
    for host_id, key in db.session.execute(query.order_by(HostKey.id)):
        found[host_id] = (*found.get(host_id, ()), key)
    return found


def versions(ids: Iterable[int]) -> dict[int, Version]:
    """Versions by id."""
    rows = db.session.execute(select(Version).where(among(db.session(), Version.id, ids))).scalars()
    return {row.id: row for row in rows}


def version_id(service_id: int, label: str | None) -> int | None:
    """The service's version of this label, if it is recorded."""
    if label is None:
        return None
    return db.session.execute(
        select(Version.id).where(Version.service_id == service_id, Version.label == label)
    ).scalar_one_or_none()
