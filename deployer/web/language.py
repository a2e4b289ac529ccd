"""In which language to answer."""

from __future__ import annotations

from flask import Blueprint, redirect, request
from werkzeug.wrappers import Response

from deployer.domain.errors import N_, Invalid
from deployer.web.auth import public, safe_next
from deployer.web.parameters import read_one

LANGUAGES = ("en", "zh")
NAMES = {"en": "English", "zh": "中文"}  # each in itself, so that who is lost in the other one finds it
COOKIE = "language"
A_YEAR = 365 * 24 * 3600

blueprint = Blueprint("language", __name__)
blueprint.app_context_processor(lambda: {"languages": NAMES})


def choose_language() -> str:
    """What the person chose on a page, else what the browser or client prefers (``Accept-Language``), else English."""
    chosen = request.cookies.get(COOKIE)
    if chosen in LANGUAGES:
        return chosen
    return request.accept_languages.best_match(LANGUAGES, "en")


@blueprint.post("/language")
@public
def switch() -> Response:
    """Keep the choice in this browser, and go back to the page."""
    chosen = read_one("language")
    if chosen not in LANGUAGES:
        raise Invalid(N_("This language is not spoken here."), N_("Use one of: %(choices)s."), "language", _CHOICES)
    answer = redirect(safe_next(read_one("next")), 303)
    answer.set_cookie(COOKIE, chosen, max_age=A_YEAR, httponly=True, samesite="Lax", secure=request.is_secure)
    return answer


_CHOICES = {"choices": ", ".join(LANGUAGES)}
