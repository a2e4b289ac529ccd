"""The JSON API (SEED, "JSON API"): bearer tokens only, one envelope, the same forms and operations as the pages."""

from __future__ import annotations

from flask import Blueprint, Flask, abort, g, request

from deployer.extensions import csrf
from deployer.operations.tokens import by_token
from deployer.web.api import (
    audit,
    catalog,
    credentials,
    fleet,
    hosts,
    imports,
    page,
    people,
    rollout_actions,
    rollouts,
    tokens,
)


def init_app(app: Flask) -> None:
    """Mount the API. A session cookie counts for nothing here, so a forged form on another site reaches nothing."""
    blueprint = Blueprint("api", __name__, url_prefix="/api/v1")
    blueprint.before_request(_identify)
    for part in (
        catalog.routes,
        hosts.routes,
        imports.routes,
        credentials.routes,
        fleet.routes,
        rollouts.routes,
        rollout_actions.routes,
        tokens.routes,
        people.routes,
        audit.routes,
    ):
        part(blueprint)
    csrf.exempt(blueprint)
    app.register_blueprint(blueprint)
    app.register_blueprint(page.blueprint)


def _identify() -> None:
    scheme, _, secret = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not secret:
        abort(401)
    actor = by_token(secret.strip(), request.remote_addr or "")
    g.actor = actor
    g.token = actor.token
