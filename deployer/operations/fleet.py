"""Hosts and instances: add a machine, record what already runs on it."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from deployer.domain.access import Actor, Verb
from deployer.domain.errors import N_, Conflict, no_such
from deployer.domain.status import InstanceStatus, Reach
from deployer.models import Host, Instance, Service, Version, claims
from deployer.operations.catalog import taken
from deployer.operations.transaction import audit, transaction


@dataclass(frozen=True)
class NewHost:
    """A machine to add."""

    hostname: str
    address: str
    directory: str
    reach: Reach = Reach.LOCAL
    description: str = ""


@dataclass(frozen=True)
class NewInstance:
    """A service that already runs on a host, as a person says it does."""

    host_id: int
    version_id: int
    port: int
    tag: str = ""
    weight: int = 0
    description: str = ""
    is_maintain: bool = False


def add_host(new: NewHost, actor: Actor) -> int:
    """Add a host and return its id. Raises Conflict on ``hostname`` when it is taken."""
    actor.require(Verb.MANAGE)
    try:
        with transaction() as session:
            if session.execute(select(Host.id).where(Host.reach == new.reach, Host.directory == new.directory)).first():
                raise Conflict(
                    N_("Another host has this directory."),
                    N_("Two hosts in one directory would overwrite each other's services. Choose another directory."),
                    "directory",
                )
            host = Host(
                hostname=new.hostname,
                address=new.address,
                reach=new.reach,
                directory=new.directory,
                description=new.description,
                updated_by=actor.name,
            )
            session.add(host)
            session.flush()
            audit(actor.name, "add", "host", host.id, hostname=new.hostname, address=new.address)
            return host.id
    except IntegrityError:
        raise taken(N_("There is a host of this name already."), "hostname") from None


def record_instance(service_id: int, new: NewInstance, actor: Actor) -> int:
    """Record that the host runs this version of the service, and return the instance's id (S1).

    Raises NotFound for a service, host or version (another service's too) that is not there, and Conflict on
    ``host_id`` when the service is recorded on the host already.
    """
    actor.require(Verb.MANAGE)
    try:
        with transaction() as session:
            service = session.get(Service, service_id)
            if service is None:
                raise no_such("service", service_id)
            rev = claims.bump(session(), service_id, structure=True)
            host = session.get(Host, new.host_id)
            if host is None:
                raise no_such("host", new.host_id, "host_id")
            version = session.execute(
                select(Version).where(Version.service_id == service_id, Version.id == new.version_id)
            ).scalar_one_or_none()
            if version is None:
                raise no_such("version", new.version_id, "version_id")
            instance = Instance(
                service_id=service_id,
                host_id=host.id,
                version_id=version.id,
                port=new.port,
                tag=new.tag,
                weight=new.weight,
                description=new.description,
                is_maintain=new.is_maintain,
                status=InstanceStatus.RUNNING,
                rev=rev,
                updated_by=actor.name,
            )
            session.add(instance)
            session.flush()
            audit(
                actor.name,
                "record",
                "instance",
                instance.id,
                service=service.name,
                host=host.hostname,
                version=version.label,
            )
            return instance.id
    except IntegrityError:
        raise Conflict(
            N_("This service is recorded on this host already."),
            N_("A host runs at most one version of a service. Upgrade or revert the instance that is there."),
            "host_id",
        ) from None
