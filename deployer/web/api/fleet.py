"""Instances over JSON."""

from __future__ import annotations

from typing import Any

from flask import Blueprint
from werkzeug.wrappers import Response

from deployer.domain.access import Verb
from deployer.domain.status import Evidence, InstanceStatus
from deployer.operations import fleet as operations
from deployer.operations import probes
from deployer.operations.seen import see
from deployer.queries import catalog, fleet
from deployer.web.api.calls import call
from deployer.web.api.envelope import LIST, answer, listed, read_slice, when
from deployer.web.api.schema import ID, MOMENT, TEXT, WHOLE, YES_NO, many, maybe, thing, words
from deployer.web.auth import actor, needs
from deployer.web.forms.fleet import InstanceForm
from deployer.web.parameters import read_flag, read_id
from deployer.web.values import read_values


def routes(api: Blueprint) -> None:
    """Add the calls to the blueprint."""
    api.get("/services/<id:service_id>/instances")(_instances)
    api.post("/services/<id:service_id>/instances")(_record_instance)
    api.post("/services/<id:service_id>/instances/<id:instance_id>/probe")(_probe)
    api.post("/services/<id:service_id>/instances/<id:instance_id>/seen")(_seen)


INSTANCE = thing(
    "Instance",
    id=ID,
    name=TEXT,
    language=TEXT,
    version=TEXT,
    version_id=ID,
    host=TEXT,
    host_id=ID,
    port=WHOLE,
    tag=TEXT,
    weight=WHOLE,
    description=TEXT,
    status=words(InstanceStatus),
    status_str=words(status.name.lower() for status in InstanceStatus),
    locked=YES_NO,
    locked_by=maybe(TEXT),
    is_maintain=YES_NO,
    updated_by=TEXT,
    updated=MOMENT,
    evidence=words(Evidence),
    probe_by=maybe(TEXT),
)


def instance_json(row: fleet.InstanceRow) -> dict[str, Any]:
    """An instance on the wire; ``evidence`` says how its version is known."""
    return {
        "id": row.id,
        "name": row.service,
        "language": row.language,
        "version": row.version,
        "version_id": row.version_id,
        "host": f"{row.hostname}:{row.address}",
        "host_id": row.host_id,
        "port": row.port,
        "tag": row.tag,
        "weight": row.weight,
        "description": row.description,
        "status": row.status.value,
        "status_str": row.status.name.lower(),
        "locked": row.locked,
        "locked_by": row.holder.by if row.holder else None,
        "is_maintain": row.is_maintain,
        "updated_by": row.updated_by,
        "updated": when(row.updated),
        "evidence": row.evidence.value,
        "probe_by": row.probe_by,
    }


@needs(Verb.VIEW)
@call("What runs where", many(INSTANCE), asks=(*LIST, "version_id", "locked"))
def _instances(service_id: int) -> Response:
    wanted = fleet.InstanceFilter(version_id=read_id("version_id"), locked=read_flag("locked"))
    if wanted.version_id is not None:
        catalog.version(service_id, wanted.version_id)  # another service's version is not an empty list, it is an error
    return listed(fleet.instances(service_id, wanted, read_slice()), instance_json)


@needs(Verb.MANAGE_FLEET)
@call("Record an instance that runs already", INSTANCE, 201, takes=InstanceForm)
def _record_instance(service_id: int) -> Response:
    catalog.service(service_id)
    form = InstanceForm.read(read_values(InstanceForm.field_names()))
    instance_id = operations.record_instance(service_id, form.new(), actor())
    return answer(instance_json(fleet.instance(instance_id)), status=201)


@needs(Verb.ROLL_OUT)
@call("Have a worker ask the host which version runs there; `evidence` tells the answer", INSTANCE, 202)
def _probe(service_id: int, instance_id: int) -> Response:
    fleet.instance_of(service_id, instance_id)
    probes.ask(instance_id, actor())
    return answer(instance_json(fleet.instance(instance_id)), status=202)


@needs(Verb.ROLL_OUT)
@call("Mark as seen that a rollout failed there, once its version is confirmed", INSTANCE)
def _seen(service_id: int, instance_id: int) -> Response:
    fleet.instance_of(service_id, instance_id)
    see(instance_id, actor())
    return answer(instance_json(fleet.instance(instance_id)))
