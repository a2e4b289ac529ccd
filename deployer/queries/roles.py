"""What pages and the API show of the roles that people have for single services."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import or_, select

from deployer.domain.access import Role, greatest
from deployer.domain.errors import no_such
from deployer.extensions import db
from deployer.models import Service, ServiceRole, User
from deployer.models.columns import among
from deployer.queries.people import PersonRow, people


@dataclass(frozen=True)
class ForService:
    """A role for one service."""

    service_id: int
    service: str
    role: Role


@dataclass(frozen=True)
class OfPerson:
    """What a person may do with one service: ``overall`` is the role for everything, ``own`` that for the service."""

    id: int
    name: str
    active: bool
    overall: Role
    own: Role

    @property
    def role(self) -> Role:
        """The one that counts."""
        return greatest((self.overall, self.own))


def of_service(service_id: int) -> list[OfPerson]:
    """Who has a role that counts for the service, by name."""
    query = (
        select(User.id, User.name, User.active, User.role, ServiceRole.role)
        .outerjoin(ServiceRole, (ServiceRole.user_id == User.id) & (ServiceRole.service_id == service_id))
        .where(or_(User.role != Role.NONE, ServiceRole.role.is_not(None)))
        .order_by(User.name)
    )
    rows = db.session.execute(query)
    return [OfPerson(id_, name, active, role, own or Role.NONE) for id_, name, active, role, own in rows]


def person(user_id: int) -> PersonRow:
    """One person. Raises NotFound."""
    found = next((one for one in people() if one.id == user_id), None)
    if found is None:
        raise no_such("user", user_id)
    return found


def of_people(user_ids: Iterable[int]) -> dict[int, list[ForService]]:
    """The roles for single services of these people, by the services' names; those who have any, by id."""
    query = (
        select(ServiceRole.user_id, Service.id, Service.name, ServiceRole.role)
        .join(Service, Service.id == ServiceRole.service_id)
        .where(among(db.session(), ServiceRole.user_id, user_ids))
        .order_by(Service.name)
    )
    found: dict[int, list[ForService]] = {}
    for user_id, service_id, service, role in db.session.execute(query):
        found.setdefault(user_id, []).append(ForService(service_id, service, role))
    return found
