"""The tokens of the caller's owner: see them, end them. A token makes no tokens: whoever steals one gets no second; and
ends none but itself, unless it may do everything."""

from __future__ import annotations

from typing import Any

from flask import Blueprint
from werkzeug.wrappers import Response

from deployer.domain.access import Scope
from deployer.operations import tokens as operations
from deployer.queries import people
from deployer.web.api.calls import call
from deployer.web.api.envelope import answer, when
from deployer.web.api.schema import ID, MOMENT, TEXT, many, maybe, thing, words
from deployer.web.auth import actor, needs


def routes(api: Blueprint) -> None:
    """Mount the calls."""
    api.get("/tokens")(_tokens)
    api.post("/tokens/<id:token_id>/revoke")(_revoke)


TOKEN = thing(
    "Token",
    id=ID,
    name=TEXT,
    scope=words(Scope),
    services=maybe(many(TEXT)),
    created=MOMENT,
    expires=maybe(MOMENT),
    revoked=maybe(MOMENT),
    used=maybe(MOMENT),
    used_from=TEXT,
)


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
@call(
    "The tokens of the owner of the one that is sent, of one for some services only itself; never a secret", many(TOKEN)
)
def _tokens() -> Response:
    who = actor()
    return answer([token_json(row) for row in people.tokens_of(who.name) if who.sees_token(row.id)])


@needs(None)
@call("End the token that is sent, or, with scope manage and for all services, another of its owner, at once", TOKEN)
def _revoke(token_id: int) -> Response:
    who = actor()
    who.require_revoking(token_id)
    operations.revoke_token(who.name, token_id, who.name)
    (row,) = [one for one in people.tokens_of(who.name) if one.id == token_id]
    return answer(token_json(row))
