"""Services and versions over JSON."""

from __future__ import annotations

from typing import Any, get_args

from flask import Blueprint
from werkzeug.wrappers import Response

from deployer.domain.access import Verb
from deployer.domain.recipe import HealthKind, ProbeKind, RecipeKind, dump_recipe
from deployer.domain.status import BuildStatus
from deployer.operations import catalog as operations
from deployer.queries import catalog
from deployer.web.api.calls import call
from deployer.web.api.envelope import LIST, answer, listed, read_slice, when
from deployer.web.api.schema import ID, MOMENT, NUMBER, TEXT, WHOLE, many, maybe, more, thing, words
from deployer.web.auth import actor, needs
from deployer.web.forms.catalog import BuildForm, MarkForm, ServiceForm, VersionForm
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


SERVICE = thing(
    "Service",
    id=ID,
    name=TEXT,
    language=TEXT,
    description=TEXT,
    build_orig=TEXT,
    build_url=TEXT,
    compare_url=TEXT,
    instances=WHOLE,
    updated_by=TEXT,
    updated=MOMENT,
)
RECIPE = thing(
    "Recipe",
    ("restart", "deploy", "keep", "health_path", "health_command", "probe_path", "probe_command"),
    kind=words(get_args(RecipeKind)),
    restart=many(TEXT),
    deploy=many(TEXT),
    timeout=NUMBER,
    keep=WHOLE,
    health=words(get_args(HealthKind)),
    health_path=TEXT,
    health_command=many(TEXT),
    health_timeout=NUMBER,
    probe=words(get_args(ProbeKind)),
    probe_path=TEXT,
    probe_command=many(TEXT),
)
VERSION = thing(
    "Version",
    id=ID,
    name=TEXT,
    language=TEXT,
    description=TEXT,
    version=TEXT,
    ref=TEXT,
    status=words(BuildStatus),
    status_str=words(status.name.lower() for status in BuildStatus),
    irreversible=TEXT,
    created_by=TEXT,
    created=MOMENT,
)


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
@call("The services that you see, newest first", many(SERVICE), asks=LIST)
def _services() -> Response:
    return listed(catalog.services(read_slice(), seen=actor().sees), service_json)


@needs(Verb.VIEW)
@call("A service, with its recipe", more(SERVICE, "ServiceWithRecipe", recipe=RECIPE))
def _service(service_id: int) -> Response:
    row = catalog.service(service_id)
    return answer(service_json(row) | {"recipe": dump_recipe(row.recipe)})


@needs(Verb.MANAGE)
@call("Add a service and its recipe", SERVICE, 201, takes=ServiceForm)
def _add_service() -> Response:
    form = ServiceForm.read(read_values(ServiceForm.field_names()))
    service_id = operations.add_service(form.new(), actor())
    return answer(service_json(catalog.service(service_id)), status=201)


@needs(Verb.MANAGE)
@call("Change its recipe and description: all fields as for adding it; its name stays", SERVICE, takes=ServiceForm)
def _change_service(service_id: int) -> Response:
    catalog.service(service_id)
    form = ServiceForm.read(read_values(ServiceForm.field_names()))
    operations.change_service(service_id, form.new(), actor())
    return answer(service_json(catalog.service(service_id)))


@needs(Verb.VIEW)
@call("The versions of a service, newest first", many(VERSION), asks=LIST)
def _versions(service_id: int) -> Response:
    return listed(catalog.versions(service_id, read_slice()), version_json)


@needs(Verb.VIEW)
@call("A version, with its artifact", more(VERSION, "VersionWithArtifact", artifact_url=TEXT, sha256=maybe(TEXT)))
def _version(service_id: int, version_id: int) -> Response:
    row = catalog.version(service_id, version_id)
    return answer(version_json(row) | {"artifact_url": row.artifact_url, "sha256": row.artifact_sha256})


@needs(Verb.RECORD_BUILD)
@call("Add a version", VERSION, 201, takes=VersionForm, file="artifact")
def _add_version(service_id: int) -> Response:
    catalog.service(service_id)
    artifact = sent_artifact()
    form = VersionForm.read(read_values(VersionForm.field_names()), artifact.sha256 if artifact else None)
    with kept(artifact):
        version_id = operations.add_version(service_id, form.new(), actor())
    return answer(version_json(catalog.version(service_id, version_id)), status=201)


@needs(Verb.RECORD_BUILD)
@call("Record how the build of a version stands", VERSION, takes=BuildForm, file="artifact")
def _record_build(service_id: int, version_id: int) -> Response:
    catalog.version(service_id, version_id)
    artifact = sent_artifact()
    form = BuildForm.read(read_values(BuildForm.field_names()), artifact.sha256 if artifact else None)
    with kept(artifact):
        operations.record_build(service_id, version_id, form.build(), actor())
    return answer(version_json(catalog.version(service_id, version_id)))


@needs(Verb.RECORD_BUILD)
@call("Say why hosts cannot go back past a version; with nothing, that they can", VERSION, takes=MarkForm)
def _mark(service_id: int, version_id: int) -> Response:
    catalog.version(service_id, version_id)
    form = MarkForm.read(read_values(MarkForm.field_names()))
    operations.mark_version(service_id, version_id, form.irreversible.value, actor())
    return answer(version_json(catalog.version(service_id, version_id)))
