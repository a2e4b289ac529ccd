"""The demo's first start: release archives, running services and the rows that describe them, all or nothing.

The database is filled beside its place and moved there when everything is done. So a home has one or it has none:
after an interruption the next start begins anew, and a database that is somebody's own is never touched.
"""

from __future__ import annotations

import json
import secrets
import shutil
import sys
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from deployer import artifacts, migrating, private_files
from deployer.app import create_app
from deployer.config import Settings, sqlite_url
from deployer.demo.artifacts import build_artifact
from deployer.demo.fleet import LOCAL, SERVICES, DemoService, Place, choose_place
from deployer.demo.machines import Machine, keep, make_keys, ssh_directory
from deployer.demo.reaching import add_credential, approve_key, over_ssh
from deployer.demo.services import Installation, Spot, install
from deployer.domain.access import Actor, Role, Scope
from deployer.domain.recipe import HealthCheck, Probe, ReleaseRecipe
from deployer.domain.status import BuildStatus
from deployer.extensions import db
from deployer.operations import catalog, fleet, people, tokens

ACTOR = Actor("demo", Role.ADMINISTRATOR)
MAX_ARTIFACT = 1 << 20  # bytes
HEALTH_SECONDS = 6.0

Shas = dict[tuple[str, str], str]  # (service, label) → the sha256 of its artifact in the store


class SeedError(Exception):
    """The demo cannot be set up here. The message says why."""


@dataclass(frozen=True)
class SignIn:
    """How to get into the demo."""

    user: str
    password: str
    token: str


def sign_in(home: Path) -> SignIn:
    """The sign-in of the demo in ``home``, which is seeded."""
    return SignIn(**json.loads(_kept(home).read_text("utf-8")))


def is_seeded(home: Path) -> bool:
    """Whether ``home`` holds the demo. Raises :class:`SeedError` when it holds something else."""
    if not _database(home).exists():
        return False
    if not _kept(home).exists():
        raise SeedError(
            f"{home} holds a database that is not the demo's; it was left as it is. "
            "Choose another directory with --home."
        )
    return True


def seed(settings: Settings) -> None:
    """Install the services, start them, and describe them in the database. Raises :class:`SeedError`."""
    home = settings.home
    scratch = home / "seeding"
    for leftover in (scratch, hosts_directory(home), ssh_directory(home)):
        shutil.rmtree(leftover, ignore_errors=True)
    scratch.mkdir(mode=0o700)
    try:
        place = choose_place()
    except OSError as error:
        raise SeedError(str(error)) from None
    machines = _machines(home, place)
    key = make_keys(home, [machine.directory for machine in machines])
    keep(home, machines)
    shas = _build(settings, scratch)
    _install(settings, place, shas)
    _describe(replace(settings, database_url=sqlite_url(_database(scratch))), place, shas, key)
    _database(scratch).replace(_database(home))
    shutil.rmtree(scratch)


def hosts_directory(home: Path) -> Path:
    """Where the demo's hosts are: one directory each."""
    return home / "hosts"


def _machines(home: Path, place: Place) -> list[Machine]:
    return [
        Machine(hostname, place.addresses[hostname], port, str(hosts_directory(home) / hostname))
        for hostname, port in place.ssh_ports.items()
    ]


def _build(settings: Settings, scratch: Path) -> Shas:
    """An archive of every version whose build succeeded, in the artifact store."""
    shas: Shas = {}
    for service in SERVICES:
        for version in service.versions:
            if version.status is BuildStatus.SUCCESS:
                built = build_artifact(scratch, service.name, version.label, version.behaviour)
                with built.path.open("rb") as stream:
                    artifacts.store_stream(settings.artifacts, stream, MAX_ARTIFACT)
                shas[service.name, version.label] = built.sha256
    return shas


def _install(settings: Settings, place: Place, shas: Shas) -> None:
    installations = []
    for service in SERVICES:
        for hostname, label in service.runs.items():
            directory = hosts_directory(settings.home) / hostname
            directory.mkdir(parents=True, exist_ok=True)
            spot = Spot(
                service.name,
                hostname,
                place.addresses[hostname],
                place.ports[service.name],
                str(directory),
                _recipe(),
            )
            sha256 = shas[service.name, label]
            installations.append(Installation(spot, label, artifacts.path_of(settings.artifacts, sha256), sha256))
    problems = install(installations)
    if problems:
        raise SeedError("\n".join(problems))


def _recipe() -> ReleaseRecipe:
    # The interpreter by its absolute path: a host has its own idea of what python is, or none.
    return ReleaseRecipe((sys.executable, "restart.py"), HealthCheck(timeout=HEALTH_SECONDS), Probe(), keep=5)


def _describe(settings: Settings, place: Place, shas: Shas, key: str) -> None:
    """Fill a new database, and keep the sign-in."""
    with create_app(settings).app_context():
        migrating.upgrade()
        add_credential(settings.home, key, ACTOR)
        host_ids = {hostname: _describe_host(settings.home, place, hostname) for hostname in place.addresses}
        for service in SERVICES:
            _describe_service(service, place.ports[service.name], shas, host_ids)
        password = secrets.token_urlsafe(12)
        people.create_user(ACTOR.name, password, ACTOR.role, by=ACTOR.name)
        token = tokens.create_token(ACTOR.name, "demo", Scope.MANAGE, by=ACTOR.name, days=None)
        _keep(settings.home, SignIn(ACTOR.name, password, token))
        db.session.remove()
        db.engine.dispose()  # the last connection empties the write-ahead log into the database


def _describe_host(home: Path, place: Place, hostname: str) -> int:
    directory = str(hosts_directory(home) / hostname)
    what = "A directory on this machine, with a loopback address of its own"
    new = fleet.NewHost(hostname, place.addresses[hostname], directory)
    if hostname == LOCAL:
        return fleet.add_host(replace(new, description=f"{what}."), ACTOR)
    new = replace(new, description=f"{what} and an SSH server inside the demo.")
    host_id = fleet.add_host(over_ssh(new, place.ssh_ports[hostname]), ACTOR)
    approve_key(home, directory, host_id, ACTOR)
    return host_id


def _describe_service(service: DemoService, port: int, shas: Shas, host_ids: dict[str, int]) -> None:
    service_id = catalog.add_service(
        catalog.NewService(service.name, _recipe(), language="Python", description=service.description), ACTOR
    )
    version_ids = {
        version.label: catalog.add_version(
            service_id,
            catalog.NewVersion(
                version.label,
                catalog.Build(version.status, artifact_sha256=shas.get((service.name, version.label))),
                version.ref,
                version.description,
            ),
            ACTOR,
        )
        for version in service.versions
    }
    for hostname, label in service.runs.items():
        fleet.record_instance(
            service_id,
            fleet.NewInstance(host_ids[hostname], version_ids[label], port, weight=100),
            ACTOR,
        )


def _database(directory: Path) -> Path:
    return directory / "deployer.db"


def _kept(home: Path) -> Path:
    return home / "demo.json"


def _keep(home: Path, who: SignIn) -> None:
    private_files.put(_kept(home), json.dumps(asdict(who)))
