"""Who is asking: a session for pages, a bearer token for the API. Never one in the other's place."""

from __future__ import annotations

from urllib.parse import urlsplit

from flask import Flask, abort, g, redirect, request, url_for
from flask_login import UserMixin, current_user
from werkzeug.wrappers import Response

from deployer.domain.access import Actor, Verb
from deployer.extensions import login
from deployer.operations import people
from deployer.web.live.shared import lately
from deployer.web.live.views import mark
from deployer.web.permissions import needs, public

__all__ = ["Person", "actor", "init_app", "may", "needs", "public", "safe_next"]

FEW = 10  # moments for which an open page of somebody whose rights were taken away still gets changes


class Person(UserMixin):  # type: ignore[misc]
    """A signed-in person, as Flask-Login wants one."""

    def __init__(self, signed_in: people.SignedIn) -> None:
        self.actor = signed_in.actor
        self._session_key = signed_in.session_key

    def get_id(self) -> str:
        """What the session cookie carries: not the id, so that it can be revoked."""
        return self._session_key


def init_app(app: Flask) -> None:
    """Teach Flask-Login our people, and templates the word ``may``."""
    login.session_protection = None  # bound to the address and browser otherwise; people on call change networks
    login.user_loader(_load)
    login.unauthorized_handler(_ask_to_sign_in)
    app.context_processor(lambda: {"may": may, "may_anywhere": may_anywhere})
    app.view_functions["static"] = public(app.view_functions["static"])


def _load(session_key: str) -> Person | None:
    def read() -> people.SignedIn | None:
        return people.by_session_key(session_key)

    def is_as_shown(found: people.SignedIn | None) -> bool:
        shown = request.args.get("may")
        return not shown or (found is not None and mark(found.actor.rights) == shown)

    # An open page that was drawn for other rights than those of a few seconds ago knows better.
    polled = g.get("polls")
    signed_in = lately(("person", session_key), read, enough=is_as_shown, moments=FEW) if polled else read()
    return Person(signed_in) if signed_in else None


def _ask_to_sign_in() -> Response:
    if request.method != "GET" or request.headers.get("HX-Request"):
        # A redirect would swap the sign-in page into a dialog or a row, or lose what was typed.
        abort(401)
    return redirect(url_for("people.sign_in", next=request.full_path.rstrip("?")))


def actor() -> Actor:
    """Who is asking, signed in or through a token. Only behind :func:`needs`."""
    return g.actor if "actor" in g else current_user.actor  # type: ignore[no-any-return]


def may(verb: str, service: int | None = None) -> bool:
    """For templates: whether the reader may do ``verb`` to the service, or, without one, to what is of none."""
    if service is not None and g.get("about") not in (None, service):
        raise LookupError("What is shared among those who look at one service must not depend on another one.")
    return bool(current_user.is_authenticated) and current_user.actor.may(Verb(verb), service)


def may_anywhere(verb: str) -> bool:
    """For templates: whether there is anything to which the reader may do ``verb``. Not for what is shared."""
    return bool(current_user.is_authenticated) and current_user.actor.may_anywhere(Verb(verb))


def safe_next(target: str | None) -> str:
    """Where to go after signing in: a path of ours, else the first page. ``//evil`` and ``/\\evil`` are not ours."""
    home = url_for("services.index")
    if not target or not target.startswith("/") or target.startswith(("//", "/\\")):
        return home
    parts = urlsplit(target)
    if parts.scheme or parts.netloc or any(ord(letter) < 32 or letter == "\\" for letter in target):
        return home
    return target
