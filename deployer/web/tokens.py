"""The people of this console, and one's own tokens: make one, which is shown once, and revoke it."""

from __future__ import annotations

from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from deployer.domain.access import Verb
from deployer.domain.errors import Refused
from deployer.operations import people as operations
from deployer.queries import people
from deployer.web.auth import actor, needs
from deployer.web.forms.base import RefusedInput
from deployer.web.forms.people import TokenForm
from deployer.web.htmx import show_again
from deployer.web.values import read_values

blueprint = Blueprint("tokens", __name__)


@blueprint.get("/people")
@needs(Verb.VIEW)
def index() -> str:
    """Who may use the console."""
    return render_template("people/index.html", people=people.people())


@blueprint.get("/people/me")
@needs(None)
def mine() -> str:
    """One's own tokens."""
    return render_template("people/me.html", form=TokenForm.of({}), problems=[], secret="", tokens=_mine())


@blueprint.post("/people/me/tokens")
@needs(None)
def make() -> str | tuple[str, int]:
    """Make a token. It is in this one answer and nowhere else: not in a session, not in the database."""
    form = TokenForm.of(request.form)
    try:
        form = TokenForm.read(read_values(TokenForm.field_names()))
        secret = operations.create_token(actor().name, form.name.value, form.scope.value, actor().name)
    except (Refused, RefusedInput) as problem:
        return show_again("people/me.html", form, problem, secret="", tokens=_mine())
    return render_template("people/me.html", form=TokenForm.of({}), problems=[], secret=secret, tokens=_mine())


@blueprint.post("/people/me/tokens/<id:token_id>/revoke")
@needs(None)
def revoke(token_id: int) -> Response:
    """End one of one's own tokens, at once."""
    operations.revoke_token(actor().name, token_id, actor().name)
    return redirect(url_for(".mine"), 303)


def _mine() -> list[people.TokenRow]:
    return people.tokens_of(actor().name)
