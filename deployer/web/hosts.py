"""Hosts: the list, one host live; add, change, test, retire."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from deployer.domain.access import Verb
from deployer.domain.errors import Refused
from deployer.domain.status import Reach
from deployer.operations import checks
from deployer.operations import hosts as operations
from deployer.queries import credentials, hosts
from deployer.queries.hosts import HostRow
from deployer.web.asked import asked_hosts, asked_slice
from deployer.web.auth import actor, needs
from deployer.web.forms.base import RefusedInput, StrictForm
from deployer.web.forms.hosts import HostForm, filled
from deployer.web.htmx import closed_dialog, show_again
from deployer.web.live.answers import Answer, answer, page
from deployer.web.values import read_values
from deployer.web.views import hosts as views

REACHES = [(reach.value, reach.value) for reach in Reach]

blueprint = Blueprint("hosts", __name__, url_prefix="/hosts")


@blueprint.get("")
@needs(Verb.VIEW)
def index() -> str:
    """The hosts by name."""
    return page("hosts/index.html", views.listed(asked_hosts(), asked_slice()))


@blueprint.get("/changes")
@needs(Verb.VIEW, polls=True)
def index_changes() -> Answer:
    """What is different in the list."""
    wanted, part = asked_hosts(), asked_slice()
    return answer(
        ("hosts", wanted, part), lambda: views.listed(wanted, part).cursor, lambda: views.listed(wanted, part)
    )


@blueprint.get("/new")
@needs(Verb.MANAGE_FLEET)
def new() -> str:
    """The form that adds a host."""
    return render_template("hosts/new.html", form=HostForm.of({"reach": Reach.SSH.value}), problems=[], **_choices())


@blueprint.post("")
@needs(Verb.MANAGE_FLEET)
def add() -> Response | tuple[str, int]:
    """Add a host."""
    form = HostForm.of(request.form)
    try:
        form = HostForm.read(read_values(HostForm.field_names()))
        host_id = operations.add_host(form.new(), actor())
    except (Refused, RefusedInput) as problem:
        return show_again("hosts/new.html", form, problem, **_choices())
    return redirect(url_for(".show", host_id=host_id), 303)


@blueprint.get("/<id:host_id>")
@needs(Verb.VIEW)
def show(host_id: int) -> str:
    """One host: how it is reached, what its last check found, what runs there; kept live by the poller."""
    return page("hosts/show.html", views.host(host_id))


@blueprint.get("/<id:host_id>/changes")
@needs(Verb.VIEW, polls=True)
def changes(host_id: int) -> Answer:
    """What is different from what the page of a host shows."""
    return answer(("host", host_id), lambda: views.host(host_id).cursor, lambda: views.host(host_id))


@blueprint.get("/<id:host_id>/edit")
@needs(Verb.MANAGE_FLEET)
def edit(host_id: int) -> str:
    """The form that changes a host."""
    host = hosts.host(host_id)
    return render_template("hosts/new.html", form=HostForm.of(filled(host)), problems=[], **_choices(host))


@blueprint.post("/<id:host_id>/edit")
@needs(Verb.MANAGE_FLEET)
def change(host_id: int) -> Response | tuple[str, int]:
    """Change a host."""
    host = hosts.host(host_id)
    form = HostForm.of(request.form)
    try:
        form = HostForm.read(read_values(HostForm.field_names()))
        operations.change_host(host_id, form.new(), actor())
    except (Refused, RefusedInput) as problem:
        return show_again("hosts/new.html", form, problem, **_choices(host))
    return redirect(url_for(".show", host_id=host_id), 303)


@blueprint.post("/<id:host_id>/check")
@needs(Verb.ROLL_OUT)
def check(host_id: int) -> Response:
    """Have a worker test the connection; what it finds comes with the poller."""
    checks.ask(host_id, actor())
    return closed_dialog(url_for(".show", host_id=host_id))


@blueprint.get("/<id:host_id>/retire")
@needs(Verb.MANAGE_FLEET)
def ask_retire(host_id: int) -> str:
    """The dialog that says what retiring a host means."""
    return render_template("hosts/retire.html", host=hosts.host(host_id), problems=[])


@blueprint.post("/<id:host_id>/retire")
@needs(Verb.MANAGE_FLEET)
def retire(host_id: int) -> Response | tuple[str, int]:
    """Take a host out of use."""
    try:
        operations.retire(host_id, actor())
    except Refused as problem:
        return show_again("hosts/retire.html", StrictForm.of({}), problem, host=hosts.host(host_id))
    return closed_dialog(url_for(".show", host_id=host_id))


@blueprint.post("/<id:host_id>/bring-back")
@needs(Verb.MANAGE_FLEET)
def bring_back(host_id: int) -> Response:
    """Put a retired host into use again."""
    operations.bring_back(host_id, actor())
    return redirect(url_for(".show", host_id=host_id), 303)


def _choices(host: HostRow | None = None) -> dict[str, Any]:
    return {
        "host": host,
        "reaches": REACHES,
        "credentials": [("", "–"), *((one.name, one.name) for one in credentials.credentials())],
    }
