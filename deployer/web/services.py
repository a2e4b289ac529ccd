"""Services: the list, one service live, add one."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from deployer.domain.access import Verb
from deployer.domain.errors import Refused
from deployer.operations import catalog as operations
from deployer.queries import catalog, fleet
from deployer.queries.catalog import ServiceRow
from deployer.queries.paging import Slice
from deployer.web import liveness
from deployer.web.asked import PER_PAGE, asked_instances, asked_search, asked_since, asked_slice, asked_standing
from deployer.web.auth import actor, needs
from deployer.web.forms.base import RefusedInput
from deployer.web.forms.catalog import ServiceForm, filled
from deployer.web.htmx import interval, show_again
from deployer.web.values import read_values

NEWEST = Slice(limit=12)  # versions beside the instances; version management has them all
ONE_BY_ONE = 300  # changed rows up to which each is sent alone; beyond, the whole list is cheaper

blueprint = Blueprint("services", __name__, url_prefix="/services")


@blueprint.get("")
@needs(Verb.VIEW)
def index() -> str:
    """The services, newest first."""
    search, standing = asked_search(), asked_standing()
    page = catalog.services(asked_slice(), search, standing)
    chosen = {"q": search, "state": standing.value if standing else ""}
    return render_template(
        "services/index.html",
        page=page,
        search=search,
        standing=chosen["state"],
        args={name: value for name, value in chosen.items() if value},
        alive=liveness.watched(any(row.under_way for row in page.rows))["alive"],
    )


@blueprint.get("/new")
@needs(Verb.MANAGE)
def new() -> str:
    """The form that adds a service."""
    return render_template("services/new.html", form=ServiceForm.of({}), problems=[], service=None)


@blueprint.post("")
@needs(Verb.MANAGE)
def add() -> Response | tuple[str, int]:
    """Add a service."""
    form = ServiceForm.of(request.form)
    try:
        form = ServiceForm.read(read_values(ServiceForm.field_names()))
        service_id = operations.add_service(form.new(), actor())
    except (Refused, RefusedInput) as problem:
        return show_again("services/new.html", form, problem, service=None)
    return redirect(url_for(".show", service_id=service_id), 303)


@blueprint.get("/<id:service_id>/edit")
@needs(Verb.MANAGE)
def edit(service_id: int) -> str:
    """The form that changes a service and its recipe."""
    service = catalog.service(service_id)
    return render_template("services/new.html", form=ServiceForm.of(filled(service)), problems=[], service=service)


@blueprint.post("/<id:service_id>/edit")
@needs(Verb.MANAGE)
def change(service_id: int) -> Response | tuple[str, int]:
    """Change a service and its recipe."""
    service = catalog.service(service_id)
    form = ServiceForm.of(request.form)
    try:
        form = ServiceForm.read(read_values(ServiceForm.field_names()))
        operations.change_service(service_id, form.new(), actor())
    except (Refused, RefusedInput) as problem:
        return show_again("services/new.html", form, problem, service=service)
    return redirect(url_for(".show", service_id=service_id), 303)


@blueprint.get("/<id:service_id>")
@needs(Verb.VIEW)
def show(service_id: int) -> str:
    """One service: facts, instances, versions, kept live by the poller."""
    service = catalog.service(service_id)
    return render_template("services/show.html", **_cursor(service), **_instances(service_id), **_versions(service_id))


@blueprint.get("/<id:service_id>/instances")
@needs(Verb.VIEW)
def instances(service_id: int) -> str:
    """The instances that match the filter, alone."""
    return render_template("services/_instances.html", **_instances(service_id))


@blueprint.get("/<id:service_id>/changes")
@needs(Verb.VIEW)
def changes(service_id: int) -> str | tuple[str, int]:
    """What changed after the revision ``since``: nothing (204), rows, or whole lists when rows came or went."""
    since = asked_since()
    rev, structure = catalog.revision(service_id)
    if rev == since and not liveness.has_changed():
        return "", 204
    service = catalog.service(service_id)
    changed = fleet.instances(service_id, fleet.InstanceFilter(since=since), Slice(limit=ONE_BY_ONE))
    # A cursor ahead of ours was handed out by a database that has been restored since.
    all_anew = structure > since or since > rev or changed.count > ONE_BY_ONE
    return render_template(
        "services/_changes.html",
        **_cursor(service),
        **(_instances(service_id) | _versions(service_id) if all_anew else {"page": None, "versions": None}),
        changed_instances=() if all_anew else changed.rows,
        changed_versions=() if all_anew else catalog.versions_since(service_id, since, NEWEST.limit),
    )


def _cursor(service: ServiceRow) -> dict[str, Any]:
    held = service.locked > 0
    return {"service": service, "every": interval(held), **liveness.watched(held)}


def _instances(service_id: int) -> dict[str, Any]:
    wanted = asked_instances()
    chosen = {"q": wanted.search, "version_id": wanted.version_id}
    args = {name: value for name, value in chosen.items() if value}
    if wanted.locked is not None:
        args["locked"] = int(wanted.locked)
    return {
        "service_id": service_id,
        "page": fleet.instances(service_id, wanted, asked_slice(PER_PAGE)),
        "wanted": wanted,
        "filter_args": args | {"service_id": service_id},
    }


def _versions(service_id: int) -> dict[str, Any]:
    return {"versions": catalog.versions(service_id, NEWEST)}
