"""Instances: record what already runs on a machine."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from deployer.domain.access import Actor, Verb
from deployer.domain.errors import N_, Conflict, no_such
from deployer.domain.status import InstanceStatus
from deployer.models import Host, Instance, Service, Version, claims
from deployer.operations.hosts import NewHost, add_host
from deployer.operations.transaction import Of, audit, transaction

__all__ = ["NewHost", "NewInstance", "add_host", "record_instance"]


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


def record_instance(service_id: int, new: NewInstance, actor: Actor) -> int:
    """Record that the host runs this version of the service, and return the instance's id (S1).

    Raises NotFound for a service, host or version (another service's too) that is not there, and Conflict on
    ``host_id`` when the service is recorded on the host already.
    """
    actor.require(Verb.MANAGE_FLEET)  # what runs on a host is not the service's affair alone
    try:
        with transaction() as session:
            service = session.get(Service, service_id)
            if service is None:
                raise no_such("service", service_id)
            rev = claims.bump(session(), service_id)
            host = session.get(Host, new.host_id, with_for_update=True)  # nobody retires it meanwhile
            if host is None:
                raise no_such("host", new.host_id, "host_id")
            if host.retired is not None:
                raise Conflict(
                    N_("This host is retired."), N_("Bring it back first, or choose another host."), "host_id"
                )
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
                Of(service_id),
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
