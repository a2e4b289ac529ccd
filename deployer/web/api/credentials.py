"""Credentials over JSON. No answer has a secret in it."""

from __future__ import annotations

from typing import Any

from flask import Blueprint
from werkzeug.wrappers import Response

from deployer.domain.access import Verb
from deployer.domain.reach import CredentialKind
from deployer.operations import credentials as operations
from deployer.queries import credentials
from deployer.web.api.calls import call
from deployer.web.api.envelope import answer, when
from deployer.web.api.schema import ID, MOMENT, TEXT, WHOLE, many, thing, words
from deployer.web.auth import actor, needs
from deployer.web.forms.credentials import CredentialForm
from deployer.web.values import read_values


def routes(api: Blueprint) -> None:
    """Add the calls to the blueprint."""
    api.get("/credentials")(_credentials)
    api.post("/credentials")(_add)
    api.post("/credentials/<id:credential_id>")(_replace)
    api.post("/credentials/<id:credential_id>/remove")(_remove)


CREDENTIAL = thing(
    "Credential",
    id=ID,
    name=TEXT,
    kind=words(CredentialKind),
    public=TEXT,
    hosts=WHOLE,
    updated_by=TEXT,
    updated=MOMENT,
)


def credential_json(row: credentials.CredentialView) -> dict[str, Any]:
    """A credential on the wire."""
    return {
        "id": row.id,
        "name": row.name,
        "kind": row.kind.value,
        "public": row.public,
        "hosts": row.hosts,
        "updated_by": row.updated_by,
        "updated": when(row.updated),
    }


@needs(Verb.MANAGE_FLEET)
@call("What workers show to hosts, by name; never the secret", many(CREDENTIAL))
def _credentials() -> Response:
    return answer([credential_json(one) for one in credentials.credentials()])


@needs(Verb.MANAGE_FLEET)
@call("Add a credential", CREDENTIAL, 201, takes=CredentialForm)
def _add() -> Response:
    form = CredentialForm.read(read_values(CredentialForm.field_names()))
    added = operations.add(form.new(), actor())
    return answer(credential_json(credentials.credential(added)), status=201)


@needs(Verb.MANAGE_FLEET)
@call("Put another secret in its place; its name stays", CREDENTIAL, takes=CredentialForm)
def _replace(credential_id: int) -> Response:
    credentials.credential(credential_id)
    form = CredentialForm.read(read_values(CredentialForm.field_names()))
    operations.replace(credential_id, form.new(), actor())
    return answer(credential_json(credentials.credential(credential_id)))


@needs(Verb.MANAGE_FLEET)
@call("Remove a credential that no host uses; the others", many(CREDENTIAL))
def _remove(credential_id: int) -> Response:
    operations.remove(credential_id, actor())
    return answer([credential_json(one) for one in credentials.credentials()])
