"""The tokens of the caller's owner: see them, end them. A token makes no tokens: whoever steals one gets no second."""

from __future__ import annotations

from typing import Any

from flask import Blueprint
from werkzeug.wrappers import Response

from deployer.operations import tokens as operations
from deployer.queries import people
from deployer.web.api.envelope import answer, when
from deployer.web.auth import actor, needs
from deployer.web.parameters import only
from deployer.web.values import read_values


def routes(api: Blueprint) -> None:
    """Mount the calls."""
    api.get("/tokens")(_tokens)
    api.post("/tokens/<id:token_id>/revoke")(_revoke)


def token_json(row: people.TokenRow) -> dict[str, Any]:
    """A token as it travels, without its secret."""
    return {
        "id": row.id,
        "name": row.name,
        "scope": row.scope.value,
        "services": None if row.services is None else list(row.services),
        "created": when(row.created),
        "expires": when(row.expires),
        "revoked": when(row.revoked),
        "used": when(row.used),
        "used_from": row.used_from,
    }


@needs(None)
def _tokens() -> Response:
    only()
    return answer([token_json(row) for row in people.tokens_of(actor().name)])


@needs(None)
def _revoke(token_id: int) -> Response:
    read_values(())
    operations.revoke_token(actor().name, token_id, actor().name)
    (row,) = [one for one in people.tokens_of(actor().name) if one.id == token_id]
    return answer(token_json(row))
