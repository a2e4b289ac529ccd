"""What pages and the API show of instances."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import Select, func, or_, select
from sqlalchemy.orm import aliased

from deployer.domain.errors import no_such
from deployer.domain.plan import Holder
from deployer.domain.status import Evidence, InstanceGroup, InstanceStatus, StepState
from deployer.domain.transitions import INSTANCE, InstanceEvent
from deployer.extensions import db
from deployer.models import Host, HostLabel, Instance, Rollout, Service, Step, Version
from deployer.models.columns import among
from deployer.queries.paging import Page, Slice, contains, count_of, sliced
from deployer.queries.waiting import COLUMNS, STEP_REV, Waiting, read_waiting, with_own_step

MOST_LABELS = 200  # offered to filter by


@dataclass(frozen=True)
class InstanceRow:
    """What runs on one host, who holds it, and how we know (S14). ``error`` is why its last rollout failed there,
    ``rev`` the newest revision of all this."""

    id: int
    service_id: int
    service: str
    language: str
    version_id: int
    version: str
    host_id: int
    hostname: str
    address: str
    port: int
    tag: str
    weight: int
    description: str
    status: InstanceStatus
    is_maintain: bool
    evidence: Evidence
    probe_by: str | None
    rev: int
    updated: datetime
    updated_by: str
    holder: Holder | None
    waits: Waiting | None
    error: str
    error_rollout_id: int | None
    error_step_id: int | None

    @property
    def locked(self) -> bool:
        """Derived from the claim, stored nowhere."""
        return self.holder is not None

    @property
    def asked(self) -> bool:
        """Whether a worker is to ask the host which version it runs; a rollout that holds it does so by itself."""
        return self.probe_by is not None and not self.locked

    @property
    def may_ask(self) -> bool:
        """Whether there is reason to have the host asked, and nobody has done so already."""
        return not self.locked and not self.asked and self.evidence is not Evidence.CONFIRMED

    @property
    def may_see(self) -> bool:
        """Whether a failed rollout is left on it that a person can say they have seen."""
        confirmed = self.evidence is Evidence.CONFIRMED
        return not self.locked and confirmed and (self.status, InstanceEvent.SEE) in INSTANCE


@dataclass(frozen=True)
class InstanceFilter:
    """Which instances of a service are wanted; None and "" mean any."""

    version_id: int | None = None
    locked: bool | None = None
    search: str = ""
    status: InstanceGroup | None = None
    labels: tuple[str, ...] = ()  # of the host; all of them must be there


def instance(instance_id: int) -> InstanceRow:
    """One instance. Raises NotFound."""
    found = db.session.get(Instance, instance_id)
    if found is None:
        raise no_such("instance", instance_id)
    return _row(*db.session.execute(_rows().where(Instance.id == instance_id)).one())


def instance_of(service_id: int, instance_id: int) -> InstanceRow:
    """One instance of this very service. Raises NotFound."""
    row = instance(instance_id)
    if row.service_id != service_id:
        raise no_such("instance", instance_id)
    return row


@cache  # to build it takes longer than to execute it
def _rows() -> Select[*tuple[Any, ...]]:
    target, failed = aliased(Version), aliased(Step)
    last_failed = (
        select(func.max(failed.id))
        .where(failed.instance_id == Instance.id, failed.state == StepState.FAILED)
        .correlate(Instance)
        .scalar_subquery()
    )
    query = (
        select(
            Instance,
            Service.name,
            Service.language,
            Version.label,
            Host.hostname,
            Host.address,
            Rollout.id,
            Rollout.created_by,
            Rollout.action,
            target.label,
            Rollout.created,
            Step.error,
            Step.rollout_id,
            Step.id,
            STEP_REV,
            *COLUMNS,
        )
        .join(Service, Service.id == Instance.service_id)
        .join(Version, Version.id == Instance.version_id)
        .join(Host, Host.id == Instance.host_id)
    )
    return (
        with_own_step(query)
        .outerjoin(target, target.id == Rollout.to_version_id)
        .outerjoin(Step, Step.id == last_failed)
        .order_by(Host.hostname, Instance.id)
    )


def _wanted(service_id: int, wanted: InstanceFilter) -> Select[int]:
    """The ids, without more tables than the filter needs: it goes over all of them, the page shows a few."""
    query = select(Instance.id).where(Instance.service_id == service_id)
    if wanted.version_id is not None:
        query = query.where(Instance.version_id == wanted.version_id)
    if wanted.locked is not None:
        query = query.where(Instance.rollout_id.is_not(None) if wanted.locked else Instance.rollout_id.is_(None))
    if wanted.status is not None:
        query = query.where(Instance.status.in_(wanted.status.members))
    for label in wanted.labels:
        query = query.where(Instance.host_id.in_(select(HostLabel.host_id).where(HostLabel.label == label)))
    if wanted.search:
        pattern = contains(wanted.search)
        named = select(Host.id).where(
            or_(*(column.ilike(pattern, escape="\\") for column in (Host.hostname, Host.address)))
        )
        labelled = select(Version.id).where(Version.service_id == service_id, Version.label.ilike(pattern, escape="\\"))
        tagged = Instance.tag.ilike(pattern, escape="\\")
        query = query.where(or_(Instance.host_id.in_(named), Instance.version_id.in_(labelled), tagged))
    return query


def _row(
    one: Instance, service: str, language: str, version: str, hostname: str, address: str, *rest: Any
) -> InstanceRow:
    (rollout_id, *holder), (error, error_rollout_id, error_step_id, step_rev) = rest[:5], rest[5:9]
    failed = bool(error) and one.status.is_failed and rollout_id is None
    return InstanceRow(
        id=one.id,
        service_id=one.service_id,
        service=service,
        language=language,
        version_id=one.version_id,
        version=version,
        host_id=one.host_id,
        hostname=hostname,
        address=address,
        port=one.port,
        tag=one.tag,
        weight=one.weight,
        description=one.description,
        status=one.status,
        is_maintain=one.is_maintain,
        evidence=one.evidence,
        probe_by=one.probe_by,
        rev=max(one.rev, step_rev),
        updated=one.updated,
        updated_by=one.updated_by,
        holder=Holder(rollout_id, *holder) if rollout_id is not None else None,
        waits=read_waiting(*rest[9:]),
        error=error if failed else "",
        error_rollout_id=error_rollout_id if failed else None,
        error_step_id=error_step_id if failed else None,
    )


def instances(service_id: int, wanted: InstanceFilter, part: Slice) -> Page[InstanceRow]:
    """Instances of a service by hostname. Raises NotFound for an unknown service."""
    if db.session.get(Service, service_id) is None:
        raise no_such("service", service_id)
    ids = _wanted(service_id, wanted)
    count = count_of(ids)
    part = part.within(count)
    page = sliced(ids.join(Host, Host.id == Instance.host_id).order_by(Host.hostname, Instance.id), part)
    rows = db.session.execute(_rows().where(Instance.id.in_(page)))
    return Page(tuple(_row(*row) for row in rows), count, part)


def labels(service_id: int) -> list[str]:
    """The labels of the hosts on which a service runs, in order; some of them when there are very many."""
    query = select(HostLabel.label).join(Instance, Instance.host_id == HostLabel.host_id)
    query = query.where(Instance.service_id == service_id).distinct().order_by(HostLabel.label).limit(MOST_LABELS)
    return list(db.session.execute(query).scalars())


def locked_on(service_id: int, version_id: int, host_ids: Iterable[int]) -> dict[int, bool]:
    """Those of the hosts that run the version of the service, by id, and whether each is locked."""
    query = select(Instance.host_id, Instance.rollout_id.is_not(None).label("locked")).where(
        Instance.service_id == service_id,
        Instance.version_id == version_id,
        among(db.session(), Instance.host_id, host_ids),
    )
    return {row.host_id: row.locked for row in db.session.execute(query)}
