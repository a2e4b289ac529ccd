"""The real schema and the real operations on SQLite, by the simulated clock; made anew from a template in a moment."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from flask import Flask
from sqlalchemy import event
from sqlalchemy.exc import OperationalError

from deployer.app import create_app
from deployer.domain.recipe import ReleaseRecipe
from deployer.domain.status import BuildStatus
from deployer.extensions import db
from deployer.operations import catalog, fleet
from deployer.operations.catalog import Build, NewService, NewVersion
from deployer.operations.fleet import NewHost, NewInstance
from tests.conftest import settings_for
from tests.model.clock import Clock
from tests.world import ADMIN

T = TypeVar("T")
LABELS = ("1", "2", "3")
RUNS = "2"  # so that there is a way up and a way down
HOSTS = {"orders": ("a", "b", "c", "d"), "mail": ("a", "b")}


class Database:
    """One database for many examples: ``reset`` makes it as it was at the start."""

    def __init__(self, template: Path, home: Path) -> None:
        self.clock = Clock()
        self.away: str | None = None  # "before" or "after" the operation
        shutil.copy(template, home / "deployer.db")
        self.app: Flask = create_app(settings_for(home, f"sqlite:///{home / 'deployer.db'}"))
        with self.app.app_context():
            self._engine = db.engine
            event.listen(self._engine, "connect", self._prepare)
            _build()
            db.session.remove()
        self._template = sqlite3.connect(":memory:", check_same_thread=False)
        self._ours = self._engine.raw_connection()  # kept, so that it does not go back to the pool
        self.connection: sqlite3.Connection = self._ours.driver_connection  # type: ignore[assignment]
        self.connection.backup(self._template)

    def _prepare(self, connection: sqlite3.Connection, _record: Any) -> None:
        connection.create_function("strftime", -1, self._strftime)  # the one that columns.Now asks
        connection.execute("PRAGMA synchronous = OFF")

    def _strftime(self, _form: str, _now: str, offset: str) -> str:
        return self.clock.sqlite_text(float(offset.removesuffix(" seconds")))

    def reset(self, clock: Clock) -> None:
        """As at the start, by this clock."""
        self.clock, self.away = clock, None
        self._template.backup(self.connection)

    def close(self) -> None:
        """Leave nothing open."""
        self._template.close()
        self._ours.close()
        self._engine.dispose()

    def run(self, operation: Callable[..., T], *args: Any, **kwargs: Any) -> T:
        """The operation, in an application context of its own."""
        if self.away == "before":
            raise OperationalError("BEGIN", {}, Exception("the server closed the connection"))
        with self.app.app_context():
            result = operation(*args, **kwargs)
        if self.away == "after":
            raise OperationalError("COMMIT", {}, Exception("the server closed the connection"))
        return result


def _build() -> None:
    built = Build(BuildStatus.SUCCESS, "http://127.0.0.1/a.tgz", "0" * 64)
    hosts = {name: fleet.add_host(NewHost(name, "127.0.0.1", f"/srv/{name}"), ADMIN) for name in HOSTS["orders"]}
    for service, names in HOSTS.items():
        service_id = catalog.add_service(NewService(service, ReleaseRecipe(restart=("true",))), ADMIN)
        versions = {label: catalog.add_version(service_id, NewVersion(label, built), ADMIN) for label in LABELS}
        for name in names:
            fleet.record_instance(service_id, NewInstance(hosts[name], versions[RUNS], 8000), ADMIN)
