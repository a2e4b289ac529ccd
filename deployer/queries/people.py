"""What pages show of people and of the tokens they gave to programs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import case, func, or_, select

from deployer.domain.access import OVERALL, Role, Scope, Verb, roles_for
from deployer.extensions import db
from deployer.models import Rollout, ServiceRole, Token, User

NAMED = 3  # people to ask; the rest are counted


@dataclass(frozen=True)
class PersonRow:
    """A person. ``tokens`` counts those that are valid; ``last`` is when they last started a rollout; for so many
    ``services`` they have a role of its own."""

    id: int
    name: str
    role: Role
    active: bool
    created: datetime
    tokens: int
    last: datetime | None
    services: int = 0


@dataclass(frozen=True)
class TokenRow:
    """A token, without its secret: nobody has that but its owner."""

    id: int
    name: str
    scope: Scope
    created: datetime
    revoked: datetime | None


def people() -> list[PersonRow]:
    """All of them, by name."""
    tokens = (
        select(Token.user_id, func.count().label("valid"))
        .where(Token.revoked.is_(None))
        .group_by(Token.user_id)
        .subquery()
    )
    services = select(func.count()).where(ServiceRole.user_id == User.id).correlate(User).scalar_subquery()
    last = select(Rollout.created_by, func.max(Rollout.created).label("at")).group_by(Rollout.created_by).subquery()
    of_user = (User.id, User.name, User.role, User.active, User.created)
    query = (
        select(*of_user, func.coalesce(tokens.c.valid, 0), last.c.at, services)
        .outerjoin(tokens, tokens.c.user_id == User.id)
        .outerjoin(last, last.c.created_by == User.name)
        .order_by(User.name)
    )
    return [PersonRow(*row) for row in db.session.execute(query)]


def tokens_of(name: str) -> list[TokenRow]:
    """A person's tokens: the valid ones first, the newest first."""
    query = (
        select(Token.id, Token.name, Token.scope, Token.created, Token.revoked)
        .join(User, User.id == Token.user_id)
        .where(User.name == name)
        .order_by(Token.revoked.is_not(None), Token.id.desc())
    )
    return [TokenRow(*row) for row in db.session.execute(query)]


def named_for(verb: Verb, service_id: int | None) -> str:
    """The first few who may do ``verb`` to the service, or to what is of none, and how many more there are. Who has
    the role for this service stands first, who has the least role for all before who may more. "" for nobody."""
    enough = roles_for(verb)
    mine = ServiceRole.role if service_id is not None and verb not in OVERALL else None
    has_role = [User.role.in_(enough)]
    order = [case({role: place for place, role in enumerate(Role)}, value=User.role, else_=0)]
    query = select(User.name).where(User.active)
    if mine is not None:
        query = query.outerjoin(ServiceRole, (ServiceRole.user_id == User.id) & (ServiceRole.service_id == service_id))
        has_role.append(mine.in_(enough))
        order.insert(0, case((mine.in_(enough), 0), else_=1))
    names = list(db.session.execute(query.where(or_(*has_role)).order_by(*order, User.name)).scalars())
    more = f" + {len(names) - NAMED}" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more
