"""People: create them, change how they prove who they are, shut them out and let them in again."""

from __future__ import annotations

import secrets

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from deployer.domain.access import Actor, Role
from deployer.domain.errors import N_, Invalid, no_such
from deployer.domain.passwords import check_password_rules
from deployer.extensions import db
from deployer.models import User
from deployer.operations import passwords, sign_ins
from deployer.operations.catalog import taken
from deployer.operations.transaction import audit, transaction


def create_user(name: str, password: str, role: Role, by: str) -> int:
    """Create a person and return the id. Raises Invalid on ``password``, Conflict on ``name``."""
    check_password_rules(password, name)
    return add(name, role, by, password_hash=passwords.hash_password(password))


def add(name: str, role: Role, by: str, **identity: str) -> int:
    """Add a person who signs in with what ``identity`` says (columns of the table). Raises Conflict on ``name``."""
    try:
        with transaction() as session:
            user = User(name=name, role=role, device_key=secrets.token_hex(32), **{"password_hash": "", **identity})
            session.add(user)
            session.flush()
            audit(by, "create", "user", user.id, name=name, role=role.value)
            return user.id
    except IntegrityError:
        raise taken(N_("There is a person of this name already."), "name") from None


def change_password(actor: Actor, sign_in_id: int, current: str, password: str) -> int:
    """Change one's own password, and sign out everywhere else; how many sign-ins that ended.

    Raises Invalid on ``current`` when it is not the password, and on ``password`` when the new one cannot be used.
    """
    if sign_ins.check_password(actor.name, current) is None:
        raise Invalid(
            N_("This is not your password."), N_("Type the password that you signed in with just now."), "current"
        )
    return _set(actor.name, password, actor.name, but=sign_in_id)


def set_password(name: str, password: str, by: str) -> int:
    """Give a person another password, and sign them out everywhere; how many sign-ins that ended. Raises NotFound on
    ``name``, Invalid on ``password``."""
    return _set(name, password, by)


def _set(name: str, password: str, by: str, but: int = 0) -> int:
    check_password_rules(password, name)
    new = passwords.hash_password(password)
    with transaction():
        user = _named(name)
        user.password_hash = new
        user.device_key = secrets.token_hex(32)
        ended = sign_ins.end_all(user, but)
        audit(by, "change_password", "user", user.id, name=name, ended=ended)
        return ended


def _named(name: str) -> User:
    user = db.session.execute(select(User).where(User.name == name)).scalar_one_or_none()
    if user is None:
        raise no_such("user", name, "name")
    return user
