"""The people of this console, and one's own tokens: make one, which is shown once, and revoke it."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, redirect, render_template, request, url_for
from flask_babel import gettext, ngettext
from werkzeug.wrappers import Response

from deployer.domain.access import Verb
from deployer.domain.errors import Refused
from deployer.operations import tokens as operations
from deployer.queries import catalog, people, roles
from deployer.web.asked import asked_search
from deployer.web.auth import actor, needs
from deployer.web.forms.base import RefusedInput
from deployer.web.forms.people import LIFETIMES, TokenForm
from deployer.web.htmx import show_again
from deployer.web.parameters import read_id
from deployer.web.values import read_values

blueprint = Blueprint("tokens", __name__)


@blueprint.get("/people")
@needs(Verb.VIEW)
def index() -> str:
    """Who may use the console, or who may do what with one service."""
    service_id = read_id("service_id")
    if service_id is not None:
        service = catalog.service(service_id)
        return render_template("people/of_service.html", service=service, people=roles.of_service(service_id))
    search = asked_search()
    return render_template("people/index.html", people=people.people(search), search=search)


@blueprint.get("/people/me")
@needs(None)
def mine() -> str:
    """Where one is signed in, and one's own tokens."""
    return render_template("people/me.html", form=TokenForm(), problems=[], secret="", **_mine())


@blueprint.post("/people/me/tokens")
@needs(None)
def make() -> str | tuple[str, int]:
    """Make a token. It is in this one answer and nowhere else: not in a session, not in the database."""
    form = TokenForm.of(request.form)
    try:
        form = TokenForm.read(read_values(TokenForm.field_names()))
        who = actor()
        secret = operations.create_token(
            who.name,
            form.name.value,
            form.scope.value,
            who.name,
            days=form.days.value,
            services=form.services.value,
            sees=who.sees,
        )
    except (Refused, RefusedInput) as problem:
        return show_again("people/me.html", form, problem, secret="", **_mine())
    return render_template("people/me.html", form=TokenForm(), problems=[], secret=secret, **_mine())


@blueprint.post("/people/me/tokens/<id:token_id>/revoke")
@needs(None)
def revoke(token_id: int) -> Response:
    """End one of one's own tokens, at once."""
    operations.revoke_token(actor().name, token_id, actor().name)
    return redirect(url_for(".mine"), 303)


def _mine() -> dict[str, Any]:
    name = actor().name
    return {
        "tokens": people.tokens_of(name),
        "sign_ins": people.sign_ins_of(name),
        "has_password": people.has_password(name),
        "lifetimes": [
            (value, gettext("ever") if days is None else ngettext("%(num)s day", "%(num)s days", days))
            for value, days in LIFETIMES.items()
        ],
    }
