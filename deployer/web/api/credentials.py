"""Credentials over JSON. No answer has a secret in it."""

from __future__ import annotations

from typing import Any

from flask import Blueprint
from werkzeug.wrappers import Response

from deployer.domain.access import Verb
from deployer.operations import credentials as operations
from deployer.queries import credentials
from deployer.web.api.envelope import answer, when
from deployer.web.auth import actor
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


def _credentials() -> Response:
    actor().require(Verb.MANAGE)
    only()
    return answer([credential_json(one) for one in credentials.credentials()])


def _add() -> Response:
    actor().require(Verb.MANAGE)
    form = CredentialForm.read(read_values(CredentialForm.field_names()))
    added = operations.add(form.new(), actor())
    return answer(credential_json(credentials.credential(added)), status=201)


def _replace(credential_id: int) -> Response:
    actor().require(Verb.MANAGE)
    credentials.credential(credential_id)
    form = CredentialForm.read(read_values(CredentialForm.field_names()))
    operations.replace(credential_id, form.new(), actor())
    return answer(credential_json(credentials.credential(credential_id)))


def _remove(credential_id: int) -> Response:
    actor().require(Verb.MANAGE)
    read_values(())
    operations.remove(credential_id, actor())
    return answer([credential_json(one) for one in credentials.credentials()])
