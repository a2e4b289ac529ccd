"""Services: the list, one service live, add one."""

from __future__ import annotations

from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from deployer.domain.access import Verb
from deployer.domain.errors import Refused
from deployer.operations import catalog as operations
from deployer.queries import catalog
from deployer.web.asked import PER_PAGE, asked_instances, asked_search, asked_slice, asked_standing
from deployer.web.auth import actor, needs
from deployer.web.forms.base import RefusedInput
from deployer.web.forms.catalog import ServiceForm, filled
from deployer.web.htmx import show_again
from deployer.web.live.answers import Answer, answer, page
from deployer.web.values import read_values
from deployer.web.views import services as views

blueprint = Blueprint("services", __name__, url_prefix="/services")


@blueprint.get("")
@needs(None)
def index() -> str:
    """The services that the reader sees, newest first."""
    view = views.services(asked_search(), asked_standing(), asked_slice(), actor().sees)
    return page("services/index.html", view)


@blueprint.get("/changes")
@needs(None, polls=True)
def index_changes() -> Answer:
    """What is different in the list."""
    search, standing, part, seen = asked_search(), asked_standing(), asked_slice(), actor().sees
    return answer(
        ("services", search, standing, part, seen),
        lambda: catalog.overall_revision(seen),
        lambda: views.services(search, standing, part, seen),
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
    return page("services/show.html", views.service(service_id, asked_instances(), asked_slice(PER_PAGE)))


@blueprint.get("/<id:service_id>/instances")
@needs(Verb.VIEW)
def instances(service_id: int) -> str:
    """The instances that match the filter, alone."""
    found = views.instances(service_id, asked_instances(), asked_slice(PER_PAGE))
    return render_template("services/_instances.html", **found)


@blueprint.get("/<id:service_id>/changes")
@needs(Verb.VIEW, polls=True)
def changes(service_id: int) -> Answer:
    """What is different from what the page shows: nothing (204), regions and rows, or lists when rows came or went."""
    wanted, part = asked_instances(), asked_slice(PER_PAGE)
    return answer(
        ("service", service_id, wanted, part),
        lambda: catalog.revision(service_id),
        lambda: views.service(service_id, wanted, part),
    )
