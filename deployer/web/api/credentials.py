"""Credentials over JSON. No answer has a secret in it."""

from __future__ import annotations

from typing import Any

from flask import Blueprint
from werkzeug.wrappers import Response

from deployer.domain.access import Verb
from deployer.operations import credentials as operations
from deployer.queries import credentials
from deployer.web.api.envelope import answer, when
from deployer.web.auth import actor, needs
from deployer.web.forms.credentials import CredentialForm
from deployer.web.parameters import only
from deployer.web.values import read_values


def routes(api: Blueprint) -> None:
    """Add the calls to the blueprint."""
    api.get("/credentials")(_credentials)
    api.post("/credentials")(_add)
    api.post("/credentials/<id:credential_id>")(_replace)
    api.post("/credentials/<id:credential_id>/remove")(_remove)


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
def _credentials() -> Response:
    only()
    return answer([credential_json(one) for one in credentials.credentials()])


@needs(Verb.MANAGE_FLEET)
def _add() -> Response:
    form = CredentialForm.read(read_values(CredentialForm.field_names()))
    added = operations.add(form.new(), actor())
    return answer(credential_json(credentials.credential(added)), status=201)


@needs(Verb.MANAGE_FLEET)
def _replace(credential_id: int) -> Response:
    credentials.credential(credential_id)
    form = CredentialForm.read(read_values(CredentialForm.field_names()))
    operations.replace(credential_id, form.new(), actor())
    return answer(credential_json(credentials.credential(credential_id)))


@needs(Verb.MANAGE_FLEET)
def _remove(credential_id: int) -> Response:
    read_values(())
    operations.remove(credential_id, actor())
    return answer([credential_json(one) for one in credentials.credentials()])
