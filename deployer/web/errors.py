"""Every refusal and failure as an answer that says what was wrong and what to do: a page, or the API's envelope."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from flask import Flask, Response, jsonify, render_template, request
from flask.globals import request_ctx
from flask_babel import gettext, lazy_gettext
from flask_wtf.csrf import CSRFError, generate_csrf
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response as AnyResponse

from deployer.domain.errors import Conflict, Forbidden, Invalid, NotFound, Refused, Unidentified
from deployer.web.forms.base import RefusedInput
from deployer.web.words import hint, summary, whole

log = logging.getLogger(__name__)
API = "/api/"
FRESH_TOKEN = "X-Fresh-Token"  # noqa: S105 (the name of a header)
# The API keeps the original's 417 for its clients; for pages 422 is what HTMX and browsers expect of a refused form.
REFUSED_PARAMETER = 417
REFUSED_FORM = 422

HTTP_WORDS = {
    400: (lazy_gettext("The request is malformed."), lazy_gettext("Go back and try again.")),
    401: (
        lazy_gettext("You are not signed in."),
        lazy_gettext("Sign in, or send a valid bearer token, and try again."),
    ),
    403: (lazy_gettext("You may not do this."), lazy_gettext("Ask an administrator.")),
    404: (lazy_gettext("No such resource."), lazy_gettext("Check the address.")),
    405: (lazy_gettext("This address does not take that method."), lazy_gettext("Check how it is meant to be called.")),
    413: (lazy_gettext("The request is too large."), lazy_gettext("Send at most 1 MiB; an artifact at most 2 GiB.")),
    415: (
        lazy_gettext("This content type is not read here."),
        lazy_gettext("Send a form (application/x-www-form-urlencoded) or JSON (application/json)."),
    ),
}


def status_of(refused: Refused) -> int:
    """The HTTP status of a refusal, for the kind of client that asked."""
    if isinstance(refused, Invalid):
        return REFUSED_PARAMETER if _is_api() else REFUSED_FORM
    if isinstance(refused, Unidentified):
        return 401
    return 404 if isinstance(refused, NotFound) else 409 if isinstance(refused, Conflict) else 403


def init_app(app: Flask) -> None:
    """Register the handlers."""
    app.register_error_handler(Refused, refusal)
    app.register_error_handler(RefusedInput, _refused_input)
    app.register_error_handler(CSRFError, _csrf)
    app.register_error_handler(HTTPException, _http)
    app.register_error_handler(Exception, _crashed)


def _is_api() -> bool:
    return request.path.startswith(API)


def _answer(
    status: int, what: str, todo: str, errors: Mapping[str, list[str]] | None = None, data: object = None
) -> Response:
    if _is_api():
        body: dict[str, object] = {"msg": what, "code": -1}
        if errors:
            body["errors"] = errors
        elif todo:
            body["hint"] = todo
        if data is not None:
            body["data"] = data
        response = jsonify(body)
    else:
        response = Response(
            render_template("shared/error.html", status=status, what=what, todo=todo), mimetype="text/html"
        )
    response.status_code = status
    return response


def refusal(refused: Refused, data: object = None) -> Response:
    """The answer to a refused request; in the API's envelope with ``data``, what to go on from."""
    if isinstance(refused, Unidentified):
        response = _answer(401, summary(refused), hint(refused))
        response.headers["WWW-Authenticate"] = 'Bearer error="invalid_token"'
        return response
    if isinstance(refused, Forbidden) or not refused.field:
        return _answer(status_of(refused), summary(refused), hint(refused))
    return _answer(status_of(refused), summary(refused), hint(refused), {refused.field: [whole(refused)]}, data)


def _refused_input(problem: RefusedInput) -> Response:
    first = problem.first
    errors = {field: [whole(refused)] for field, refused in problem.refusals.items()}
    return _answer(status_of(first), summary(first), hint(first), errors)


def _csrf(_error: CSRFError) -> Response:
    response = _answer(
        400,
        gettext("The form has expired; nothing was done."),
        gettext(
            "Your session ended or began anew since this page was opened. Reload the page and send the form again."
        ),
    )
    if "HX-Request" in request.headers:
        # The page keeps what was typed and takes the token of the session as it is now. No other site can send this
        # header or read the answer.
        response.headers[FRESH_TOKEN] = generate_csrf()
    return response


def _http(error: HTTPException) -> AnyResponse:
    status = error.code or 500
    if error.response is not None or status < 400:
        return error.get_response()
    what, todo = HTTP_WORDS.get(status, (error.name, ""))
    if request_ctx.url_adapter is None and not _is_api():
        # By a Host that cannot be the name of one: from there no page can be linked to anything.
        return Response(f"{what} {todo}\n", status, mimetype="text/plain")
    response = _answer(status, str(what), str(todo))
    if status == 401 and _is_api():
        response.headers["WWW-Authenticate"] = "Bearer"
    if status == 405:
        response.headers.extend(error.get_headers())
        response.headers["Content-Type"] = response.content_type or "text/html"
    return response


def _crashed(error: Exception) -> Response:
    log.error("%s %s crashed", request.method, request.path, exc_info=error)
    return _answer(
        500,
        gettext("Something went wrong on our side."),
        gettext("The log of the web process has the details. Reload the page to see where things stand."),
    )
