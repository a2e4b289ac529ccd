"""Services and versions: add them, and record how a build ended."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from deployer.domain.access import Actor, Verb
from deployer.domain.errors import N_, Conflict, no_such
from deployer.domain.recipe import Recipe, dump_recipe
from deployer.domain.status import BuildStatus
from deployer.extensions import db
from deployer.models import Instance, Service, Version, claims
from deployer.models.columns import utc_now
from deployer.operations.transaction import Of, audit, transaction


@dataclass(frozen=True)
class NewService:
    """A service to add; every text has been read by ``domain.names`` and the recipe by ``domain.recipe``."""

    name: str
    recipe: Recipe
    language: str = ""
    description: str = ""
    build_orig: str = ""
    build_url: str = ""
    compare_url: str = ""


@dataclass(frozen=True)
class Build:
    """How a build stands: its status and, once there is one, its artifact."""

    status: BuildStatus
    artifact_url: str = ""
    artifact_sha256: str | None = None


@dataclass(frozen=True)
class NewVersion:
    """A version to add to a service."""

    label: str
    build: Build
    ref: str = ""
    description: str = ""
    irreversible: str = ""


def add_service(new: NewService, actor: Actor) -> int:
    """Add a service and return its id. Raises Conflict on ``name`` when it is taken."""
    actor.require(Verb.MANAGE)
    try:
        with transaction() as session:
            service = Service(
                name=new.name,
                language=new.language,
                description=new.description,
                build_orig=new.build_orig,
                build_url=new.build_url,
                compare_url=new.compare_url,
                recipe=dump_recipe(new.recipe),
                updated_by=actor.name,
            )
            session.add(service)
            session.flush()
            audit(
                actor.name,
                "add",
                "service",
                service.id,
                Of(service.id),
                name=new.name,
                recipe=service.recipe,
            )
            return service.id
    except IntegrityError:
        raise taken(N_("There is a service of this name already."), "name") from None


def change_service(service_id: int, new: NewService, actor: Actor) -> None:
    """Change what a service is and how it is deployed. Raises NotFound, and Conflict when its name would change or when
    a rollout is under way: its hosts must all be done by one recipe."""
    actor.require(Verb.MANAGE, service_id)
    with transaction() as session:
        service = session.get(Service, service_id)
        if service is None:
            raise no_such("service", service_id)
        service.rev = claims.bump(session(), service_id)
        if new.name != service.name:
            raise Conflict(
                N_("A service keeps its name."),
                N_("Its directory on the hosts is named after it. Add a new service instead."),
                "name",
            )
        if session.execute(
            select(Instance.id).where(Instance.service_id == service_id, Instance.rollout_id.is_not(None))
        ).first():
            raise Conflict(
                N_("A rollout of this service is under way."), N_("Wait until it has ended, then change the service.")
            )
        before = _described(service)
        service.language = new.language
        service.description = new.description
        service.build_orig = new.build_orig
        service.build_url = new.build_url
        service.compare_url = new.compare_url
        service.recipe = dump_recipe(new.recipe)
        service.updated = utc_now()
        service.updated_by = actor.name
        after = _described(service)
        changes = {
            name: [before.get(name), after.get(name)] for name in before | after if before.get(name) != after.get(name)
        }
        facts = {"service": service.name, "changes": changes}
        audit(actor.name, "change", "service", service.id, Of(service.id), **facts)


def add_version(service_id: int, new: NewVersion, actor: Actor) -> int:
    """Add a version and return its id. Raises NotFound, or Conflict on ``version`` when the label is taken."""
    actor.require(Verb.RECORD_BUILD, service_id)
    try:
        with transaction() as session:
            service = session.get(Service, service_id)
            if service is None:
                raise no_such("service", service_id)
            rev = claims.bump(session(), service_id)
            version = Version(
                service_id=service_id,
                label=new.label,
                ref=new.ref,
                description=new.description,
                irreversible=new.irreversible,
                rev=rev,
                created_by=actor.name,
                **_columns(new.build),
            )
            session.add(version)
            session.flush()
            named = {"service": service.name, "version": new.label}
            audit(actor.name, "add", "version", version.id, Of(service_id), **named, **_facts(new.build))
            return version.id
    except IntegrityError:
        raise taken(N_("This service has a version of this name already."), "version") from None


def record_build(service_id: int, version_id: int, build: Build, actor: Actor) -> None:
    """Record how the build of a version ended. Raises NotFound, or Conflict when it would swap a known artifact.

    An artifact never changes under its label: what ran yesterday as 1.2 must be what runs tomorrow as 1.2.
    """
    actor.require(Verb.RECORD_BUILD, service_id)
    with transaction():
        service, version, rev = _locked(service_id, version_id)
        known, sent = version.artifact_sha256, build.artifact_sha256
        if known is not None and sent is not None and known != sent:
            raise Conflict(
                N_("This version has another artifact already."),
                N_("An artifact never changes under its version. Add a new version for the new build."),
                "sha256",
            )
        before = _facts(Build(version.status, version.artifact_url, known))
        version.status = build.status
        if sent is not None:
            version.artifact_sha256 = sent
            version.artifact_url = build.artifact_url
        version.rev = rev
        version.updated = utc_now()
        changes = {name: [value, _facts(build)[name]] for name, value in before.items() if value != _facts(build)[name]}
        named = {"service": service.name, "version": version.label}
        audit(actor.name, "record_build", "version", version.id, Of(service_id), **named, changes=changes)


def mark_version(service_id: int, version_id: int, irreversible: str, actor: Actor) -> None:
    """Say why a version cannot be reverted past, or with "" that it can. Raises NotFound."""
    actor.require(Verb.RECORD_BUILD, service_id)
    with transaction():
        service, version, rev = _locked(service_id, version_id)
        changes = {"irreversible": [version.irreversible, irreversible]}
        version.irreversible = irreversible
        version.rev = rev
        version.updated = utc_now()
        named = {"service": service.name, "version": version.label}
        audit(actor.name, "mark", "version", version.id, Of(service_id), **named, changes=changes)


def _locked(service_id: int, version_id: int) -> tuple[Service, Version, int]:
    """The service and its version as they are now and stay until the commit, and the revision of this transaction.
    Raises NotFound."""
    session = db.session()
    service = session.get(Service, service_id)
    rev = claims.bump(session, service_id) if service else 0
    version = session.execute(
        select(Version).where(Version.service_id == service_id, Version.id == version_id)
    ).scalar_one_or_none()
    if service is None or version is None:
        raise no_such("version", version_id)
    return service, version, rev


def _described(service: Service) -> dict[str, Any]:
    told = ("language", "description", "build_orig", "build_url", "compare_url")
    return {name: getattr(service, name) for name in told} | {
        name: shlex.join(value) if isinstance(value, list) else value for name, value in service.recipe.items()
    }


def taken(message: str, field: str) -> Conflict:
    """The refusal of a name that something else has."""
    return Conflict(message, N_("Choose another name."), field)


def _columns(build: Build) -> dict[str, Any]:
    return {
        "status": build.status,
        "artifact_url": build.artifact_url,
        "artifact_sha256": build.artifact_sha256,
    }


def _facts(build: Build) -> dict[str, Any]:
    return _columns(build) | {"status": build.status.name.lower()}
