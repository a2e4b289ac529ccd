"""Services and versions over JSON."""

from __future__ import annotations

from typing import Any

from flask import Blueprint
from werkzeug.wrappers import Response

from deployer.domain.access import Verb
from deployer.domain.recipe import dump_recipe
from deployer.operations import catalog as operations
from deployer.queries import catalog
from deployer.web.api.envelope import answer, listed, read_slice, when
from deployer.web.auth import actor, needs
from deployer.web.forms.catalog import BuildForm, MarkForm, ServiceForm, VersionForm
from deployer.web.parameters import only
from deployer.web.uploads import kept, sent_artifact
from deployer.web.values import read_values


def routes(api: Blueprint) -> None:
    """Add the calls to the blueprint."""
    api.get("/services")(_services)
    api.post("/services")(_add_service)
    api.get("/services/<id:service_id>")(_service)
    api.post("/services/<id:service_id>")(_change_service)
    api.get("/services/<id:service_id>/versions")(_versions)
    api.post("/services/<id:service_id>/versions")(_add_version)
    api.get("/services/<id:service_id>/versions/<id:version_id>")(_version)
    api.post("/services/<id:service_id>/versions/<id:version_id>/build")(_record_build)
    api.post("/services/<id:service_id>/versions/<id:version_id>/mark")(_mark)


def service_json(row: catalog.ServiceRow) -> dict[str, Any]:
    """A service on the wire."""
    return {
        "id": row.id,
        "name": row.name,
        "language": row.language,
        "description": row.description,
        "build_orig": row.build_orig,
        "build_url": row.build_url,
        "compare_url": row.compare_url,
        "instances": row.instances,
        "updated_by": row.updated_by,
        "updated": when(row.updated),
    }


def version_json(row: catalog.VersionRow) -> dict[str, Any]:
    """A version on the wire."""
    return {
        "id": row.id,
        "name": row.service,
        "language": row.language,
        "description": row.description,
        "version": row.label,
        "ref": row.ref,
        "status": row.status.value,
        "status_str": row.status.name.lower(),
        "irreversible": row.irreversible,
        "created_by": row.created_by,
        "created": when(row.created),
    }


@needs(None)
def _services() -> Response:
    only("page", "limit")
    return listed(catalog.services(read_slice(), seen=actor().sees), service_json)


@needs(Verb.VIEW)
def _service(service_id: int) -> Response:
    only()
    row = catalog.service(service_id)
    return answer(service_json(row) | {"recipe": dump_recipe(row.recipe)})


@needs(Verb.MANAGE)
def _add_service() -> Response:
    form = ServiceForm.read(read_values(ServiceForm.field_names()))
    service_id = operations.add_service(form.new(), actor())
    return answer(service_json(catalog.service(service_id)), status=201)


@needs(Verb.MANAGE)
def _change_service(service_id: int) -> Response:
    catalog.service(service_id)
    form = ServiceForm.read(read_values(ServiceForm.field_names()))
    operations.change_service(service_id, form.new(), actor())
    return answer(service_json(catalog.service(service_id)))


@needs(Verb.VIEW)
def _versions(service_id: int) -> Response:
    only("page", "limit")
    return listed(catalog.versions(service_id, read_slice()), version_json)


@needs(Verb.VIEW)
def _version(service_id: int, version_id: int) -> Response:
    only()
    row = catalog.version(service_id, version_id)
    return answer(version_json(row) | {"artifact_url": row.artifact_url, "sha256": row.artifact_sha256})


@needs(Verb.RECORD_BUILD)
def _add_version(service_id: int) -> Response:
    catalog.service(service_id)
    artifact = sent_artifact()
    form = VersionForm.read(read_values(VersionForm.field_names()), artifact.sha256 if artifact else None)
    with kept(artifact):
        version_id = operations.add_version(service_id, form.new(), actor())
    return answer(version_json(catalog.version(service_id, version_id)), status=201)


@needs(Verb.RECORD_BUILD)
def _record_build(service_id: int, version_id: int) -> Response:
    catalog.version(service_id, version_id)
    artifact = sent_artifact()
    form = BuildForm.read(read_values(BuildForm.field_names()), artifact.sha256 if artifact else None)
    with kept(artifact):
        operations.record_build(service_id, version_id, form.build(), actor())
    return answer(version_json(catalog.version(service_id, version_id)))


@needs(Verb.RECORD_BUILD)
def _mark(service_id: int, version_id: int) -> Response:
    catalog.version(service_id, version_id)
    form = MarkForm.read(read_values(MarkForm.field_names()))
    operations.mark_version(service_id, version_id, form.irreversible.value, actor())
    return answer(version_json(catalog.version(service_id, version_id)))
