"""A small world to test in, made through the same operations that people use."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Table

from deployer.domain.access import Actor, Role, Scope
from deployer.domain.recipe import ReleaseRecipe
from deployer.domain.status import BuildStatus
from deployer.extensions import db
from deployer.operations import catalog, fleet, people, tokens
from deployer.operations.catalog import Build, NewService, NewVersion
from deployer.operations.fleet import NewHost, NewInstance

ADMIN = Actor("root", Role.ADMINISTRATOR)
PASSWORD = "correct horse battery"
STATUSES = (
    ("1.0.0", BuildStatus.SUCCESS),
    ("1.1.0", BuildStatus.SUCCESS),
    ("1.2.0", BuildStatus.SUCCESS),
    ("1.3.0", BuildStatus.FAILED),
    ("1.4.0", BuildStatus.PENDING),
    ("1.5.0", BuildStatus.BUILDING),
    ("1.6.0", BuildStatus.TIMEOUT),
    ("1.7.0", BuildStatus.DUPLICATE),
    ("1.8.0", BuildStatus.SUCCESS),
)


@dataclass(frozen=True)
class World:
    """Ids by name. ``orders`` runs 1.1.0 on web-1 to web-3 and 1.0.0 on web-4; ``other`` runs on web-5."""

    service: int
    versions: dict[str, int]
    hosts: dict[str, int]
    other: int
    other_version: int
    token: str
    reader_token: str

    @classmethod
    def build(cls) -> World:
        """Make it in the database of the current application."""
        recipe = ReleaseRecipe(restart=("true",))
        service = catalog.add_service(NewService("orders", recipe, language="Python"), ADMIN)
        other = catalog.add_service(NewService("other", recipe), ADMIN)
        versions = {
            label: catalog.add_version(
                service,
                NewVersion(label, Build(status, "http://127.0.0.1/a.tgz", "0" * 64)),
                ADMIN,
            )
            for label, status in STATUSES
        }
        other_version = catalog.add_version(
            other, NewVersion("1.0.0", Build(BuildStatus.SUCCESS, "http://127.0.0.1/a.tgz", "0" * 64)), ADMIN
        )
        hosts = {
            f"web-{n}": fleet.add_host(NewHost(f"web-{n}", f"127.0.0.{n}", f"/srv/web-{n}"), ADMIN) for n in range(1, 6)
        }
        for name in ("web-1", "web-2", "web-3"):
            fleet.record_instance(service, NewInstance(hosts[name], versions["1.1.0"], 8000), ADMIN)
        fleet.record_instance(service, NewInstance(hosts["web-4"], versions["1.0.0"], 8000), ADMIN)
        fleet.record_instance(other, NewInstance(hosts["web-5"], other_version, 8001), ADMIN)
        people.create_user("ann", PASSWORD, Role.ADMINISTRATOR, "root")
        people.create_user("vic", PASSWORD, Role.VIEWER, "root")
        token = tokens.create_token("ann", "all", Scope.MANAGE, "root")
        reader_token = tokens.create_token("ann", "read", Scope.READ, "root")
        return cls(service, versions, hosts, other, other_version, token, reader_token)

    def url(self, version: str = "1.1.0", action: str = "upgrade") -> str:
        """The path of the main form below ``/api/v1`` or ``/``."""
        return f"/services/{self.service}/versions/{self.versions[version]}/{action}"

    def bearer(self, token: str | None = None) -> dict[str, str]:
        """The headers of an API call."""
        return {"Authorization": f"Bearer {token or self.token}"}


_NOTED = {"token": {"used", "used_from"}, "sign_in": {"seen", "address"}}  # that somebody asked, not what came of it
_BUT = {"audit_entry": "WHERE NOT refused"}  # that something was tried in vain is remembered


def _query(table: Table) -> str:
    columns = ", ".join(f'"{column.name}"' for column in table.columns if column.name not in _NOTED.get(table.name, ()))
    order = ", ".join(key.name for key in table.primary_key)
    return f'SELECT {columns} FROM "{table.name}" {_BUT.get(table.name, "")} ORDER BY {order}'


_EVERYTHING = {table.name: _query(table) for table in db.metadata.sorted_tables}


def snapshot() -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every table: what a refused request must leave exactly as it was."""
    db.session.rollback()
    connection = db.session.connection()  # bare statements: this is called thousands of times
    return {name: [tuple(row) for row in connection.exec_driver_sql(query)] for name, query in _EVERYTHING.items()}
