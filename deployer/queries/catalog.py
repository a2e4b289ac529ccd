"""What pages and the API show of services and versions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import lru_cache
from typing import Any

from sqlalchemy import ColumnElement, Select, case, func, or_, select

from deployer.domain.errors import Conflict, no_such
from deployer.domain.plan import Barrier, VersionSnapshot, check_target, is_ahead
from deployer.domain.recipe import Recipe, parse_recipe
from deployer.domain.status import Action, BuildStatus, Evidence, InstanceStatus
from deployer.extensions import db
from deployer.models import Instance, Service, Version, snapshots
from deployer.queries import rollouts
from deployer.queries.paging import Page, Slice, contains, paged, seen_of

FAILED = [status for status in InstanceStatus if status.is_failed]


@dataclass(frozen=True)
class RunningVersion:
    """A version and how many hosts it is recorded on."""

    id: int
    label: str
    hosts: int


@dataclass(frozen=True)
class ServiceRow:
    """A service at a glance. ``rev`` is the cursor a page shows it at."""

    id: int
    name: str
    language: str
    description: str
    build_orig: str
    build_url: str
    compare_url: str
    updated: datetime
    updated_by: str
    rev: int
    recipe: Recipe
    instances: int = 0
    locked: int = 0
    failed: int = 0
    unverified: int = 0
    running: tuple[RunningVersion, ...] = ()  # newest version first
    last: rollouts.RolloutRow | None = None
    under_way: tuple[rollouts.RolloutRow, ...] = ()  # newest first

    @property
    def waiting(self) -> int:
        """Those of the locked instances on which nothing happens yet."""
        return min(self.locked, sum(rollout.queued for rollout in self.under_way))

    @property
    def moving(self) -> int:
        """Those that are being worked on."""
        return self.locked - self.waiting


@dataclass(frozen=True)
class VersionRow:
    """A version of a service. ``hosts`` is how many instances are recorded on it."""

    id: int
    service_id: int
    service: str
    language: str
    label: str
    ref: str
    description: str
    status: BuildStatus
    artifact_url: str
    artifact_sha256: str | None
    irreversible: str
    created: datetime
    created_by: str
    rev: int
    hosts: int


@dataclass(frozen=True)
class Target:
    """A version in the dropdown. ``enable`` says whether the action would be accepted (S6, S7, S8), ``ahead`` whether
    it at least lies in the action's direction."""

    id: int
    label: str
    description: str
    enable: bool
    ahead: bool


class Standing(StrEnum):
    """What services are looked for by."""

    ATTENTION = "attention"  # a host failed or could not be verified
    MOVING = "moving"  # a rollout holds a host

    @property
    def sign(self) -> ColumnElement[bool]:
        """What one of its instances shows."""
        if self is Standing.MOVING:
            return Instance.rollout_id.is_not(None)
        return or_(Instance.status.in_(FAILED), Instance.evidence == Evidence.UNVERIFIED)


def services(
    part: Slice, search: str = "", standing: Standing | None = None, seen: frozenset[int] | None = None
) -> Page[ServiceRow]:
    """Services, newest first, of those that are ``seen`` (None: all), whose name contains ``search`` and that stand
    so."""
    query = seen_of(select(Service).order_by(Service.id.desc()), Service.id, seen)
    if standing is not None:
        query = query.where(Service.id.in_(select(Instance.service_id).where(standing.sign)))
    if search:
        query = query.where(Service.name.ilike(contains(search), escape="\\"))
    page = paged(query, part, lambda row: row)
    return Page(tuple(_at_a_glance(page.rows)), page.count, page.part)


def service(service_id: int) -> ServiceRow:
    """One service. Raises NotFound."""
    row = db.session.get(Service, service_id)
    if row is None:
        raise no_such("service", service_id)
    return _at_a_glance([row])[0]


def revision(service_id: int) -> int:
    """The service's cursor: all that an idle poll costs. Raises NotFound."""
    rev = db.session.execute(select(Service.rev).where(Service.id == service_id)).scalar_one_or_none()
    if rev is None:
        raise no_such("service", service_id)
    return rev


def overall_revision(seen: frozenset[int] | None = None) -> int:
    """A cursor over the services that are ``seen`` (None: all): it grows with every change that is committed to any of
    them, and with every new one."""
    query = seen_of(select(func.coalesce(func.sum(Service.rev + 1), 0)), Service.id, seen)
    return int(db.session.execute(query).scalar_one())


