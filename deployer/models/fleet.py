"""Hosts, and what runs on them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, ForeignKeyConstraint, Index, String, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from deployer.domain.status import Evidence, InstanceStatus, Reach
from deployer.extensions import db
from deployer.models.columns import IntCode, Moment, Word, utc_now


class Host(db.Model):  # type: ignore[name-defined,misc]
    """A machine. ``directory`` is where services live on it: ``<directory>/<service>``.

    Where ``ssh_user`` is empty or ``ssh_port`` null, the worker's own configuration says.
    """

    __tablename__ = "host"
    __table_args__ = ({"sqlite_autoincrement": True},)

    id: Mapped[int] = mapped_column(primary_key=True)
    hostname: Mapped[str] = mapped_column(String(253), unique=True)
    address: Mapped[str] = mapped_column(String(253))
    reach: Mapped[Reach] = mapped_column(Word(Reach), default=Reach.LOCAL)
    directory: Mapped[str] = mapped_column(String(1024))
    description: Mapped[str] = mapped_column(Text, default="")
    ssh_user: Mapped[str] = mapped_column(String(64), default="", server_default=text("''"))
    ssh_port: Mapped[int | None]
    jump: Mapped[str] = mapped_column(String(400), default="", server_default=text("''"))  # [user@]host[:port]
    credential_id: Mapped[int | None] = mapped_column(ForeignKey("credential.id"), index=True)  # null: agent, own keys
    retired: Mapped[datetime | None] = mapped_column(Moment)  # since when nothing may run there any more
    check_by: Mapped[str | None] = mapped_column(String(64), index=True)  # who wants the connection tested
    checked: Mapped[datetime | None] = mapped_column(Moment)
    facts: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))  # domain.facts.HostFacts
    check_kind: Mapped[str] = mapped_column(String(40), default="", server_default=text("''"))  # "": nothing is wrong
    check_cause: Mapped[str] = mapped_column(Text, default="", server_default=text("''"))
    check_remedy: Mapped[str] = mapped_column(Text, default="", server_default=text("''"))
    created: Mapped[datetime] = mapped_column(Moment, default=utc_now)
    updated: Mapped[datetime] = mapped_column(Moment, default=utc_now)
    updated_by: Mapped[str] = mapped_column(String(64), default="")


class HostLabel(db.Model):  # type: ignore[name-defined,misc]
    """A word by which hosts are found."""

    __tablename__ = "host_label"

    host_id: Mapped[int] = mapped_column(ForeignKey("host.id"), primary_key=True)
    label: Mapped[str] = mapped_column(String(64), primary_key=True, index=True)


class HostKey(db.Model):  # type: ignore[name-defined,misc]
    """A public key that a host has shown. Only an approved one proves that it is that host."""

    __tablename__ = "host_key"
    __table_args__ = (UniqueConstraint("host_id", "key"), {"sqlite_autoincrement": True})

    id: Mapped[int] = mapped_column(primary_key=True)
    host_id: Mapped[int] = mapped_column(ForeignKey("host.id"))
    key: Mapped[str] = mapped_column(String(2048))  # "ssh-ed25519 AAAA…"
    fingerprint: Mapped[str] = mapped_column(String(50))  # "SHA256:…"
    seen: Mapped[datetime] = mapped_column(Moment, default=utc_now)
    approved: Mapped[datetime | None] = mapped_column(Moment)
    approved_by: Mapped[str] = mapped_column(String(64), default="")


class Instance(db.Model):  # type: ignore[name-defined,misc]
    """Service × host, with the version recorded to run there; at most one per pair (S1).

    ``rollout_id`` is the claim: the rollout that holds it, or null. Locked means claimed; it is stored nowhere else.
    """

    __tablename__ = "instance"
    __table_args__ = (
        UniqueConstraint("service_id", "host_id"),
        ForeignKeyConstraint(["service_id", "version_id"], ["version.service_id", "version.id"]),
        Index("ix_instance_service_id_version_id", "service_id", "version_id"),
        Index("ix_instance_service_id_rev", "service_id", "rev"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    service_id: Mapped[int] = mapped_column(ForeignKey("service.id"))
    host_id: Mapped[int] = mapped_column(ForeignKey("host.id"), index=True)
    version_id: Mapped[int]
    port: Mapped[int]
    tag: Mapped[str] = mapped_column(String(64), default="")
    weight: Mapped[int] = mapped_column(default=0)
    description: Mapped[str] = mapped_column(Text, default="")
    status: Mapped[InstanceStatus] = mapped_column(IntCode(InstanceStatus), default=InstanceStatus.RUNNING)
    is_maintain: Mapped[bool] = mapped_column(default=False)
    rollout_id: Mapped[int | None] = mapped_column(ForeignKey("rollout.id"), index=True)
    evidence: Mapped[Evidence] = mapped_column(Word(Evidence), default=Evidence.RECORDED)
    probe_by: Mapped[str | None] = mapped_column(String(64), index=True)  # who wants the host asked for its version
    rev: Mapped[int] = mapped_column(default=0)
    updated: Mapped[datetime] = mapped_column(Moment, default=utc_now)
    updated_by: Mapped[str] = mapped_column(String(64), default="")
