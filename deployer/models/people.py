"""Who may use the console, where they are signed in, and the tokens they gave to programs."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import (
    JSON,
    ForeignKey,
    Index,
    String,
    UniqueConstraint,
    cast,
    func,
    select,
    text,
    type_coerce,
)
from sqlalchemy.orm import Mapped, column_property, mapped_column

from deployer.domain.access import Role, Scope
from deployer.extensions import db
from deployer.models.columns import Moment, Word, utc_now

IDLE = timedelta(hours=12)  # after which a sign-in is over that nobody used: a shift


class ServiceRole(db.Model):  # type: ignore[name-defined,misc]
    """What somebody may do with one service, beside what their own role says of all."""

    __tablename__ = "service_role"

    user_id: Mapped[int] = mapped_column(ForeignKey("user.id"), primary_key=True)
    service_id: Mapped[int] = mapped_column(ForeignKey("service.id"), primary_key=True, index=True)
    role: Mapped[Role] = mapped_column(Word(Role))


class User(db.Model):  # type: ignore[name-defined,misc]
    """A person. ``password_hash`` is "" for one who signs in elsewhere, at ``issuer`` as ``subject``, and only there.
    ``device_key`` is in the cookie of every browser that has signed in as this person; changing it makes all unknown.
    """

    __tablename__ = "user"
    __table_args__ = (
        UniqueConstraint("device_key", name="uq_user_session_key"),  # as it was called once; SQLite cannot rename it
        Index("ix_user_issuer_subject", "issuer", "subject", unique=True),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(64), unique=True)
    password_hash: Mapped[str] = mapped_column(String(200))
    role: Mapped[Role] = mapped_column(Word(Role))
    device_key: Mapped[str] = mapped_column(String(64))
    issuer: Mapped[str | None] = mapped_column(String(400))
    subject: Mapped[str | None] = mapped_column(String(255))
    active: Mapped[bool] = mapped_column(default=True)
    created: Mapped[datetime] = mapped_column(Moment, default=utc_now)
    # The roles for single services, as "3:viewer,5:deployer": every poll looks up who is asking, in one statement.
    service_roles: Mapped[str | None] = column_property(
        select(
            func.aggregate_strings(
                cast(ServiceRole.service_id, String) + ":" + type_coerce(ServiceRole.role, String), ","
            )
        )
        .where(ServiceRole.user_id == id)  # noqa: A003 (the column above)
        .scalar_subquery()
    )

    @property
    def roles(self) -> tuple[tuple[int, Role], ...]:
        """The roles for single services, by service id."""
        pairs = (one.split(":") for one in (self.service_roles or "").split(",") if one)
        return tuple(sorted((int(service), Role(role)) for service, role in pairs))


class SignIn(db.Model):  # type: ignore[name-defined,misc]
    """A browser in which a person is signed in. Its cookie has a secret of which only the SHA-256 is kept. Signing out
    removes the row, so that a copy of the cookie is worth nothing."""

    __tablename__ = "sign_in"
    __table_args__ = ({"sqlite_autoincrement": True},)

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("user.id"), index=True)
    sha256: Mapped[str] = mapped_column(String(64), unique=True)
    created: Mapped[datetime] = mapped_column(Moment, default=utc_now)
    seen: Mapped[datetime] = mapped_column(Moment, default=utc_now)
    expires: Mapped[datetime] = mapped_column(Moment)
    address: Mapped[str] = mapped_column(String(64))  # from where it was last seen
    browser: Mapped[str] = mapped_column(String(200))


class Token(db.Model):  # type: ignore[name-defined,misc]
    """A bearer token of the API. Only its SHA-256 is kept. ``services`` are the ids of those that it is for; None: all.
    ``expires`` is None when it never does."""

    __tablename__ = "token"
    __table_args__ = ({"sqlite_autoincrement": True},)

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("user.id"), index=True)
    name: Mapped[str] = mapped_column(String(64))
    scope: Mapped[Scope] = mapped_column(Word(Scope))
    sha256: Mapped[str] = mapped_column(String(64), unique=True)
    created: Mapped[datetime] = mapped_column(Moment, default=utc_now)
    expires: Mapped[datetime | None] = mapped_column(Moment)
    revoked: Mapped[datetime | None] = mapped_column(Moment)
    services: Mapped[list[int] | None] = mapped_column(JSON(none_as_null=True))
    used: Mapped[datetime | None] = mapped_column(Moment)  # to the minute
    used_from: Mapped[str] = mapped_column(String(64), default="", server_default=text("''"))
