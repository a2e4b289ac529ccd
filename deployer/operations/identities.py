"""People who prove elsewhere who they are. They are known by issuer and subject, and never by a name or an address: who
could choose those at the provider would otherwise become anybody here."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from deployer.domain.access import Role
from deployer.domain.errors import N_, Conflict, Forbidden, no_such
from deployer.domain.identity import Allowed, Identity
from deployer.extensions import db
from deployer.models import User
from deployer.operations import people
from deployer.operations.transaction import audit, transaction

FEW = 3


def person(identity: Identity, allowed: Allowed) -> int:
    """The id of the person, who is added as a viewer when they come for the first time and are allowed to.

    Raises Forbidden when they are not, or shut out; Conflict when somebody else has their name.
    """
    known = db.session.execute(
        select(User.id, User.active).where(User.issuer == identity.issuer, User.subject == identity.subject)
    ).one_or_none()
    if known is not None and known.active:
        return int(known.id)
    if known is not None or not identity.is_among(allowed):
        raise Forbidden(
            N_("You may not sign in here."),
            N_("Ask %(who)s to let you in. The provider calls you %(subject)s."),
            facts={"who": _administrators(), "subject": identity.subject},
        )
    if not identity.name:
        raise Forbidden(
            N_("The provider does not say what to call you."), N_("Ask %(who)s."), facts={"who": _administrators()}
        )
    try:
        return people.add(identity.name, Role.VIEWER, identity.name, issuer=identity.issuer, subject=identity.subject)
    except Conflict:
        raise Conflict(
            N_("Somebody else is called %(name)s here."),
            N_("If it is you, ask %(who)s to link it. The provider calls you %(subject)s."),
            facts={"name": identity.name, "who": _administrators(), "subject": identity.subject},
        ) from None


def link(name: str, issuer: str, subject: str, by: str) -> None:
    """Have a person be who the provider ``issuer`` calls ``subject``. Raises NotFound; Conflict for another's."""
    try:
        with transaction() as session:
            user = session.execute(select(User).where(User.name == name)).scalar_one_or_none()
            if user is None:
                raise no_such("user", name, "name")
            before = {"issuer": user.issuer, "subject": user.subject}
            user.issuer, user.subject = issuer, subject
            session.flush()
            audit(by, "link", "user", user.id, name=name, before=before, after={"issuer": issuer, "subject": subject})
    except IntegrityError:
        raise Conflict(
            N_("Another person is linked to this subject."), N_("Look at the list of people first."), "subject"
        ) from None


def _administrators() -> str:
    query = select(User.name).where(User.active, User.role == Role.ADMINISTRATOR).order_by(User.name).limit(FEW)
    return ", ".join(db.session.execute(query).scalars()) or "root"
