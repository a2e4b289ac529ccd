"""Hosts: the list, add one."""

from __future__ import annotations

from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from deployer.domain.access import Verb
from deployer.domain.errors import Refused
from deployer.domain.status import Reach
from deployer.operations import fleet as operations
from deployer.queries import fleet
from deployer.web.asked import asked_search, asked_slice
from deployer.web.auth import actor, needs
from deployer.web.forms.base import RefusedInput
from deployer.web.forms.fleet import HostForm
from deployer.web.htmx import show_again
from deployer.web.values import read_values

REACHES = [(reach.value, reach.value) for reach in Reach]

blueprint = Blueprint("hosts", __name__, url_prefix="/hosts")


@blueprint.get("")
@needs(Verb.VIEW)
def index() -> str:
    """The hosts by name."""
    search = asked_search()
    return render_template("hosts/index.html", page=fleet.hosts(asked_slice(), search), search=search)


@blueprint.get("/new")
@needs(Verb.MANAGE)
def new() -> str:
    """The form that adds a host."""
    return render_template("hosts/new.html", form=HostForm.of({}), problems=[], reaches=REACHES)


@blueprint.post("")
@needs(Verb.MANAGE)
def add() -> Response | tuple[str, int]:
    """Add a host."""
    form = HostForm.of(request.form)
    try:
        form = HostForm.read(read_values(HostForm.field_names()))
        operations.add_host(form.new(), actor())
    except (Refused, RefusedInput) as problem:
        return show_again("hosts/new.html", form, problem, reaches=REACHES)
    return redirect(url_for(".index"), 303)
