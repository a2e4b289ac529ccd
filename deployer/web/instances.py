"""Instances: record one that runs already, ask a host what it runs, mark a failure as seen."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from deployer.domain.access import Verb
from deployer.domain.errors import Refused
from deployer.operations import fleet as operations
from deployer.operations import probes
from deployer.operations.seen import see
from deployer.queries import catalog, fleet
from deployer.queries import hosts as host_queries
from deployer.queries.paging import MAX_LIMIT, Slice
from deployer.web.auth import actor, needs
from deployer.web.forms.base import RefusedInput
from deployer.web.forms.fleet import InstanceForm
from deployer.web.htmx import closed_dialog, show_again
from deployer.web.values import read_values

LISTED = Slice(limit=MAX_LIMIT)  # hosts and versions to choose from

blueprint = Blueprint("instances", __name__, url_prefix="/services/<id:service_id>/instances")


@blueprint.get("/new")
@needs(Verb.MANAGE_FLEET)
def new(service_id: int) -> str:
    """The form that records an instance."""
    return render_template("instances/new.html", form=InstanceForm.of({}), problems=[], **_choices(service_id))


@blueprint.post("")
@needs(Verb.MANAGE_FLEET)
def record(service_id: int) -> Response | tuple[str, int]:
    """Record an instance."""
    choices = _choices(service_id)
    form = InstanceForm.of(request.form)
    try:
        form = InstanceForm.read(read_values(InstanceForm.field_names()))
        operations.record_instance(service_id, form.new(), actor())
    except (Refused, RefusedInput) as problem:
        return show_again("instances/new.html", form, problem, **choices)
    return redirect(url_for("services.show", service_id=service_id), 303)


@blueprint.post("/<id:instance_id>/probe")
@needs(Verb.ROLL_OUT)
def probe(service_id: int, instance_id: int) -> Response:
    """Ask the host which version it runs; the answer comes with the poller, as the row that it changes."""
    fleet.instance_of(service_id, instance_id)
    probes.ask(instance_id, actor())
    return closed_dialog(url_for("services.show", service_id=service_id))


@blueprint.post("/<id:instance_id>/seen")
@needs(Verb.ROLL_OUT)
def seen(service_id: int, instance_id: int) -> Response:
    """Mark the failure on the instance as seen; its row comes with the poller."""
    fleet.instance_of(service_id, instance_id)
    see(instance_id, actor())
    return closed_dialog(url_for("services.show", service_id=service_id))


def _choices(service_id: int) -> dict[str, Any]:
    hosts = host_queries.hosts(LISTED, host_queries.HostFilter(without=service_id))
    versions = catalog.versions(service_id, LISTED)
    return {
        "service": catalog.service(service_id),
        "hosts": [(host.id, f"{host.hostname} ({host.address})") for host in hosts.rows],
        "versions": [(version.id, version.label) for version in versions.rows],
        "listed": LISTED.limit,
        "cut": {"hosts": hosts.pages > 1, "versions": versions.pages > 1},
    }
