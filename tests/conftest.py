"""Real databases, a real Redis, and an application on top of them."""

from __future__ import annotations

import contextvars
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask, has_app_context
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from deployer.app import create_app
from deployer.config import Settings
from deployer.extensions import db
from tests.postgres import Cluster, missing_postgres
from tests.world import World

DATABASES = ("sqlite", "postgresql")


def need(reason: str | None) -> None:
    """Skip with the reason, but never in CI: there a missing tool is a failure."""
    if reason is None:
        return
    if os.environ.get("CI") == "true":
        pytest.fail(f"{reason}; in CI it must be there")
    pytest.skip(reason)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Cluster]:
    """A PostgreSQL server of our own, on a unix socket and a free loopback port."""
    need(missing_postgres())
    with Cluster() as cluster:
        yield cluster


def settings_for(home: Path, database_url: str, redis_url: str = "") -> Settings:
    """Settings of a console in ``home``."""
    return Settings(
        home=home,
        database_url=database_url,
        redis_url=redis_url or f"unix://{home / 'nobody.sock'}",
        secret_key="test" * 16,
        secure_cookies=False,
    )


def migrated(settings: Settings) -> None:
    """Bring the database to the newest schema, by the migrations and nothing else."""
    import flask_migrate

    app = create_app(settings)
    with app.app_context():
        flask_migrate.upgrade()
        db.session.remove()
        db.engine.dispose()


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite file to copy."""
    home = tmp_path_factory.mktemp("template")
    file = home / "deployer.db"
    migrated(settings_for(home, f"sqlite:///{file}"))
    return file


@pytest.fixture(scope="session")
def postgres_template(postgres: Cluster, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The name of a migrated PostgreSQL database to copy."""
    url = postgres.create("template_deployer")
    migrated(settings_for(tmp_path_factory.mktemp("template"), url))
    return "template_deployer"


def fresh_database(kind: str, request: pytest.FixtureRequest, home: Path) -> str:
    """The address of an empty, migrated database of the kind."""
    if kind == "sqlite":
        file = home / "deployer.db"
        shutil.copy(request.getfixturevalue("sqlite_template"), file)
        return f"sqlite:///{file}"
    cluster: Cluster = request.getfixturevalue("postgres")
    return cluster.create(cluster.unused_name(), request.getfixturevalue("postgres_template"))


@pytest.fixture(params=DATABASES)
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A fresh database; a test that asks for it runs on SQLite and on PostgreSQL."""
    return fresh_database(request.param, request, tmp_path)


@pytest.fixture
def sqlite_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A fresh SQLite database, for tests to which the database makes no difference."""
    return fresh_database("sqlite", request, tmp_path)


class Outsider(FlaskClient):
    """A client whose requests know nothing of the test's own application context: else one request would find in it
    who the one before was."""

    def open(self, *args: Any, **kwargs: Any) -> TestResponse:
        return contextvars.Context().run(super().open, *args, **kwargs)


def running(settings: Settings) -> Iterator[Flask]:
    """An application for a test, with nothing left open behind it."""
    app = create_app(settings)
    app.testing = True
    app.test_client_class = Outsider
    # Failures must show as the 500 that a user would see, not as an exception inside the test client.
    app.config["PROPAGATE_EXCEPTIONS"] = False
    with app.app_context():
        yield app
        db.session.remove()
        db.engine.dispose()


@pytest.fixture(autouse=True)
def _no_open_transaction() -> Iterator[None]:
    """What a test has read of a world that it shares is done with: PostgreSQL ends who stands in a transaction idly."""
    yield
    if has_app_context():
        db.session.rollback()


@pytest.fixture
def app(database_url: str, tmp_path: Path) -> Iterator[Flask]:
    """The application, on both databases; no Redis: accepted work waits in the database."""
    yield from running(settings_for(tmp_path, database_url))


@pytest.fixture
def world(app: Flask) -> World:
    """One service with versions of every build status on three hosts, and a second service."""
    return World.build()


@pytest.fixture(scope="module", params=DATABASES)
def shared_world(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A world for a whole module of tests that change nothing, and check that they did not. Its application's context
    is the current one."""
    home = tmp_path_factory.mktemp("shared")
    for _app in running(settings_for(home, fresh_database(request.param, request, home))):
        yield World.build()


@pytest.fixture
def sqlite_app(sqlite_url: str, tmp_path: Path) -> Iterator[Flask]:
    """The application on SQLite only."""
    yield from running(settings_for(tmp_path, sqlite_url))


@pytest.fixture
def sqlite_world(sqlite_app: Flask) -> World:
    """As ``world``, on SQLite only."""
    return World.build()
