"""Where an instance is and how a version gets there: all that a worker has to know before it touches a machine."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select

from deployer.domain.status import Reach
from deployer.extensions import db
from deployer.models import Host, Instance, Service, Version
from deployer.models.columns import among


@dataclass(frozen=True)
class Place:
    """A service on a host."""

    service_id: int
    instance_id: int
    service: str
    recipe: dict[str, Any]
    hostname: str
    address: str
    reach: Reach
    directory: str
    port: int


def places(instance_ids: Iterable[int]) -> dict[int, Place]:
    """The places of instances, by instance id."""
    rows = db.session.execute(
        select(
            Instance.service_id,
            Instance.id,
            Service.name,
            Service.recipe,
            Host.hostname,
            Host.address,
            Host.reach,
            Host.directory,
            Instance.port,
        )
        .join(Service, Service.id == Instance.service_id)
        .join(Host, Host.id == Instance.host_id)
        .where(among(db.session(), Instance.id, instance_ids))
    )
    return {row.id: Place(*row) for row in rows}


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
