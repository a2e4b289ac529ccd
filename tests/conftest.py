"""Real databases, a real Redis, and an application on top of them."""

from __future__ import annotations

import contextlib
import contextvars
import copy
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from argon2 import PasswordHasher
from flask import Flask, has_app_context
from flask.testing import FlaskClient
from jinja2 import BytecodeCache
from jinja2.bccache import Bucket
from sqlalchemy import make_url
from werkzeug.routing import Rule
from werkzeug.test import TestResponse

from deployer.app import create_app
from deployer.config import Settings
from deployer.extensions import db
from deployer.operations import passwords
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


@pytest.fixture(scope="session", autouse=True)
def _quick_passwords() -> Iterator[None]:
    """A password is verified with the effort that its hash names; a small one makes every sign-in quick."""
    with mock.patch.object(passwords, "_hasher", PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)):
        yield


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
        secret_key="0123456789abcdef" * 4,
        secure_cookies=False,
    )


def migrated(settings: Settings) -> None:
    """Bring the database to the newest schema, by the migrations and nothing else."""
    from deployer import migrating

    app = create_app(settings)
    with app.app_context():
        migrating.upgrade()
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
def postgresql_template(postgres: Cluster, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The name of a migrated PostgreSQL database to copy."""
    url = postgres.create("template_deployer")
    migrated(settings_for(tmp_path_factory.mktemp("template"), url))
    return "template_deployer"


def filled(settings: Settings) -> World:
    """Build the world in the database, once; to build it for every test would take half a second each."""
    for _app in running(settings):
        world = World.build()
    return world


@pytest.fixture(scope="session")
def sqlite_world_template(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, World]:
    """A SQLite file to copy, and the world in it."""
    home = tmp_path_factory.mktemp("template")
    file = home / "deployer.db"
    shutil.copy(sqlite_template, file)
    return file, filled(settings_for(home, f"sqlite:///{file}"))


@pytest.fixture(scope="session")
def postgresql_world_template(
    postgres: Cluster, postgresql_template: str, tmp_path_factory: pytest.TempPathFactory
) -> tuple[str, World]:
    """The name of a PostgreSQL database to copy, and the world in it."""
    url = postgres.create("template_world", postgresql_template)
    return "template_world", filled(settings_for(tmp_path_factory.mktemp("template"), url))


@contextlib.contextmanager
def copied(kind: str, template: Path | str, request: pytest.FixtureRequest, home: Path) -> Iterator[str]:
    """The address of a copy that exists for the time of the block."""
    if kind == "sqlite":
        file = home / "deployer.db"
        shutil.copy(template, file)
        yield f"sqlite:///{file}"
        return
    cluster: Cluster = request.getfixturevalue("postgres")
    name = cluster.unused_name()
    yield cluster.create(name, str(template))
    cluster.drop(name)


def fresh_database(kind: str, request: pytest.FixtureRequest, home: Path) -> AbstractContextManager[str]:
    """A migrated database of the kind for the time of a block, with the world in it if the test has one."""
    if {"world", "sqlite_world"} & set(request.fixturenames):
        template, _world = request.getfixturevalue(f"{kind}_world_template")
    else:
        template = request.getfixturevalue(f"{kind}_template")
    return copied(kind, template, request, home)


@pytest.fixture(params=DATABASES)
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A fresh database; a test that asks for it runs on SQLite and on PostgreSQL."""
    with fresh_database(request.param, request, tmp_path) as url:
        yield url


@pytest.fixture
def sqlite_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A fresh SQLite database, for tests to which the database makes no difference."""
    with fresh_database("sqlite", request, tmp_path) as url:
        yield url


class Outsider(FlaskClient):
    """A client whose requests know nothing of the test's own application context: else one request would find in it
    who the one before was."""

    def open(self, *args: Any, **kwargs: Any) -> TestResponse:
        return contextvars.Context().run(super().open, *args, **kwargs)


class Compiled(BytecodeCache):
    """Compiled templates, which one application leaves to the next: a test has one of its own, and shows few pages."""

    def __init__(self) -> None:
        self._codes: dict[str, bytes] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        if bucket.key in self._codes:
            bucket.bytecode_from_string(self._codes[bucket.key])

    def dump_bytecode(self, bucket: Bucket) -> None:
        self._codes[bucket.key] = bucket.bytecode_to_string()


COMPILED = Compiled()


@pytest.fixture(scope="session", autouse=True)
def _compiled_addresses() -> Iterator[None]:
    """How the address of a route is built is compiled once, and not for the application of every test again: that is
    nine tenths of what it costs to make one."""
    compile_builder = Rule._compile_builder
    known: dict[tuple[str, str], Callable[..., tuple[str, str]]] = {}

    def remembered(rule: Rule, append_unknown: bool = True) -> Callable[..., tuple[str, str]]:
        key = repr((rule.rule, rule.subdomain, rule.host, rule.defaults)), str(append_unknown)
        if key not in known:
            known[key] = compile_builder(rule, append_unknown)
        return known[key]

    with mock.patch.object(Rule, "_compile_builder", remembered):
        yield


def running(settings: Settings) -> Iterator[Flask]:
    """An application for a test, with nothing left open behind it."""
    app = create_app(settings)
    app.testing = True
    app.jinja_env.bytecode_cache = COMPILED
    app.test_client_class = Outsider
    # Failures must show as the 500 that a user would see, not as an exception inside the test client.
    app.config["PROPAGATE_EXCEPTIONS"] = False
    app.config["LIVE_SECONDS"] = 0.0  # what a test has done shows at once
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
def world(app: Flask, request: pytest.FixtureRequest) -> World:
    """One service with versions of every build status on three hosts, and a second service."""
    kind = make_url(app.config["SETTINGS"].database_url).get_backend_name()
    return copy.deepcopy(request.getfixturevalue(f"{kind}_world_template")[1])


@pytest.fixture(scope="module", params=DATABASES)
def shared_world(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A world for a whole module of tests that change nothing, and check that they did not. Its application's context
    is the current one."""
    home = tmp_path_factory.mktemp("shared")
    template, world = request.getfixturevalue(f"{request.param}_world_template")
    with copied(request.param, template, request, home) as url:
        for _app in running(settings_for(home, url)):
            yield world


@pytest.fixture(scope="module")
def own_world(
    sqlite_world_template: tuple[Path, World], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Flask, World, Path]]:
    """An application of a module's own on SQLite, its world, and the file that it is in."""
    template, world = sqlite_world_template
    home = tmp_path_factory.mktemp("own")
    file = home / "deployer.db"
    shutil.copy(template, file)
    for app in running(settings_for(home, f"sqlite:///{file}")):
        yield app, copy.deepcopy(world), file


@pytest.fixture
def sqlite_app(sqlite_url: str, tmp_path: Path) -> Iterator[Flask]:
    """The application on SQLite only."""
    yield from running(settings_for(tmp_path, sqlite_url))


@pytest.fixture
def sqlite_world(sqlite_app: Flask, sqlite_world_template: tuple[Path, World]) -> World:
    """As ``world``, on SQLite only."""
    return copy.deepcopy(sqlite_world_template[1])
