"""One's own account: the password, and where one is signed in."""

from __future__ import annotations

from flask import Blueprint, abort, redirect, render_template, url_for
from flask_login import current_user
from werkzeug.wrappers import Response

from deployer.attempts import Attempt, counter
from deployer.domain.errors import Refused
from deployer.operations import people as operations
from deployer.operations import sign_ins
from deployer.queries import people
from deployer.web.auth import actor, needs, too_many, whence
from deployer.web.forms.base import RefusedInput
from deployer.web.forms.people import PasswordForm
from deployer.web.htmx import show_again
from deployer.web.values import read_values

blueprint = Blueprint("account", __name__, url_prefix="/people/me")


@blueprint.get("/password")
@needs(None)
def ask_password() -> str:
    """The form that changes one's password."""
    _must_have_one()
    return render_template("people/password.html", form=PasswordForm.of({}), problems=[], done=False)


@blueprint.post("/password")
@needs(None)
def change_password() -> str | tuple[str, int] | tuple[str, int, dict[str, str]]:
    """Change it, and sign out everywhere else."""
    _must_have_one()
    form = PasswordForm.of({})  # what was typed is not sent back
    attempt = Attempt(actor().name, whence().address, f"sign-in {current_user.sign_in_id}")
    wait = counter().begin(attempt)  # who found somebody's browser open has to guess the password, too
    if wait:
        page = render_template("people/password.html", form=form, problems=[too_many(wait)], done=False)
        return page, 429, {"Retry-After": str(wait)}
    try:
        typed = PasswordForm.read(read_values(PasswordForm.field_names()))
        operations.change_password(actor(), current_user.sign_in_id, typed.current.value, typed.password.value)
    except (Refused, RefusedInput) as problem:
        return show_again("people/password.html", form, problem, done=False)
    counter().succeeded(attempt)
    return render_template("people/password.html", form=form, problems=[], done=True)


@blueprint.post("/sign-ins/<id:sign_in_id>/end")
@needs(None)
def end(sign_in_id: int) -> Response:
    """Sign out where one is signed in, as on a laptop that was left behind."""
    sign_ins.end(actor().name, sign_in_id)
    return redirect(url_for("tokens.mine"), 303)


@blueprint.post("/sign-ins/end-others")
@needs(None)
def end_others() -> Response:
    """Sign out everywhere but here."""
    sign_ins.end_others(actor().name, current_user.sign_in_id)
    return redirect(url_for("tokens.mine"), 303)


def _must_have_one() -> None:
    """Who signs in elsewhere only has no password here to change."""
    if not people.has_password(actor().name):
        abort(404)
