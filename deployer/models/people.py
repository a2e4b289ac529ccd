"""Who may use the console, and the tokens they gave to programs."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, String, cast, func, select, type_coerce
from sqlalchemy.orm import Mapped, column_property, mapped_column

from deployer.domain.access import Role, Scope
from deployer.extensions import db
from deployer.models.columns import Moment, Word, utc_now


class ServiceRole(db.Model):  # type: ignore[name-defined,misc]
    """What somebody may do with one service, beside what their own role says of all."""

    __tablename__ = "service_role"

    user_id: Mapped[int] = mapped_column(ForeignKey("user.id"), primary_key=True)
    service_id: Mapped[int] = mapped_column(ForeignKey("service.id"), primary_key=True, index=True)
    role: Mapped[Role] = mapped_column(Word(Role))


class User(db.Model):  # type: ignore[name-defined,misc]
    """A person. ``session_key`` is part of every session cookie, so changing it ends them all."""

    __tablename__ = "user"
    __table_args__ = ({"sqlite_autoincrement": True},)

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(64), unique=True)
    password_hash: Mapped[str] = mapped_column(String(200))
    role: Mapped[Role] = mapped_column(Word(Role))
    session_key: Mapped[str] = mapped_column(String(64), unique=True)
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


class Token(db.Model):  # type: ignore[name-defined,misc]
    """A bearer token of the API. Only its SHA-256 is kept."""

    __tablename__ = "token"
    __table_args__ = ({"sqlite_autoincrement": True},)

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("user.id"), index=True)
    name: Mapped[str] = mapped_column(String(64))
    scope: Mapped[Scope] = mapped_column(Word(Scope))
    sha256: Mapped[str] = mapped_column(String(64), unique=True)
    created: Mapped[datetime] = mapped_column(Moment, default=utc_now)
    revoked: Mapped[datetime | None] = mapped_column(Moment)
