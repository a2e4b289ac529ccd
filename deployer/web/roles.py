"""One person, as an administrator sees them: their roles, and whether they may sign in."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, redirect, render_template, request, url_for
from flask_babel import gettext
from werkzeug.wrappers import Response

from deployer.domain.access import OF_SERVICE, Role, Verb
from deployer.domain.errors import Refused
from deployer.operations import roles as operations
from deployer.queries import history, roles
from deployer.web.auth import actor, needs
from deployer.web.forms.base import RefusedInput, StrictForm
from deployer.web.forms.roles import RoleForm, ServiceRoleForm
from deployer.web.htmx import show_again
from deployer.web.present import ROLES
from deployer.web.values import read_values

blueprint = Blueprint("roles", __name__, url_prefix="/people/<id:user_id>")


@blueprint.get("")
@needs(Verb.ADMINISTER)
def show(user_id: int) -> str:
    """What a person may do."""
    return render_template("people/show.html", problems=[], **_shown(user_id))


@blueprint.post("/role")
@needs(Verb.ADMINISTER)
def give(user_id: int) -> Response | tuple[str, int]:
    """Give a role for everything."""
    form = RoleForm.of(request.form)
    try:
        form = RoleForm.read(read_values(RoleForm.field_names()))
        operations.give(user_id, form.role.value, actor())
    except (Refused, RefusedInput) as problem:
        return show_again("people/show.html", form, problem, **_shown(user_id, overall=form))
    return redirect(url_for(".show", user_id=user_id), 303)


@blueprint.post("/services")
@needs(Verb.ADMINISTER)
def give_for_service(user_id: int) -> Response | tuple[str, int]:
    """Give a role for one service, or take it away."""
    form = ServiceRoleForm.of(request.form)
    try:
        form = ServiceRoleForm.read(read_values(ServiceRoleForm.field_names()))
        operations.give_for_service(user_id, form.service_id.value, form.role.value, actor())
    except (Refused, RefusedInput) as problem:
        return show_again("people/show.html", form, problem, **_shown(user_id, single=form))
    return redirect(url_for(".show", user_id=user_id), 303)


@blueprint.post("/disable")
@needs(Verb.ADMINISTER)
def disable(user_id: int) -> Response | tuple[str, int]:
    """Shut a person out."""
    return _let_in(user_id, active=False)


@blueprint.post("/enable")
@needs(Verb.ADMINISTER)
def enable(user_id: int) -> Response | tuple[str, int]:
    """Let a person in again."""
    return _let_in(user_id, active=True)


def _let_in(user_id: int, *, active: bool) -> Response | tuple[str, int]:
    try:
        read_values(())
        operations.let_in(user_id, active, actor())
    except Refused as problem:
        return show_again("people/show.html", StrictForm.of({}), problem, **_shown(user_id))
    return redirect(url_for(".show", user_id=user_id), 303)


def _shown(user_id: int, overall: RoleForm | None = None, single: ServiceRoleForm | None = None) -> dict[str, Any]:
    person = roles.person(user_id)
    return {
        "person": person,
        "given": roles.of_people([user_id]).get(user_id, []),
        "overall": overall or RoleForm.of({"role": person.role.value}),
        "single": single or ServiceRoleForm.of({"role": Role.VIEWER.value}),
        "roles": [(role.value, gettext(ROLES[role])) for role in Role],
        "service_roles": [(role.value, gettext(ROLES[role])) for role in OF_SERVICE],
        "services": history.services(),
    }
