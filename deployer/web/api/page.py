"""The document of the API, for programs and for people. It is open to all: it is the same for every installation."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Flask, current_app, jsonify, render_template
from flask_babel import get_locale, gettext
from werkzeug.wrappers import Response

from deployer.web.api import openapi
from deployer.web.auth import public
from deployer.web.parameters import only

blueprint = Blueprint("api_page", __name__, url_prefix="/api")


def document(language: str = "") -> dict[str, Any]:
    """The document, drawn once: in English, or in the ``language`` of the request."""
    kept = current_app.extensions.setdefault("openapi", {})
    if language not in kept:
        app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]
        kept[language] = openapi.draw(app, gettext) if language else openapi.draw(app)
    return kept[language]  # type: ignore[no-any-return]


@blueprint.get("/openapi.json")
@public
def as_json() -> Response:
    """For programs."""
    only()
    return jsonify(document())


@blueprint.get("")
@public
def show() -> str:
    """For people."""
    drawn = document(str(get_locale()))
    parts: dict[str, list[dict[str, Any]]] = {tag["name"]: [] for tag in drawn["tags"]}
    for path, methods in drawn["paths"].items():
        for method, call in methods.items():
            parts[call["tags"][0]].append({"method": method.upper(), "path": path, **call})
    return render_template(
        "api/show.html",
        about=drawn["info"]["description"],
        parts=parts,
        things=drawn["components"]["schemas"],
        refusals=drawn["components"]["responses"],
    )
