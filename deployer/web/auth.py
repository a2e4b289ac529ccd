"""Who is asking: a session for pages, a bearer token for the API. Never one in the other's place."""

from __future__ import annotations

from urllib.parse import urlsplit

from flask import Flask, abort, g, redirect, request, session, url_for
from flask_babel import gettext, ngettext
from flask_login import UserMixin, current_user, login_user
from werkzeug.wrappers import Response

from deployer.domain.access import Actor, Verb
from deployer.extensions import login
from deployer.operations import sign_ins
from deployer.web.live.shared import lately
from deployer.web.live.views import mark
from deployer.web.permissions import needs, public

__all__ = ["Person", "actor", "init_app", "may", "needs", "public", "safe_next"]

FEW = 10  # moments for which an open page of somebody whose rights were taken away still gets changes


class Person(UserMixin):  # type: ignore[misc]
    """A signed-in person, as Flask-Login wants one."""

    def __init__(self, signed_in: sign_ins.SignedIn) -> None:
        self.actor = signed_in.actor
        self.sign_in_id = signed_in.id
        self._secret = signed_in.secret

    def get_id(self) -> str:
        """What the session cookie carries: a secret of this one sign-in, which the server can end."""
        return self._secret


def init_app(app: Flask) -> None:
    """Teach Flask-Login our people, and templates the word ``may``."""
    login.session_protection = None  # bound to the address and browser otherwise; people on call change networks
    login.user_loader(_load)
    login.unauthorized_handler(_ask_to_sign_in)
    app.context_processor(lambda: {"may": may, "may_anywhere": may_anywhere})
    app.view_functions["static"] = public(app.view_functions["static"])


def _load(secret: object) -> Person | None:
    if not isinstance(secret, str):  # made by somebody with the key of the cookies
        return None
    polls = bool(g.get("polls"))

    def read() -> sign_ins.SignedIn | None:
        return sign_ins.by_secret(secret, None if polls else whence().address)

    def is_as_shown(found: sign_ins.SignedIn | None) -> bool:
        shown = request.args.get("may")
        return not shown or (found is not None and mark(found.actor.rights) == shown)

    # An open page that was drawn for other rights than those of a few seconds ago knows better.
    signed_in = lately(("person", secret), read, enough=is_as_shown, moments=FEW) if polls else read()
    return Person(signed_in) if signed_in else None


def whence() -> sign_ins.Whence:
    """From where the request comes."""
    return sign_ins.Whence(request.remote_addr or "", request.headers.get("User-Agent", ""))


def sign_in(signed_in: sign_ins.SignedIn) -> None:
    """Have the browser be signed in from now on."""
    session.clear()  # nothing of the session before lives on
    login_user(Person(signed_in))


def too_many(wait: int) -> str:
    """The same for a name that exists and for one that does not."""
    minutes = -(-wait // 60)
    when = (
        ngettext("%(num)s second", "%(num)s seconds", wait)
        if wait < 120
        else ngettext("%(num)s minute", "%(num)s minutes", minutes)
    )
    return str(gettext("Too many attempts; this one was not looked at. Try again in %(when)s.", when=when))


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
