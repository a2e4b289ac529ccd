"""People and their roles over JSON."""

from __future__ import annotations

from typing import Any

from flask import Blueprint
from werkzeug.wrappers import Response

from deployer.domain.access import Verb
from deployer.operations import roles as operations
from deployer.queries import people, roles
from deployer.web.api.envelope import answer, when
from deployer.web.auth import actor, needs
from deployer.web.forms.roles import RoleForm, ServiceRoleForm
from deployer.web.parameters import only
from deployer.web.values import read_values


def routes(api: Blueprint) -> None:
    """Add the calls to the blueprint."""
    api.get("/people")(_people)
    api.post("/people/<id:user_id>/role")(_give)
    api.post("/people/<id:user_id>/services")(_give_for_service)
    api.post("/people/<id:user_id>/disable", defaults={"active": False}, endpoint="disable")(_let_in)
    api.post("/people/<id:user_id>/enable", defaults={"active": True}, endpoint="enable")(_let_in)


def person_json(row: people.PersonRow, given: list[roles.ForService]) -> dict[str, Any]:
    """A person on the wire."""
    return {
        "id": row.id,
        "name": row.name,
        "role": row.role.value,
        "services": [{"id": one.service_id, "name": one.service, "role": one.role.value} for one in given],
        "active": row.active,
        "created": when(row.created),
    }


@needs(Verb.VIEW)
def _people() -> Response:
    only()
    rows = people.people()
    given = roles.of_people([row.id for row in rows])
    return answer([person_json(row, given.get(row.id, [])) for row in rows])


@needs(Verb.ADMINISTER)
def _give(user_id: int) -> Response:
    form = RoleForm.read(read_values(RoleForm.field_names()))
    operations.give(user_id, form.role.value, actor())
    return _as_they_are(user_id)


@needs(Verb.ADMINISTER)
def _give_for_service(user_id: int) -> Response:
    form = ServiceRoleForm.read(read_values(ServiceRoleForm.field_names()))
    operations.give_for_service(user_id, form.service_id.value, form.role.value, actor())
    return _as_they_are(user_id)


@needs(Verb.ADMINISTER)
def _let_in(user_id: int, active: bool) -> Response:
    read_values(())
    operations.let_in(user_id, active, actor())
    return _as_they_are(user_id)


def _as_they_are(user_id: int) -> Response:
    return answer(person_json(roles.person(user_id), roles.of_people([user_id]).get(user_id, [])))