def _at_a_glance(rows: Sequence[Service]) -> list[ServiceRow]:
    ids = [row.id for row in rows]
    tallies: dict[int, tuple[int, int, int, int]] = {
        service_id: (count, locked, failed, unverified)
        for service_id, count, locked, failed, unverified in db.session.execute(
            select(
                Instance.service_id,
                func.count(),
                func.count(Instance.rollout_id),
                func.sum(case((Instance.status.in_(FAILED), 1), else_=0)),
                func.sum(case((Instance.evidence == Evidence.UNVERIFIED, 1), else_=0)),
            )
            .where(Instance.service_id.in_(ids))
            .group_by(Instance.service_id)
        )
    }
    running: dict[int, list[RunningVersion]] = {}
    for service_id, version_id, label, hosts in db.session.execute(
        select(Instance.service_id, Version.id, Version.label, func.count())
        .join(Version, Version.id == Instance.version_id)
        .where(Instance.service_id.in_(ids))
        .group_by(Instance.service_id, Version.id, Version.label)
        .order_by(Version.id.desc())
    ):
        running.setdefault(service_id, []).append(RunningVersion(version_id, label, hosts))
    last = rollouts.latest(ids)
    under_way = rollouts.under_way(ids)
    return [
        ServiceRow(
            row.id,
            row.name,
            row.language,
            row.description,
            row.build_orig,
            row.build_url,
            row.compare_url,
            row.updated,
            row.updated_by,
            row.rev,
            parse_recipe(row.recipe),
            *tallies.get(row.id, (0, 0, 0, 0)),
            tuple(running.get(row.id, ())),
            last.get(row.id),
            tuple(under_way.get(row.id, ())),
        )
        for row in rows
    ]


@lru_cache(200)  # to build it takes longer than to execute it
def _versions(service_id: int) -> Select[*tuple[Any, ...]]:
    hosts = (
        select(Instance.version_id, func.count().label("hosts"))
        .where(Instance.service_id == service_id)
        .group_by(Instance.version_id)
        .subquery()
    )
    return (
        select(
            Version.id,
            Version.service_id,
            Service.name,
            Service.language,
            Version.label,
            Version.ref,
            Version.description,
            Version.status,
            Version.artifact_url,
            Version.artifact_sha256,
            Version.irreversible,
            Version.created,
            Version.created_by,
            Version.rev,
            func.coalesce(hosts.c.hosts, 0),
        )
        .join(Service, Service.id == Version.service_id)
        .outerjoin(hosts, hosts.c.version_id == Version.id)
        .where(Version.service_id == service_id)
    )


def versions(service_id: int, part: Slice) -> Page[VersionRow]:
    """The versions of a service, newest first. Raises NotFound."""
    page = paged(_versions(service_id).order_by(Version.id.desc()), part, VersionRow)
    if not page.count:
        _must_exist(service_id)
    return page


def version(service_id: int, version_id: int) -> VersionRow:
    """One version of this very service. Raises NotFound."""
    row = db.session.execute(_versions(service_id).where(Version.id == version_id)).one_or_none()
    if row is None:
        _must_exist(service_id)
        raise no_such("version", version_id)
    return VersionRow(*row)


def targets(service_id: int, version_id: int, action: Action) -> list[Target]:
    """Every successfully built version of the service, newest first, each with ``enable`` (S7, S8). Raises NotFound."""
    of_service = db.session.get(Service, service_id)
    source = db.session.get(Version, version_id)
    if of_service is None:
        raise no_such("service", service_id)
    if source is None or source.service_id != service_id:
        raise no_such("version", version_id)
    recipe = parse_recipe(of_service.recipe)
    current = snapshots.version(source, recipe)
    query = (
        select(Version)
        .where(Version.service_id == service_id, Version.status == BuildStatus.SUCCESS)
        .order_by(Version.id.desc())
    )
    return [
        Target(
            target.id,
            target.label,
            target.description,
            enable=_is_accepted(action, current, snapshots.version(target, recipe)),
            ahead=is_ahead(action, version_id, target.id),
        )
        for target in db.session.execute(query).scalars()
    ]


def between(service_id: int, low: int, high: int) -> list[VersionRow]:
    """The successfully built versions of a service after ``low`` up to ``high``, newest first."""
    query = _versions(service_id).where(
        Version.id > low, Version.id <= high, or_(Version.status == BuildStatus.SUCCESS, Version.id == high)
    )
    return [VersionRow(*row) for row in db.session.execute(query.order_by(Version.id.desc()))]


def barriers(service_id: int) -> list[Barrier]:
    """The versions of a service that cannot be reverted past."""
    return snapshots.barriers(db.session(), service_id)


def has_artifact(sha256: str) -> bool:
    """Whether the artifact is some version's."""
    return db.session.execute(select(Version.id).where(Version.artifact_sha256 == sha256).limit(1)).first() is not None


def _is_accepted(action: Action, source: VersionSnapshot, target: VersionSnapshot) -> bool:
    try:
        check_target(action, source, target)
    except Conflict:
        return False
    return True


def _must_exist(service_id: int) -> None:
    if db.session.execute(select(Service.id).where(Service.id == service_id)).first() is None:
        raise no_such("service", service_id)
