"""People and their roles over JSON."""

from __future__ import annotations

from typing import Any

from flask import Blueprint
from werkzeug.wrappers import Response

from deployer.domain.access import OF_SERVICE, Role, Verb
from deployer.operations import roles as operations
from deployer.queries import people, roles
from deployer.web.api.calls import call
from deployer.web.api.envelope import answer, when
from deployer.web.api.schema import ID, MOMENT, TEXT, YES_NO, many, thing, words
from deployer.web.auth import actor, needs
from deployer.web.forms.roles import RoleForm, ServiceRoleForm
from deployer.web.values import read_values


def routes(api: Blueprint) -> None:
    """Add the calls to the blueprint."""
    api.get("/people")(_people)
    api.post("/people/<id:user_id>/role")(_give)
    api.post("/people/<id:user_id>/services")(_give_for_service)
    api.post("/people/<id:user_id>/disable")(_disable)
    api.post("/people/<id:user_id>/enable")(_enable)


PERSON = thing(
    "Person",
    id=ID,
    name=TEXT,
    role=words(Role),
    services=many(thing("RoleForService", id=ID, name=TEXT, role=words(OF_SERVICE))),
    active=YES_NO,
    created=MOMENT,
)


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
@call("Who may use the console, and what for", many(PERSON))
def _people() -> Response:
    rows = people.people()
    given = roles.of_people([row.id for row in rows])
    return answer([person_json(row, given.get(row.id, [])) for row in rows])


@needs(Verb.ADMINISTER)
@call("Give a role for everything", PERSON, takes=RoleForm)
def _give(user_id: int) -> Response:
    form = RoleForm.read(read_values(RoleForm.field_names()))
    operations.give(user_id, form.role.value, actor())
    return _as_they_are(user_id)


@needs(Verb.ADMINISTER)
@call("Give a role for one service; `none` takes it away", PERSON, takes=ServiceRoleForm)
def _give_for_service(user_id: int) -> Response:
    form = ServiceRoleForm.read(read_values(ServiceRoleForm.field_names()))
    operations.give_for_service(user_id, form.service_id.value, form.role.value, actor())
    return _as_they_are(user_id)


@needs(Verb.ADMINISTER)
@call("Shut a person out, with all sessions and tokens", PERSON)
def _disable(user_id: int) -> Response:
    operations.let_in(user_id, False, actor())
    return _as_they_are(user_id)


@needs(Verb.ADMINISTER)
@call("Let a person in again", PERSON)
def _enable(user_id: int) -> Response:
    operations.let_in(user_id, True, actor())
    return _as_they_are(user_id)


def _as_they_are(user_id: int) -> Response:
    return answer(person_json(roles.person(user_id), roles.of_people([user_id]).get(user_id, [])))
