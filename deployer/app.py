"""The only wiring: settings in, a Flask application out."""

from __future__ import annotations

import os
from typing import Any

from flask import Flask, current_app, g, redirect, request, url_for
from werkzeug.middleware.proxy_fix import ProxyFix
from werkzeug.routing import BaseConverter
from werkzeug.wrappers import Response

from deployer import models  # noqa: F401 (the tables must be known before the first migration or query)
from deployer.config import Settings, read_settings
from deployer.domain.ids import ID
from deployer.extensions import babel, csrf, db, login, prepare_engine
from deployer.resources import PACKAGE, folder
from deployer.unsafe import refuse_unsafe
from deployer.web import (
    account,
    api,
    audit,
    auth,
    credentials,
    elsewhere,
    errors,
    host_keys,
    hosts,
    imports,
    instances,
    language,
    people,
    present,
    roles,
    rollout_actions,
    rollouts,
    services,
    standing,
    static_files,
    telling,
    tokens,
    versions,
)
from deployer.web.bodies import StrictRequest
from deployer.web.live import shared

MAX_BODY = 1024 * 1024  # bytes; an upload of an artifact raises it for itself
PAGES = (people, elsewhere, account, tokens, language, services, versions, instances, rollouts, rollout_actions)
FLEET = (imports, hosts, host_keys, credentials)
ADMINISTRATION = (roles, audit)


class IdConverter(BaseConverter):
    """An id in a URL, as strict as one in a field: anything else is no page at all."""

    regex = ID

    def to_python(self, value: str) -> int:
        """The id."""
        return int(value)


def create_app(settings: Settings | None = None) -> Flask:
    """The web application (and what a worker runs inside). Connects to nothing yet."""
    if settings is None:  # any WSGI server
        settings = read_settings()
        refuse_unsafe(settings, os.environ)
    app = Flask(
        "deployer",
        root_path=str(folder("templates").parent),
        template_folder=str(folder("templates")),
        static_folder=str(folder("static")),
    )
    app.config.update(
        SETTINGS=settings,
        SECRET_KEY=settings.secret_key,
        SQLALCHEMY_DATABASE_URI=settings.database_url,
        SQLALCHEMY_ENGINE_OPTIONS=_engine_options(settings),
        REDIS_URL=settings.redis_url,
        MAX_CONTENT_LENGTH=MAX_BODY,
        MAX_FORM_MEMORY_SIZE=MAX_BODY,
        # The prefix has the browser refuse the cookie from anybody but this host itself, over TLS.
        SESSION_COOKIE_NAME="__Host-deployer" if settings.secure_cookies else "deployer",
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_COOKIE_SECURE=settings.secure_cookies,
        WTF_CSRF_TIME_LIMIT=None,  # the token lives as long as the session: a dialog left open overnight still works
        BABEL_TRANSLATION_DIRECTORIES=str(PACKAGE / "translations"),
    )
    if settings.proxies:
        trusted = settings.proxies
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=trusted, x_proto=trusted, x_host=trusted)  # type: ignore[method-assign]
    app.request_class = StrictRequest
    app.url_map.converters["id"] = IdConverter
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True

    db.init_app(app)
    csrf.init_app(app)
    babel.init_app(app, locale_selector=language.choose_language)
    login.init_app(app)
    auth.init_app(app)
    elsewhere.init_app(app)
    errors.init_app(app)
    static_files.init_app(app)
    present.init_app(app)
    standing.init_app(app)
    shared.init_app(app)
    telling.init_app(app)
    api.init_app(app)
    for page in (*PAGES, *FLEET, *ADMINISTRATION):
        app.register_blueprint(page.blueprint)
    with app.app_context():
        prepare_engine(db.engine)

    @app.get("/")
    @auth.public
    def index() -> Response:
        return redirect(url_for("services.index"))

    app.before_request(_remember_source)
    app.after_request(_guard)
    return app


def _engine_options(settings: Settings) -> dict[str, Any]:
    # The longest wait for a lock of the database; beyond it something is wrong, and saying so beats hanging. A process
    # that was frozen in the middle of a transaction loses it, so that its locks do not stand before everybody else.
    if settings.database_url.startswith("postgresql"):
        timeouts = "-c lock_timeout=30000 -c idle_in_transaction_session_timeout=20000"
        # Without these a connection whose other end was cut off the network would hang for a quarter of an hour.
        network = {"connect_timeout": 5, "tcp_user_timeout": 10_000, "keepalives_idle": 5, "keepalives_interval": 5}
        return {"pool_pre_ping": True, "connect_args": {"options": timeouts, **network, "keepalives_count": 2}}
    return {"pool_size": 20}


def _remember_source() -> None:
    """Where a change comes from, for the record of changes."""
    g.source = (request.remote_addr or "")[:64]


def _guard(response: Response) -> Response:
    """The browser's side of the wall: nothing from elsewhere, nothing inline, never in a frame."""
    headers = response.headers
    headers.setdefault("Content-Security-Policy", "default-src 'self'; frame-ancestors 'none'; base-uri 'none'")
    headers.setdefault("X-Content-Type-Options", "nosniff")
    headers.setdefault("Referrer-Policy", "same-origin")
    if current_app.config["SESSION_COOKIE_SECURE"]:  # so there is TLS in front
        headers.setdefault("Strict-Transport-Security", "max-age=31536000")
    if response.mimetype in ("text/html", "application/json"):
        headers.setdefault("Cache-Control", "no-store")
    return response
