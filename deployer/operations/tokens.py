"""Tokens with which programs call the API: make one, end one, tell who asks with it."""

from __future__ import annotations

import contextlib
import hashlib
import secrets
from collections.abc import Collection
from datetime import timedelta

from sqlalchemy import select, update
from sqlalchemy.exc import OperationalError

from deployer.domain.access import Actor, Scope
from deployer.domain.errors import N_, Unidentified, no_such
from deployer.extensions import db
from deployer.models import Service, Token, User
from deployer.models.columns import utc_now
from deployer.operations.transaction import audit, transaction

DAYS = 90  # for which a token is good unless somebody says otherwise
USED_EVERY = timedelta(minutes=1)


def create_token(
    user_name: str,
    name: str,
    scope: Scope,
    by: str,
    *,
    days: int | None = DAYS,
    services: Collection[str] = (),
    sees: Collection[int] | None = None,
) -> str:
    """Create a token for a person and return it; it is shown this once.

    It is good for ``days``, for ever with None, and for the services of these names, for all with none. Who makes it
    ``sees`` these services, all with None: another one is answered as if it did not exist. Raises NotFound on ``user``
    and ``services``.
    """
    secret = "dpl_" + secrets.token_hex(32)
    with transaction() as session:
        user = session.execute(select(User).where(User.name == user_name)).scalar_one_or_none()
        if user is None:
            raise no_such("user", user_name, "user")
        now = utc_now()
        token = Token(
            user_id=user.id,
            name=name,
            scope=scope,
            sha256=digest(secret),
            created=now,
            expires=None if days is None else now + timedelta(days=days),
            services=_ids(services, sees),
        )
        session.add(token)
        session.flush()
        audit(
            by,
            "create",
            "token",
            token.id,
            user=user_name,
            name=name,
            scope=scope.value,
            expires=token.expires and token.expires.isoformat(),
            services=sorted(services),
        )
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


def by_token(secret: str, address: str = "") -> Actor:
    """Who a bearer token speaks for. It is noted when and from where it was used, at most once a minute.

    Raises Unidentified, and says whether it is unknown, expired, revoked, or its owner shut out.
    """
    found = db.session.execute(
        select(Token, User).join(User, User.id == Token.user_id).where(Token.sha256 == digest(secret))
    ).one_or_none()
    if found is None:
        raise Unidentified(N_("This token is not known here."), N_("Send a valid bearer token and try again."))
    token, user = found
    now = utc_now()
    if token.revoked is not None:
        raise Unidentified(N_("This token was revoked."), N_("Make a new one."))
    if token.expires is not None and token.expires <= now:
        raise Unidentified(
            N_("This token expired on %(day)s."), N_("Make a new one."), facts={"day": token.expires.date().isoformat()}
        )
    if not user.active:
        raise Unidentified(N_("The owner of this token cannot sign in any more."), N_("Ask an administrator."))
    services = None if token.services is None else frozenset(token.services)
    named = f"{token.name} #{token.id}"
    actor = Actor(
        user.name, user.role, token.scope, roles=user.roles, services=services, token=named, token_id=token.id
    )
    if token.used is None or token.used < now - USED_EVERY:
        _note(token.id, address)
    return actor


def _ids(names: Collection[str], sees: Collection[int] | None) -> list[int] | None:
    if not names:
        return None
    query = select(Service.name, Service.id).where(Service.name.in_(set(names)))
    if sees is not None:
        query = query.where(Service.id.in_(sees))
    known = dict(db.session.execute(query).all())
    for name in names:
        if name not in known:
            raise no_such("service", name, "services")
    return sorted(known.values())


def _note(token_id: int, address: str) -> None:
    now = utc_now()
    # What only asks for something is answered also while nothing can be written.
    with contextlib.suppress(OperationalError), transaction() as session:
        session.execute(
            update(Token)
            .where(Token.id == token_id, Token.used.is_(None) | (Token.used < now - USED_EVERY))
            .values(used=now, used_from=address[:64])
        )


def digest(secret: str) -> str:
    """What is kept of a secret that is long and random: of such a one nobody finds the secret again."""
    return hashlib.sha256(secret.encode("utf-8", "replace")).hexdigest()
