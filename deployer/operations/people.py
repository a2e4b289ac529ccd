"""People and tokens: create them, and tell who is asking."""

from __future__ import annotations

import functools
import hashlib
import secrets
from dataclasses import dataclass

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from deployer.domain.access import Actor, Role, Scope
from deployer.domain.errors import N_, Invalid, no_such
from deployer.extensions import db
from deployer.models import Token, User
from deployer.models.columns import utc_now
from deployer.operations.catalog import taken
from deployer.operations.transaction import audit, transaction

MIN_PASSWORD = 10
MAX_PASSWORD = 1024  # hashing takes time with the length; nobody types more
_hasher = PasswordHasher()


@dataclass(frozen=True)
class SignedIn:
    """A person with a session: ``session_key`` goes into the cookie."""

    session_key: str
    actor: Actor


def create_user(name: str, password: str, role: Role, by: str) -> int:
    """Create a person and return the id. Raises Invalid on ``password``, Conflict on ``name``."""
    if not MIN_PASSWORD <= len(password) <= MAX_PASSWORD:
        raise Invalid(
            N_("This password cannot be used."),
            N_("Give %(least)s to %(most)s characters."),
            "password",
            {"least": MIN_PASSWORD, "most": MAX_PASSWORD},
        )
    try:
        with transaction() as session:
            user = User(name=name, password_hash=_hasher.hash(password), role=role, session_key=secrets.token_hex(32))
            session.add(user)
            session.flush()
            audit(by, "create", "user", user.id, name=name, role=role.value)
            return user.id
    except IntegrityError:
        raise taken(N_("There is a person of this name already."), "name") from None


def check_password(name: str, password: str) -> SignedIn | None:
    """Who this is, or None. Takes the same time whether the name or the password is wrong."""
    user = db.session.execute(select(User).where(User.name == name)).scalar_one_or_none()
    db.session.rollback()  # hashing takes long; nothing is held open meanwhile
    try:
        _hasher.verify(user.password_hash if user else _nobody(), password[:MAX_PASSWORD])
    except (VerificationError, InvalidHashError):
        return None
    return _signed_in(user)


def by_session_key(key: str) -> SignedIn | None:
    """The person whose session cookie says ``key``."""
    return _signed_in(db.session.execute(select(User).where(User.session_key == key)).scalar_one_or_none())


def create_token(user_name: str, name: str, scope: Scope, by: str) -> str:
    """Create a token for a person and return it; it is shown this once. Raises NotFound."""
    secret = "dpl_" + secrets.token_hex(32)
    with transaction() as session:
        user = session.execute(select(User).where(User.name == user_name)).scalar_one_or_none()
        if user is None:
            raise no_such("user", user_name, "user")
        token = Token(user_id=user.id, name=name, scope=scope, sha256=_digest(secret))
        session.add(token)
        session.flush()
        audit(by, "create", "token", token.id, user=user_name, name=name, scope=scope.value)
    return secret


def revoke_token(user_name: str, token_id: int, by: str) -> None:
    """End a token of this very person; to end it again changes nothing. Raises NotFound."""
    with transaction() as session:
        token = session.execute(
            select(Token).join(User, User.id == Token.user_id).where(Token.id == token_id, User.name == user_name)
        ).scalar_one_or_none()
        if token is None:
            raise no_such("token", token_id)
        if token.revoked is None:
            token.revoked = utc_now()
            audit(by, "revoke", "token", token.id, user=user_name, name=token.name)


def by_token(secret: str) -> Actor | None:
    """Who a bearer token speaks for, or None."""
    row = db.session.execute(
        select(Token, User)
        .join(User, User.id == Token.user_id)
        .where(Token.sha256 == _digest(secret), Token.revoked.is_(None), User.active)
    ).one_or_none()
    if row is None:
        return None
    token, user = row
    return Actor(user.name, user.role, token.scope, user.roles, token=f"{token.name} #{token.id}")


@functools.cache
def _nobody() -> str:
    """A hash that is verified when the name is unknown, so that an answer takes as long either way."""
    return _hasher.hash(secrets.token_hex(16))


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "replace")).hexdigest()


def _signed_in(user: User | None) -> SignedIn | None:
    if user is None or not user.active:
        return None
    return SignedIn(user.session_key, Actor(user.name, user.role, roles=user.roles))
