"""What workers show to hosts, sealed so that only workers can read it."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from deployer.domain.reach import CredentialKind
from deployer.extensions import db
from deployer.models.columns import Moment, Word, utc_now


class CredentialRow(db.Model):  # type: ignore[name-defined,misc]
    """A key, a password or the path of a key on the worker's machine."""

    __tablename__ = "credential"
    __table_args__ = ({"sqlite_autoincrement": True},)

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(64), unique=True)
    kind: Mapped[CredentialKind] = mapped_column(Word(CredentialKind))
    public: Mapped[str] = mapped_column(String(1024), default="")  # a key's type and fingerprint, a file's path
    sealed: Mapped[bytes | None] = mapped_column(LargeBinary)
    created: Mapped[datetime] = mapped_column(Moment, default=utc_now)
    updated: Mapped[datetime] = mapped_column(Moment, default=utc_now)
    updated_by: Mapped[str] = mapped_column(String(64), default="")


class SealingKey(db.Model):  # type: ignore[name-defined,misc]
    """The public half of the key that workers hold; there is one row, or none before the first worker."""

    __tablename__ = "sealing_key"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    public: Mapped[str] = mapped_column(String(64))
    published: Mapped[datetime] = mapped_column(Moment, default=utc_now)
