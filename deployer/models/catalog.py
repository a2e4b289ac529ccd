"""Services and their versions."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, String, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from deployer.domain.status import BuildStatus
from deployer.extensions import db
from deployer.models.columns import IntCode, Moment, utc_now


class Service(db.Model):  # type: ignore[name-defined,misc]
    """A microservice. ``rev`` grows with every change a page of it can show."""

    __tablename__ = "service"
    __table_args__ = ({"sqlite_autoincrement": True},)

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(64), unique=True)
    language: Mapped[str] = mapped_column(String(64), default="")
    description: Mapped[str] = mapped_column(Text, default="")
    build_orig: Mapped[str] = mapped_column(String(200), default="")
    build_url: Mapped[str] = mapped_column(String(2048), default="")
    # Where two versions are compared; "" or an address with {from} and {to} in it.
    compare_url: Mapped[str] = mapped_column(String(2048), default="", server_default=text("''"))
    recipe: Mapped[dict[str, Any]] = mapped_column(JSON)
    rev: Mapped[int] = mapped_column(default=0)
    created: Mapped[datetime] = mapped_column(Moment, default=utc_now)
    updated: Mapped[datetime] = mapped_column(Moment, default=utc_now)
    updated_by: Mapped[str] = mapped_column(String(64), default="")


class Version(db.Model):  # type: ignore[name-defined,misc]
    """One build of a service. Its order among the service's versions is its id (S6), so ids are never reused."""

    __tablename__ = "version"
    __table_args__ = (
        UniqueConstraint("service_id", "label"),
        UniqueConstraint("service_id", "id"),  # what the composite foreign keys point at
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    service_id: Mapped[int] = mapped_column(ForeignKey("service.id"), index=True)
    label: Mapped[str] = mapped_column(String(64))
    ref: Mapped[str] = mapped_column(String(200), default="")
    description: Mapped[str] = mapped_column(Text, default="")
    status: Mapped[BuildStatus] = mapped_column(IntCode(BuildStatus))
    artifact_url: Mapped[str] = mapped_column(String(2048), default="")  # "" when it was uploaded, or is missing
    artifact_sha256: Mapped[str | None] = mapped_column(String(64))
    # Why no host should go back from here to an older version; "" when it may.
    irreversible: Mapped[str] = mapped_column(String(200), default="", server_default=text("''"))
    rev: Mapped[int] = mapped_column(default=0)
    created: Mapped[datetime] = mapped_column(Moment, default=utc_now)
    created_by: Mapped[str] = mapped_column(String(64), default="")
    updated: Mapped[datetime] = mapped_column(Moment, default=utc_now)
