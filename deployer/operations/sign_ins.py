"""Signing in and out. A sign-in is a row: what ends it is that the row goes, and not what a browser forgets."""

from __future__ import annotations

import contextlib
import secrets
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import ColumnElement, delete, or_, select, update
from sqlalchemy.exc import OperationalError

from deployer.domain.access import Actor
from deployer.domain.errors import no_such
from deployer.extensions import db
from deployer.models import SignIn, User
from deployer.models.columns import utc_now
from deployer.models.people import IDLE
from deployer.operations import passwords
from deployer.operations.tokens import digest
from deployer.operations.transaction import audit, transaction

LONGEST = timedelta(days=7)
SEEN_EVERY = timedelta(minutes=1)


@dataclass(frozen=True)
class Whence:
    """From where somebody asks, as far as can be told."""

    address: str = ""
    browser: str = ""


@dataclass(frozen=True)
class SignedIn:
    """A person with a session: ``secret`` goes into the cookie, and nowhere else."""

    secret: str
    actor: Actor
    id: int = 0


def check_password(name: str, password: str) -> int | None:
    """The id of who this is, or None. Takes the same time whether the name or the password is wrong."""
    user = db.session.execute(select(User.id, User.password_hash, User.active).where(User.name == name)).one_or_none()
    db.session.rollback()  # hashing takes long; nothing is held open meanwhile
    right = passwords.verify(user.password_hash if user else "", password)
    if user is None or not right or not user.active:
        return None
    if passwords.is_outgrown(user.password_hash):
        better = passwords.hash_password(password)
        with transaction() as session:
            session.execute(
                update(User)
                .where(User.id == user.id, User.password_hash == user.password_hash)
                .values(password_hash=better)
            )
    return int(user.id)


def begin(user_id: int, whence: Whence) -> SignedIn:
    """Sign a person in who has proved to be it. Raises NotFound for one who may not sign in (any more)."""
    secret = secrets.token_urlsafe(32)
    with transaction() as session:
        user = session.get(User, user_id)
        if user is None or not user.active:
            raise no_such("user", user_id)
        now = utc_now()
        session.execute(delete(SignIn).where(SignIn.user_id == user_id, _is_over()))
        row = SignIn(
            user_id=user_id,
            sha256=digest(secret),
            created=now,
            seen=now,
            expires=now + LONGEST,
            address=whence.address[:64],
            browser=whence.browser[:200],
        )
        session.add(row)
        audit(user.name, "sign_in", "user", user.id, address=row.address)
        session.flush()
        return SignedIn(secret, Actor(user.name, user.role, roles=user.roles), row.id)


def by_secret(secret: str, address: str | None) -> SignedIn | None:
    """Who is signed in with this. It is noted when and from where (``address``), at most once a minute; with None, for
    what a page asks by itself, it is not."""
    found = db.session.execute(
        select(SignIn, User)
        .join(User, User.id == SignIn.user_id)
        .where(SignIn.sha256 == digest(secret), User.active, ~_is_over())
    ).one_or_none()
    if found is None:
        return None
    row, user = found
    signed_in = SignedIn(secret, Actor(user.name, user.role, roles=user.roles), row.id)
    if address is not None and row.seen < utc_now() - SEEN_EVERY:
        _note(row.id, address)
    return signed_in


def end(user_name: str, sign_in_id: int) -> None:
    """Sign this very person out where the sign-in is. Raises NotFound."""
    with transaction() as session:
        row, user = _of(user_name, sign_in_id)
        session.delete(row)
        audit(user_name, "sign_out", "user", user.id, address=row.address)


def end_others(user_name: str, sign_in_id: int) -> int:
    """Sign this person out everywhere but there; how many sign-ins that ended. Raises NotFound."""
    with transaction():
        _, user = _of(user_name, sign_in_id)
        ended = end_all(user, but=sign_in_id)
        audit(user_name, "sign_out_elsewhere", "user", user.id, ended=ended)
        return ended


def end_all(user: User, but: int = 0) -> int:
    """Within a transaction: end the sign-ins of a person; how many."""
    gone = db.session.execute(
        delete(SignIn).where(SignIn.user_id == user.id, SignIn.id != but).returning(SignIn.id)
    ).all()
    return len(gone)


def _is_over() -> ColumnElement[bool]:
    now = utc_now()
    return or_(SignIn.expires <= now, SignIn.seen <= now - IDLE)


def _of(user_name: str, sign_in_id: int) -> tuple[SignIn, User]:
    found = db.session.execute(
        select(SignIn, User)
        .join(User, User.id == SignIn.user_id)
        .where(SignIn.id == sign_in_id, User.name == user_name)
    ).one_or_none()
    if found is None:
        raise no_such("sign-in", sign_in_id)
    return found[0], found[1]


def _note(sign_in_id: int, address: str) -> None:
    now = utc_now()
    # A page that only shows something is shown also while nothing can be written.
    with contextlib.suppress(OperationalError), transaction() as session:
        session.execute(
            update(SignIn)
            .where(SignIn.id == sign_in_id, SignIn.seen < now - SEEN_EVERY)
            .values(seen=now, address=address[:64])
        )
