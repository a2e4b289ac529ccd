"""Who may use the console, and the tokens they gave to programs."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from deployer.domain.access import Role, Scope
from deployer.extensions import db
from deployer.models.columns import Moment, Word, utc_now


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
