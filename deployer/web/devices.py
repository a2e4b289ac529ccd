"""Browsers in which somebody has signed in before. Who only guesses passwords has none, and cannot lock them out."""

from __future__ import annotations

import secrets
from typing import Any

from flask import current_app, request
from itsdangerous import BadSignature, URLSafeTimedSerializer
from werkzeug.wrappers import Response

from deployer.queries import people

DAYS = 180
MOST = 5  # people who share a browser


def known_device(name: str) -> str:
    """What tells this browser from others, "" when nobody of this ``name`` has signed in with it."""
    seen = _read()
    key = people.device_key(name)
    return str(seen["id"]) if key is not None and key in seen["keys"] else ""


def remember(response: Response, name: str) -> None:
    """Note in the browser that ``name`` has signed in with it."""
    seen = _read()
    key = people.device_key(name)
    if key is None:
        return
    keys = [key, *(one for one in seen["keys"] if one != key)][:MOST]
    response.set_cookie(
        _cookie(),
        _serializer().dumps({"id": seen["id"], "keys": keys}),
        max_age=DAYS * 86400,
        secure=current_app.config["SESSION_COOKIE_SECURE"],
        httponly=True,
        samesite="Lax",
    )


def _read() -> dict[str, Any]:
    try:
        found = _serializer().loads(request.cookies.get(_cookie(), ""), max_age=DAYS * 86400)
        return {"id": str(found["id"]), "keys": [str(key) for key in found["keys"]]}
    except (BadSignature, KeyError, TypeError):
        return {"id": secrets.token_hex(16), "keys": []}


def _serializer() -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(current_app.config["SECRET_KEY"], salt="device")


def _cookie() -> str:
    return str(current_app.config["SESSION_COOKIE_NAME"]) + "-device"
