"""The document of the API (OpenAPI 3.1), drawn from what its calls, their forms and their permissions state."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from flask import Flask
from werkzeug.http import HTTP_STATUS_CODES
from werkzeug.routing import Rule

from deployer.domain.access import OVERALL, Role, Scope, roles_for, scopes_for
from deployer.domain.errors import N_
from deployer.domain.status import Action
from deployer.web.api import taken
from deployer.web.api.calls import Call, call_of
from deployer.web.api.schema import ANYTHING, ID, TEXT, WHOLE, Schema, each, many, thing
from deployer.web.errors import API, REFUSED_PARAMETER
from deployer.web.forms.base import StrictForm
from deployer.web.permissions import Permission, stated_of
from deployer.web.values import FORMS

PREFIX = f"{API}v1"
METHODS = frozenset({"GET", "POST"})
JSON = "application/json"
Say = Callable[[str], str]  # a text in the language of the document
ABOUT = N_(
    "Every call needs a bearer token. A body is a form or one JSON object, in which every field may be text, a whole "
    "number, true or false; a field or parameter that the call does not know, or that comes twice, is refused. A "
    "refusal has changed nothing. Messages are English or Chinese, by Accept-Language."
)
REFUSAL = thing(
    "Refusal",
    ("errors", "hint", "data"),
    msg=TEXT,
    code={"const": -1},
    errors=each(many(TEXT)),
    hint=TEXT,
    data=ANYTHING,
)
# What a refusal of each status means; which of them a call can answer with, ``_refusals`` says.
REFUSALS = {
    400: N_("The body is malformed."),
    401: N_("There is no token, or it is not valid (any more)."),
    403: N_("The token or its owner may not do this."),
    404: N_("Something does not exist, or its service is not one that you see."),
    405: N_("This address does not take that method."),
    409: N_("It is well formed, but things do not stand as it needs; where there is a new plan, it comes as `data`."),
    413: N_("The body is too large."),
    415: N_("The body is neither a form nor JSON."),
    REFUSED_PARAMETER: N_("A parameter is refused."),
}
# How the parts of the API are called, by their modules.
PARTS = {
    "catalog": N_("Services and versions"),
    "fleet": N_("Instances"),
    "rollouts": N_("Rollouts"),
    "rollout_actions": N_("Going on with rollouts"),
    "hosts": N_("Hosts"),
    "imports": N_("Import of hosts"),
    "credentials": N_("Credentials"),
    "people": N_("People"),
    "tokens": N_("Tokens"),
    "audit": N_("Audit"),
}


def draw(app: Flask, say: Say = str) -> dict[str, Any]:
    """The document. It is the same for every installation, and tells nothing of the one that serves it."""
    things: dict[str, Schema] = {}
    paths: dict[str, dict[str, Any]] = {}
    for rule in sorted(app.url_map.iter_rules(), key=lambda one: one.rule):
        if rule.rule.startswith(f"{PREFIX}/"):
            for method in (rule.methods or set()) & METHODS:
                for path, values in _paths(rule):
                    paths.setdefault(path, {})[method.lower()] = _operation(app, rule, method, values, say)
    document = _named(
        {
            "openapi": "3.1.0",
            "info": {"title": "Deployer", "version": "1", "description": say(ABOUT)},
            "servers": [{"url": PREFIX}],
            "security": [{"token": []}],
            "tags": [{"name": say(part)} for part in PARTS.values()],
            "paths": paths,
            "components": {
                "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
                "responses": {str(status): _refusal(status, say) for status in REFUSALS},
            },
        },
        things,
    )
    document["components"]["schemas"] = dict(sorted(things.items()))
    return document  # type: ignore[no-any-return]


def _paths(rule: Rule) -> Iterator[tuple[str, dict[str, str]]]:
    """The paths that a route stands for, and what they say of its arguments. Each direction has a path of its own: as
    a parameter it would be in the way of the paths beside it."""
    path = re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule.removeprefix(PREFIX))
    values = dict(rule.defaults or {})
    if "action" not in rule.arguments:
        yield path, values
        return
    for action in Action:
        yield path.replace("{action}", action), values | {"action": action.value}


def _operation(app: Flask, rule: Rule, method: str, values: dict[str, str], say: Say) -> dict[str, Any]:
    call, permission = call_of(app, rule.endpoint), stated_of(app, rule.endpoint)
    assert permission is not None  # noqa: S101 (no route is without one; a test sees to it)
    given = sorted(name for name in rule.arguments if name not in values)
    name = rule.endpoint.removeprefix("api.").lstrip("_")
    parameters = [{"name": one, "in": "path", "required": True, "schema": ID} for one in given]
    operation: dict[str, Any] = {
        "operationId": f"{name}_{values['action']}" if "action" in values else name,
        "tags": [say(PARTS[app.view_functions[rule.endpoint].__module__.rpartition(".")[2]])],
        "summary": say(call.summary).format(**values),
        **_needed(permission, given, say),
        "parameters": parameters + [taken.parameter(one, say) for one in call.asks],
        "responses": {str(call.status): _answer(call, say)},
    }
    if call.takes is not None:
        operation["requestBody"] = _body(call.takes, call.file, say)
    for status in _refusals(call, permission, method, bool(given)):
        operation["responses"][str(status)] = {"$ref": f"#/components/responses/{status}"}
    return operation


def _needed(permission: Permission, given: Iterable[str], say: Say) -> dict[str, Any]:
    """Which roles and which scopes of a token are enough."""
    verb = permission.verb
    if verb is None:
        return {"description": say(N_("Needs any token; tells of nothing but what its owner sees."))}
    roles = [role.value for role in Role if role in roles_for(verb)]
    scopes = [scope.value for scope in Scope if scope in scopes_for(verb)]
    of_service = verb not in OVERALL and {"service_id", "rollout_id"} & set(given)
    if permission.anywhere:
        needed = N_("Needs a role for any service ({roles}) and a token of scope {scopes}.")
    elif of_service:
        needed = N_("Needs a role for the service ({roles}) and a token of scope {scopes}.")
    else:
        needed = N_("Needs a role for everything ({roles}) and a token of scope {scopes}.")
    told = say(needed).format(roles=", ".join(roles), scopes=" / ".join(scopes))
    return {"description": told, "x-roles": roles, "x-scopes": scopes}


def _refusals(call: Call, permission: Permission, method: str, given: bool) -> list[int]:
    """With which statuses a call can refuse."""
    found = [401, REFUSED_PARAMETER]
    if permission.verb is not None:
        found.append(403)
    if given or method == "POST":
        found.append(404)
    if call.conflicts or method == "POST":
        found.append(409)
    if method == "POST":
        found += [400, 413, 415]
    return sorted(found)


def _refusal(status: int, say: Say) -> dict[str, Any]:
    told = {"description": say(REFUSALS[status]), "content": {JSON: {"schema": REFUSAL}}}
    if status == 401:
        told["headers"] = {"WWW-Authenticate": {"required": True, "schema": TEXT}}
    return told


def _answer(call: Call, say: Say) -> dict[str, Any]:
    """What it answers when nothing is refused."""
    if call.media:
        return {"description": say(N_("The file.")), "content": {kind: {"schema": call.answers} for kind in call.media}}
    is_list = call.answers.get("type") == "array"
    count = WHOLE | {"description": say(N_("How long the whole list is."))} if is_list else {"const": 1}
    envelope = {
        "type": "object",
        "properties": {"data": call.answers, "count": count, "code": {"const": 0}},
        "required": ["data", "count", "code"],
    }
    return {"description": HTTP_STATUS_CODES[call.status], "content": {JSON: {"schema": envelope}}}


def _body(form: type[StrictForm], file: str, say: Say) -> dict[str, Any]:
    fields = taken.body(form, say)
    content = {kind: {"schema": fields} for kind in (JSON, *FORMS)}
    if file:
        more = {file: {"type": "string", "format": "binary", "description": say(N_("A file."))}}
        content["multipart/form-data"] = {
            "schema": {**fields, "title": f"{fields['title']}WithFile", "properties": {**fields["properties"], **more}}
        }
    return {"required": bool(fields["required"]), "content": content}


def _named(node: Any, things: dict[str, Schema]) -> Any:
    """``node`` with references in the place of things that have a name; they go to ``things``."""
    if isinstance(node, list):
        return [_named(one, things) for one in node]
    if not isinstance(node, dict):
        return node
    found = {key: _named(value, things) for key, value in node.items()}
    if found.get("type") != "object" or "title" not in found:
        return found
    name = found["title"]
    if things.setdefault(name, found) != found:
        raise LookupError(f"Two things in the document of the API have the name {name}.")
    return {"$ref": f"#/components/schemas/{name}"}
