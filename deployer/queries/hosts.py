"""What pages and the API show of hosts."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import Select, func, or_, select

from deployer.domain.errors import Note, no_such
from deployer.domain.facts import WARNED, CheckState, HostFacts, warnings
from deployer.domain.reach import Login
from deployer.domain.status import Evidence, InstanceStatus, Reach
from deployer.extensions import db
from deployer.models import CredentialRow, Host, HostKey, HostLabel, Instance, Service, Version
from deployer.models.columns import among
from deployer.queries.paging import Page, Slice, contains, paged
from deployer.queries.waiting import COLUMNS, Waiting, read_waiting, with_own_step

MOST_LABELS = 40  # offered to filter by: those of most hosts


@dataclass(frozen=True)
class HostRow:
    """A machine, how it is reached, what its last check found, and how much runs there."""

    id: int
    hostname: str
    address: str
    reach: Reach
    directory: str
    description: str
    login: Login
    credential: str | None
    retired: datetime | None
    check_by: str | None
    checked: datetime | None
    facts: HostFacts | None
    check_kind: str
    check_cause: str
    check_remedy: str
    created: datetime
    updated: datetime
    updated_by: str
    instances: int
    approved_keys: int
    offered_keys: int
    labels: tuple[str, ...] = ()

    @property
    def state(self) -> CheckState:
        """How the last check ended."""
        return CheckState.of(self.checked, self.check_kind)

    @property
    def warnings(self) -> list[Note]:
        """What its last check found that should be mended."""
        return warnings(self.facts) if self.facts and self.check_kind == WARNED else []

    @property
    def key_changed(self) -> bool:
        """Whether it has shown another key than the approved one."""
        return bool(self.approved_keys and self.offered_keys)


@dataclass(frozen=True)
class HostFilter:
    """Which hosts are wanted; None and "" mean any. ``state`` PROBLEM includes those with warnings."""

    search: str = ""
    labels: tuple[str, ...] = ()
    state: CheckState | None = None
    retired: bool = False
    without: int | None = None  # a service that does not run there


@dataclass(frozen=True)
class HostInstance:
    """A service on a host."""

    id: int
    service_id: int
    service: str
    version: str
    port: int
    status: InstanceStatus
    evidence: Evidence
    rollout_id: int | None
    waits: Waiting | None


@dataclass(frozen=True)
class HostKeyRow:
    """A key that a host has shown."""

    key: str
    fingerprint: str
    seen: datetime
    approved: datetime | None
    approved_by: str

    @property
    def kind(self) -> str:
        """Its type, such as ssh-ed25519."""
        return self.key.partition(" ")[0]

    @property
    def file(self) -> str:
        """The word for it in the name of its file on the host."""
        return next((word for word in ("ed25519", "ecdsa", "rsa") if word in self.kind), "ed25519")


@cache
def _hosts() -> Select[*tuple[Any, ...]]:
    tally = select(Instance.host_id, func.count().label("instances")).group_by(Instance.host_id).subquery()
    keys = (
        select(HostKey.host_id, func.count(HostKey.approved).label("approved"), func.count().label("every"))
        .group_by(HostKey.host_id)
        .subquery()
    )
    return (
        select(
            Host,
            CredentialRow.name,
            func.coalesce(tally.c.instances, 0),
            func.coalesce(keys.c.approved, 0),
            func.coalesce(keys.c.every - keys.c.approved, 0),
        )
        .outerjoin(tally, tally.c.host_id == Host.id)
        .outerjoin(keys, keys.c.host_id == Host.id)
        .outerjoin(CredentialRow, CredentialRow.id == Host.credential_id)
        .order_by(Host.hostname)
    )


def _row(one: Host, credential: str | None, instances: int, approved: int, offered: int) -> HostRow:
    return HostRow(
        id=one.id,
        hostname=one.hostname,
        address=one.address,
        reach=one.reach,
        directory=one.directory,
        description=one.description,
        login=Login(one.ssh_user, one.ssh_port, one.jump),
        credential=credential,
        retired=one.retired,
        check_by=one.check_by,
        checked=one.checked,
        facts=HostFacts.load(one.facts) if one.facts else None,
        check_kind=one.check_kind,
        check_cause=one.check_cause,
        check_remedy=one.check_remedy,
        created=one.created,
        updated=one.updated,
        updated_by=one.updated_by,
        instances=instances,
        approved_keys=approved,
        offered_keys=offered,
    )


def hosts(part: Slice, wanted: HostFilter | None = None) -> Page[HostRow]:
    """Hosts by name. A search looks at names, addresses and descriptions; all of the labels must be there."""
    wanted = wanted or HostFilter()
    query = _hosts().where(Host.retired.is_not(None) if wanted.retired else Host.retired.is_(None))
    if wanted.search:
        pattern = contains(wanted.search)
        columns = (Host.hostname, Host.address, Host.description)
        query = query.where(or_(*(column.ilike(pattern, escape="\\") for column in columns)))
    for label in wanted.labels:
        query = query.where(Host.id.in_(select(HostLabel.host_id).where(HostLabel.label == label)))
    if wanted.state is CheckState.NEVER:
        query = query.where(Host.checked.is_(None))
    elif wanted.state is CheckState.OK:
        query = query.where(Host.checked.is_not(None), Host.check_kind == "")
    elif wanted.state is not None:
        query = query.where(Host.checked.is_not(None), Host.check_kind != "")
    if wanted.without is not None:
        query = query.where(Host.id.not_in(select(Instance.host_id).where(Instance.service_id == wanted.without)))
    page = paged(query, part, _row)
    return replace(page, rows=_with_labels(page.rows))


def host(host_id: int) -> HostRow:
    """One host, retired or not. Raises NotFound."""
    row = db.session.execute(_hosts().where(Host.id == host_id)).one_or_none()
    if row is None:
        raise no_such("host", host_id)
    return _with_labels((_row(*row),))[0]


def by_name() -> dict[str, HostRow]:
    """Every host, retired or not, by its name."""
    rows = tuple(_row(*row) for row in db.session.execute(_hosts()))
    return {row.hostname: row for row in _with_labels(rows)}


def labels(*, retired: bool = False) -> list[tuple[str, int]]:
    """The labels that hosts have and how many have each, by label; those of most hosts when there are very many."""
    of_use = Host.retired.is_not(None) if retired else Host.retired.is_(None)
    rows = db.session.execute(
        select(HostLabel.label, func.count())
        .join(Host, Host.id == HostLabel.host_id)
        .where(of_use)
        .group_by(HostLabel.label)
        .order_by(func.count().desc(), HostLabel.label)
        .limit(MOST_LABELS)
    )
    return sorted((label, count) for label, count in rows)


def instances(host_id: int) -> list[HostInstance]:
    """What runs on a host, by service."""
    query = (
        select(
            Instance.id,
            Service.id,
            Service.name,
            Version.label,
            Instance.port,
            Instance.status,
            Instance.evidence,
            Instance.rollout_id,
            *COLUMNS,
        )
        .join(Service, Service.id == Instance.service_id)
        .join(Version, Version.id == Instance.version_id)
        .where(Instance.host_id == host_id)
        .order_by(Service.name)
    )
    rows = db.session.execute(with_own_step(query))
    own = -len(COLUMNS)
    return [HostInstance(*(*row[:own], read_waiting(*row[own:]))) for row in rows]


def keys(host_id: int) -> list[HostKeyRow]:
    """The keys that a host has shown: those that wait for approval first, the newest first."""
    rows = db.session.execute(
        select(HostKey.key, HostKey.fingerprint, HostKey.seen, HostKey.approved, HostKey.approved_by)
        .where(HostKey.host_id == host_id)
        .order_by(HostKey.approved.is_not(None), HostKey.seen.desc(), HostKey.id)
    )
    return [HostKeyRow(*row) for row in rows]


def _with_labels(rows: tuple[HostRow, ...]) -> tuple[HostRow, ...]:
    found: dict[int, tuple[str, ...]] = {}
    query = (
        select(HostLabel.host_id, HostLabel.label)
        .where(among(db.session(), HostLabel.host_id, [row.id for row in rows]))
        .order_by(HostLabel.label)
    )
    for host_id, label in db.session.execute(query) if rows else ():
        found[host_id] = (*found.get(host_id, ()), label)
    return tuple(replace(row, labels=found.get(row.id, ())) for row in rows)
