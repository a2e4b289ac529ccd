"""Who may do what: give roles and take them away, shut people out and let them in again."""

from __future__ import annotations

import secrets

from sqlalchemy import select

from deployer.domain.access import OF_SERVICE, Actor, Role, Verb
from deployer.domain.errors import N_, Conflict, Forbidden, Invalid, no_such
from deployer.extensions import db
from deployer.models import Service, ServiceRole, User
from deployer.operations import sign_ins
from deployer.operations.transaction import Of, audit, transaction


def give(user_id: int, role: Role, actor: Actor) -> None:
    """Let the person have ``role`` for everything. Raises NotFound, Forbidden for oneself, and Conflict when nobody
    would be left who administers."""
    actor.require(Verb.ADMINISTER)
    with transaction() as session:
        user = _locked(user_id, actor)
        before = user.role
        if before is role:
            return
        user.role = role
        session.flush()
        _check_administered()
        audit(actor.name, "give_role", "user", user.id, name=user.name, changes={"role": [before.value, role.value]})


def give_for_service(user_id: int, service_id: int, role: Role, actor: Actor) -> None:
    """Let the person have ``role`` for one service; NONE takes the one they have away. Raises NotFound, on
    ``service_id`` for the service; Forbidden for oneself; Invalid on ``role`` for one that is not of a service."""
    actor.require(Verb.ADMINISTER)
    if role not in (Role.NONE, *OF_SERVICE):
        raise Invalid(
            N_("This role is not of single services."),
            N_("Use one of: %(choices)s."),
            "role",
            {"choices": ", ".join(("none", *OF_SERVICE))},
        )
    with transaction() as session:
        user = _locked(user_id, actor)
        service = session.get(Service, service_id)
        if service is None:
            raise no_such("service", service_id, "service_id")
        row = session.get(ServiceRole, (user_id, service_id))
        before = row.role if row else Role.NONE
        if before is role:
            return
        if row is None:
            session.add(ServiceRole(user_id=user_id, service_id=service_id, role=role))
        elif role is Role.NONE:
            session.delete(row)
        else:
            row.role = role
        named = {"name": user.name, "service": service.name, "changes": {"role": [before.value, role.value]}}
        audit(actor.name, "give_service_role", "user", user.id, Of(service_id), **named)


def let_in(user_id: int, active: bool, actor: Actor) -> None:
    """Shut a person out with all their sessions and tokens, or let them in again. Raises as :func:`give`."""
    actor.require(Verb.ADMINISTER)
    with transaction() as session:
        user = _locked(user_id, actor)
        if user.active == active:
            return
        user.active = active
        session.flush()
        _check_administered()
        ended = 0
        if not active:
            user.device_key = secrets.token_hex(32)  # nor do the browsers count as known that they signed in with
            ended = sign_ins.end_all(user)
        audit(actor.name, "enable" if active else "disable", "user", user.id, name=user.name, ended=ended)


def _locked(user_id: int, actor: Actor) -> User:
    session = db.session
    # All who administer, in one order: of two who take that from each other, one is told that nobody would be left.
    administrators = select(User.id).where(User.role == Role.ADMINISTRATOR, User.active).order_by(User.id)
    session.execute(administrators.with_for_update())
    user = session.get(User, user_id, with_for_update=True, populate_existing=True)
    if user is None:
        raise no_such("user", user_id)
    if user.name == actor.name:
        raise Forbidden(
            N_("Nobody changes what they may do themselves."),
            N_("Ask another administrator, or use deployer user on the machine of the console."),
        )
    return user


def _check_administered() -> None:
    left = select(User.id).where(User.role == Role.ADMINISTRATOR, User.active).limit(1)
    if db.session.execute(left).first() is None:
        raise Conflict(
            N_("Nobody would be left who administers this console."),
            N_("Make somebody else an administrator first."),
            "role",
        )
