"""The hosts that are there, as the operations on hosts need them: read many at a time, locked, and looked at for what
stands in the way."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import func, select

from deployer.domain.errors import N_, Conflict, no_such
from deployer.domain.machine import NewHost
from deployer.extensions import db
from deployer.models import CredentialRow, Host, HostLabel, Instance, Rollout, claims
from deployer.models.columns import among

PLACES = 1  # the number of our only advisory lock


@dataclass(frozen=True)
class Existing:
    """A host that is there."""

    id: int
    is_retired: bool
    host: NewHost


def existing(host_ids: Sequence[int] | None = None) -> dict[int, Existing]:
    """The hosts of these ids, or all of them, retired ones too; by id. Two statements."""
    query = select(
        Host.id,
        Host.retired,
        Host.hostname,
        Host.address,
        Host.directory,
        Host.reach,
        Host.description,
        Host.ssh_user,
        Host.ssh_port,
        Host.jump,
        CredentialRow.name,
    ).outerjoin(CredentialRow, CredentialRow.id == Host.credential_id)
    labelled = select(HostLabel.host_id, HostLabel.label).order_by(HostLabel.label)
    if host_ids is not None:
        query = query.where(among(db.session(), Host.id, host_ids))
        labelled = labelled.where(among(db.session(), HostLabel.host_id, host_ids))
    labels: dict[int, list[str]] = {}
    for host_id, label in db.session.execute(labelled):
        labels.setdefault(host_id, []).append(label)
    return {
        row.id: Existing(
            row.id,
            row.retired is not None,
            NewHost(
                hostname=row.hostname,
                address=row.address,
                directory=row.directory,
                reach=row.reach,
                description=row.description,
                labels=tuple(labels.get(row.id, ())),
                ssh_user=row.ssh_user,
                ssh_port=row.ssh_port,
                jump=row.jump,
                credential=row.name,
            ),
        )
        for row in db.session.execute(query.order_by(Host.id))
    }


def as_it_is(host_id: int) -> NewHost:
    """The host in the words of a form. Raises NotFound."""
    found = existing([host_id]).get(host_id)
    if found is None:
        raise no_such("host", host_id)
    return found.host


def lock_with_services(host_ids: Iterable[int]) -> dict[int, int]:
    """Lock the rows of the services that run on these hosts and then the hosts', in the order of all writers. The new
    revisions of the services, by id."""
    ids = sorted(set(host_ids))
    query = select(Instance.service_id).where(among(db.session(), Instance.host_id, ids)).distinct()
    services = sorted(db.session.execute(query).scalars()) if ids else []
    revs = {service_id: claims.bump(db.session(), service_id) for service_id in services}
    if ids:
        db.session.execute(select(Host.id).where(among(db.session(), Host.id, ids)).order_by(Host.id).with_for_update())
    return revs


def credential_ids(names: Iterable[str | None]) -> dict[str | None, int | None]:
    """The credentials of these names, locked against their removal, which looks for hosts that use them; None is none.
    Raises NotFound on ``credential``."""
    wanted = sorted({name for name in names if name is not None})
    query = select(CredentialRow).where(CredentialRow.name.in_(wanted)).order_by(CredentialRow.id)
    found: dict[str | None, int | None] = {None: None}
    if wanted:
        locked = db.session.execute(query.with_for_update(read=True)).scalars()
        found.update((row.name, row.id) for row in locked)
    missing = [name for name in wanted if name not in found]
    if missing:
        raise no_such("credential", missing[0], "credential")
    return found


def hold_places() -> None:
    """Let nobody else take a place until the transaction has ended: what :func:`check_place` or a plan found to be free
    stays free. It comes before every other lock. On SQLite a writer is alone anyway."""
    if db.session.get_bind().dialect.name == "postgresql":
        db.session.execute(select(func.pg_advisory_xact_lock(PLACES)))


def check_place(new: NewHost, but: int) -> None:
    """Raise Conflict when another host in use is the same directory of the same machine; the caller holds places."""
    same = [getattr(Host, name).is_not_distinct_from(value) for name, value in new.place.items()]
    if db.session.execute(select(Host.id).where(*same, Host.retired.is_(None), Host.id != but)).first():
        raise Conflict(
            N_("Another host has this directory."),
            N_("Two hosts in one directory would overwrite each other's services. Choose another directory."),
            "directory",
        )


def check_nobody_works(host_ids: Sequence[int]) -> None:
    """Raise Conflict when a rollout holds something on one of these hosts."""
    held = db.session.execute(
        select(Rollout.id, Rollout.created_by)
        .join(Instance, Instance.rollout_id == Rollout.id)
        .where(among(db.session(), Instance.host_id, host_ids))
        .order_by(Instance.host_id, Rollout.id)
        .limit(1)
    ).first()
    if held is not None:
        raise Conflict(
            N_("Rollout #%(rollout)s of %(by)s holds it."),
            N_("How a host is reached can be changed when nobody works on it. Wait until the rollout has ended."),
            facts={"rollout": held.id, "by": held.created_by},
        )
