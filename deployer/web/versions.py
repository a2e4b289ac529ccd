"""Versions of a service: manage them (S4), add one, record how a build ended."""

from __future__ import annotations

from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from deployer import artifacts
from deployer.domain.access import Verb
from deployer.domain.errors import Refused
from deployer.extensions import csrf
from deployer.operations import catalog as operations
from deployer.queries import catalog
from deployer.queries.catalog import VersionRow
from deployer.web.asked import asked_slice
from deployer.web.auth import actor, needs
from deployer.web.forms.base import RefusedInput
from deployer.web.forms.catalog import BuildForm, MarkForm, VersionForm
from deployer.web.htmx import show_again
from deployer.web.uploads import kept, sent_artifact
from deployer.web.values import read_values

PER_PAGE = 50

blueprint = Blueprint("versions", __name__, url_prefix="/services/<id:service_id>/versions")


@blueprint.get("")
@needs(Verb.VIEW)
def index(service_id: int) -> str:
    """Version management: every version, and from where an upgrade or a revert can start."""
    service = catalog.service(service_id)
    return render_template(
        "versions/index.html", service=service, page=catalog.versions(service_id, asked_slice(PER_PAGE))
    )


@blueprint.get("/new")
@needs(Verb.RECORD_BUILD)
def new(service_id: int) -> str:
    """The form that adds a version."""
    service = catalog.service(service_id)
    return render_template("versions/new.html", form=VersionForm.of({}), problems=[], service=service)


@blueprint.post("")
@csrf.exempt  # type: ignore[untyped-decorator]  # _admit_upload checks, once the body may be long
@needs(Verb.RECORD_BUILD)
def add(service_id: int) -> Response | tuple[str, int]:
    """Add a version."""
    _admit_upload()
    service = catalog.service(service_id)
    form = VersionForm.of(request.form)
    try:
        artifact = sent_artifact()
        form = VersionForm.read(read_values(VersionForm.field_names()), artifact.sha256 if artifact else None)
        with kept(artifact):
            operations.add_version(service_id, form.new(), actor())
    except (Refused, RefusedInput) as problem:
        return show_again("versions/new.html", form, problem, service=service)
    return redirect(url_for("services.show", service_id=service_id), 303)


@blueprint.get("/<id:version_id>/build")
@needs(Verb.RECORD_BUILD)
def edit_build(service_id: int, version_id: int) -> str:
    """The form that records how the build of a version stands."""
    version = catalog.version(service_id, version_id)
    form = BuildForm.of({"status": version.status.name.lower()})
    return render_template("versions/build.html", form=form, problems=[], version=version, mark=_marked(version))


@blueprint.post("/<id:version_id>/mark")
@needs(Verb.RECORD_BUILD)
def mark(service_id: int, version_id: int) -> Response | tuple[str, int]:
    """Say why a version cannot be reverted past, or that it can."""
    version = catalog.version(service_id, version_id)
    form = MarkForm.of(request.form)
    try:
        form = MarkForm.read(read_values(MarkForm.field_names()))
        operations.mark_version(service_id, version_id, form.irreversible.value, actor())
    except (Refused, RefusedInput) as problem:
        build = BuildForm.of({"status": version.status.name.lower()})
        return show_again("versions/build.html", form, problem, version=version, mark=form, build=build)
    return redirect(url_for("services.show", service_id=service_id), 303)


@blueprint.post("/<id:version_id>/build")
@csrf.exempt  # type: ignore[untyped-decorator]  # as above
@needs(Verb.RECORD_BUILD)
def record_build(service_id: int, version_id: int) -> Response | tuple[str, int]:
    """Record how the build of a version stands, and its artifact once there is one."""
    _admit_upload()
    version = catalog.version(service_id, version_id)
    form = BuildForm.of(request.form)
    try:
        artifact = sent_artifact()
        form = BuildForm.read(read_values(BuildForm.field_names()), artifact.sha256 if artifact else None)
        with kept(artifact):
            operations.record_build(service_id, version_id, form.build(), actor())
    except (Refused, RefusedInput) as problem:
        return show_again("versions/build.html", form, problem, version=version, mark=_marked(version))
    return redirect(url_for("services.show", service_id=service_id), 303)


def _marked(version: VersionRow) -> MarkForm:
    return MarkForm.of({"irreversible": version.irreversible})  # type: ignore[no-any-return]


def _admit_upload() -> None:
    """Raise the limit of the body to an artifact's before anything reads it, then check the token it carries."""
    request.max_content_length = artifacts.MAX_BYTES
    csrf.protect()
