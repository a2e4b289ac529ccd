"""People: sign in, sign out."""

from __future__ import annotations

import contextlib

from flask import Blueprint, redirect, render_template, request, session, url_for
from flask_login import current_user, logout_user
from werkzeug.wrappers import Response

from deployer.attempts import Attempt, counter
from deployer.domain.errors import N_, Invalid, NotFound, Refused
from deployer.domain.names import parse_text
from deployer.operations import attempts, sign_ins
from deployer.web import auth, devices
from deployer.web.auth import public, safe_next
from deployer.web.words import whole

blueprint = Blueprint("people", __name__)

# The same words for a wrong name and a wrong password: neither tells who exists.
_STRANGER = Refused(N_("The name or the password is wrong."), N_("Check both and try again."))


@blueprint.get("/sign-in")
@public
def sign_in() -> str | Response:
    """The form that asks who you are."""
    if current_user.is_authenticated:
        return redirect(safe_next(request.args.get("next")))
    return _form("", [])


@blueprint.post("/sign-in")
@public
def enter() -> Response | tuple[str, int] | tuple[str, int, dict[str, str]]:
    """Sign in."""
    typed = request.form.get("name", "")
    name = _readable(typed)
    attempt = Attempt(name, auth.whence().address, devices.known_device(name))
    wait = counter().begin(attempt)
    if wait:
        return _form(typed, [auth.too_many(wait)]), 429, {"Retry-After": str(wait)}
    found = sign_ins.check_password(name, request.form.get("password", ""))
    if found is None:
        counter().failed(attempt)
        attempts.record_wrong_password(name, auth.whence().address)
        return _form(typed, [whole(_STRANGER)]), 422
    counter().succeeded(attempt)
    auth.sign_in(sign_ins.begin(found, auth.whence()))
    answer = redirect(safe_next(request.args.get("next")), 303)
    devices.remember(answer, name)
    return answer


@blueprint.post("/sign-out")
@public
def sign_out() -> Response:
    """Sign out: here, and also for whoever has a copy of the cookie."""
    if current_user.is_authenticated:
        with contextlib.suppress(NotFound):  # it was ended from elsewhere a moment ago
            sign_ins.end(current_user.actor.name, current_user.sign_in_id)
    logout_user()
    session.clear()
    return redirect(url_for(".sign_in"), 303)


def _form(name: str, problems: list[str]) -> str:
    return render_template("people/sign_in.html", name=name, problems=problems, next=request.args.get("next"))


def _readable(name: str) -> str:
    """The name, or "" (nobody's) for one that a database would choke on."""
    try:
        return parse_text(name, "name", 200)
    except Invalid:
        return ""
