"""People: sign in, sign out."""

from __future__ import annotations

from flask import Blueprint, redirect, render_template, request, session, url_for
from flask_login import current_user, login_user, logout_user
from werkzeug.wrappers import Response

from deployer.domain.errors import N_, Invalid, Refused
from deployer.domain.names import parse_text
from deployer.operations import people
from deployer.web.auth import Person, public, safe_next
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
    return render_template("people/sign_in.html", name="", problems=[], next=request.args.get("next"))


@blueprint.post("/sign-in")
@public
def enter() -> Response | tuple[str, int]:
    """Sign in."""
    name = request.form.get("name", "")
    found = people.check_password(_typed(name), request.form.get("password", ""))
    target = request.args.get("next")
    if found is None:
        page = render_template("people/sign_in.html", name=name, problems=[whole(_STRANGER)], next=target)
        return page, 422
    session.clear()  # nothing of the session before signing in lives on
    login_user(Person(found))
    return redirect(safe_next(target), 303)


@blueprint.post("/sign-out")
@public
def sign_out() -> Response:
    """Sign out."""
    logout_user()
    session.clear()
    return redirect(url_for(".sign_in"), 303)


def _typed(name: str) -> str:
    """The name, or "" (nobody's) for one that a database would choke on."""
    try:
        return parse_text(name, "name", 200)
    except Invalid:
        return ""
