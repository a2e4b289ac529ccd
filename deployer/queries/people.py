"""What pages show of people, of where they are signed in, and of the tokens they gave to programs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import case, func, or_, select

from deployer.domain.access import OVERALL, Role, Scope, Verb, roles_for
from deployer.extensions import db
from deployer.models import Rollout, Service, ServiceRole, SignIn, Token, User
from deployer.models.columns import utc_now
from deployer.models.people import IDLE
from deployer.queries.paging import contains

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
    """A token, without its secret: nobody has that but its owner. ``services`` are the names of those that it is for,
    None: all."""

    id: int
    name: str
    scope: Scope
    created: datetime
    expires: datetime | None
    revoked: datetime | None
    used: datetime | None
    used_from: str
    services: tuple[str, ...] | None

    @property
    def has_expired(self) -> bool:
        """Whether its time is over."""
        return self.expires is not None and self.expires <= utc_now()

    @property
    def is_valid(self) -> bool:
        """Whether a program can still use it."""
        return self.revoked is None and not self.has_expired


@dataclass(frozen=True)
class SignInRow:
    """Where a person is signed in. ``seen`` is right to the minute."""

    id: int
    created: datetime
    seen: datetime
    expires: datetime
    address: str
    browser: str


def people(search: str = "") -> list[PersonRow]:
    """Those whose name contains ``search``, by name."""
    tokens = (
        select(Token.user_id, func.count().label("valid"))
        .where(Token.revoked.is_(None), or_(Token.expires.is_(None), Token.expires > utc_now()))
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
    if search:
        query = query.where(User.name.ilike(contains(search), escape="\\"))
    return [PersonRow(*row) for row in db.session.execute(query)]


def tokens_of(name: str) -> list[TokenRow]:
    """A person's tokens: the valid ones first, the newest first."""
    query = select(Token).join(User, User.id == Token.user_id).where(User.name == name).order_by(Token.id.desc())
    tokens = db.session.execute(query).scalars().all()
    wanted = {id_ for token in tokens for id_ in token.services or ()}
    names = _names(wanted) if wanted else {}
    rows = [
        TokenRow(
            token.id,
            token.name,
            token.scope,
            token.created,
            token.expires,
            token.revoked,
            token.used,
            token.used_from,
            None if token.services is None else tuple(names[id_] for id_ in token.services),
        )
        for token in tokens
    ]
    return sorted(rows, key=lambda row: not row.is_valid)


def sign_ins_of(name: str) -> list[SignInRow]:
    """Where a person is signed in: where they were seen last comes first."""
    query = (
        select(SignIn.id, SignIn.created, SignIn.seen, SignIn.expires, SignIn.address, SignIn.browser)
        .join(User, User.id == SignIn.user_id)
        .where(User.name == name, SignIn.expires > utc_now(), SignIn.seen > utc_now() - IDLE)
        .order_by(SignIn.seen.desc(), SignIn.id.desc())
    )
    return [SignInRow(*row) for row in db.session.execute(query)]


def has_password(name: str) -> bool:
    """Whether a person signs in here with a password, and not elsewhere only."""
    return bool(db.session.execute(select(User.password_hash).where(User.name == name)).scalar_one())


def device_key(name: str) -> str | None:
    """What the browsers have in which somebody of this name has signed in; None when there is nobody."""
    return db.session.execute(select(User.device_key).where(User.name == name)).scalar_one_or_none()


def _names(ids: Iterable[int]) -> dict[int, str]:
    return dict(db.session.execute(select(Service.id, Service.name).where(Service.id.in_(ids))).all())


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
